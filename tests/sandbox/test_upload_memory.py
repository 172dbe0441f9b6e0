"""Uploads and downloads pass through: their size never shows in memory."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator

import httpx
import pytest

from eigenpal.sandbox import RunContext, Sandbox

SIZE = 100 * 1024 * 1024
PIECE = bytes(range(256)) * 1024  # 256 KiB
BOUNDARY = "pieces"


def form() -> Iterator[bytes]:
    """A multipart body with one file of 100 MB, made as it is sent."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    yield f'{head}"target"\r\n\r\nworkflows.weigh\r\n'.encode()
    yield f'{head}"files.big"; filename="big.bin"\r\n\r\n'.encode()
    for _ in range(SIZE // len(PIECE)):
        yield PIECE
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.timeout(60)
def test_100_megabytes_go_up_and_down_in_a_few_of_memory(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("weigh")
    def weigh(context: RunContext) -> dict[str, int]:
        big = context.files["big"]
        assert not isinstance(big, list)
        context.write_artifact("copy.bin", big.path)
        return {"size": big.size}

    digest = hashlib.sha256()
    for _ in range(SIZE // len(PIECE)):
        digest.update(PIECE)
    tracemalloc.start()
    try:
        headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        run = client.post("/runs?wait_for_completion=50", content=form(), headers=headers, timeout=50).json()
        received = hashlib.sha256()
        with client.stream("GET", f"/runs/{run['id']}/artifacts/output/copy.bin") as response:
            for piece in response.iter_bytes():
                received.update(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert run["output"] == {"size": SIZE}
    assert received.hexdigest() == digest.hexdigest() == response.headers["etag"].strip('"')
    assert peak < 10 * 1024 * 1024
