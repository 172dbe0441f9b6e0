"""The official packages' side of each comparison, run in an environment of their own (see environments.py).

Used as their documentation shows, through public names where there are any. Standard library only besides them, and
nothing of ours.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rounds import Figures, answer, moved, one_by_one, rate

import eigenpal
from eigenpal import EigenpalClient

if not eigenpal.__file__.startswith(sys.prefix):
    sys.exit(f"{eigenpal.__file__} is not the official package")


def client(base: str) -> Any:
    # The newer package uploads large files before a run; without its limit it sends them with the run, as ours does.
    options = {"multipart_max_bytes": None}
    known = inspect.signature(EigenpalClient).parameters
    return EigenpalClient(
        api_key="k" * 40, base_url=base, **{name: value for name, value in options.items() if name in known}
    )


def blocking(base: str) -> None:
    """Get one run after the other."""
    mine = client(base)
    answer(lambda: one_by_one(lambda: mine.runs.get("run_123")))


def decode(path: str) -> None:
    """Turn a page of runs into the generated models; 0.7.2 has them for this generation of the API."""
    from eigenpal._generated.models.runs_list_response import RunsListResponse

    text = Path(path).read_bytes()
    parsed = json.loads(text)
    answer(lambda: {
        "text": rate(50, lambda: RunsListResponse.from_dict(json.loads(text))),
        "parsed": rate(50, lambda: RunsListResponse.from_dict(parsed)),
    })  # fmt: skip


def upload(base: str, folder: str, small: str, large: str) -> None:
    """Start a run with a file."""

    def send(size: int) -> None:
        with client(base) as mine:
            mine.run("workflows.archive", {"document": Path(folder, f"{size}.bin")})

    print(json.dumps(moved(int(small), int(large), send)))


def save(base: str, folder: str, small: str, large: str) -> None:
    """Store a file of a run."""

    def fetch(size: int) -> None:
        with client(base) as mine:
            Path(folder, "saved").write_bytes(mine.runs.artifacts.download("run_123", f"output/{size}"))

    print(json.dumps(moved(int(small), int(large), fetch)))


def many(base: str, count: str) -> None:
    """Start runs and wait for them, each in a thread, as the documentation has it for one."""

    def measure() -> Figures:
        _requests(base)
        began, busy = time.perf_counter(), time.process_time()
        with client(base) as mine, ThreadPoolExecutor(int(count)) as threads:
            runs = threads.map(
                lambda n: mine.run_and_wait("workflows.extract-invoice", {"number": n}), range(int(count))
            )
            assert all(run["finished"] for run in runs)
        return {
            "wall": time.perf_counter() - began,
            "cpu": (time.process_time() - busy) / int(count) * 1e6,
            "requests": _requests(base) / int(count),
        }

    answer(measure)


def _requests(base: str) -> int:
    with urllib.request.urlopen(f"{base}/requests") as response:
        counted: int = json.load(response)["requests"]
        return counted


if __name__ == "__main__":
    {side.__name__: side for side in (blocking, decode, upload, save, many)}[sys.argv[1]](*sys.argv[2:])
