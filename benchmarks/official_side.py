"""The official packages' side of each comparison, run in an environment of their own (see environments.py).

Used as their documentation shows, through public names where there are any. Standard library only besides them, and
nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from rounds import Figures, answer

from eigenpal import EigenpalClient

CALLS = 300


def client(base: str) -> Any:
    return EigenpalClient(api_key="k" * 40, base_url=base)


def blocking(base: str) -> None:
    """Get one run after the other."""
    mine = client(base)

    def measure() -> Figures:
        began, busy = time.perf_counter(), time.process_time()
        for _ in range(CALLS):
            mine.runs.get("run_123", expand="usage")
        wall, cpu = time.perf_counter() - began, time.process_time() - busy
        return {"wall": wall / CALLS * 1e6, "cpu": cpu / CALLS * 1e6}

    answer(measure)


def decode(path: str) -> None:
    """Turn the JSON of a page of runs into the generated models; 0.7.2 has them for this generation of the API."""
    from eigenpal._generated.models.runs_list_response import RunsListResponse

    text = Path(path).read_bytes()

    def measure() -> Figures:
        began = time.process_time()
        for _ in range(50):
            page = RunsListResponse.from_dict(json.loads(text))
        assert len(page.runs) == 100
        return {"rate": 50 / (time.process_time() - began)}

    answer(measure)


if __name__ == "__main__":
    {"blocking": blocking, "decode": decode}[sys.argv[1]](*sys.argv[2:])
