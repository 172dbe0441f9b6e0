"""Moves small files and then large ones, and prints by how many bytes the large ones raised the peak of memory.

The first number is of the upload, the second of the upload and the download together.
Arguments: URL of `bulk_server.py`, event loop, folder to work in, bytes of the large file.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import anyio

from eigenpal.client import AsyncEigenpalClient

SMALL = 8 * 1024 * 1024  # enough to have every buffer at its full size


def peak() -> int:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024


async def main(url: str, folder: Path, size: int) -> None:
    async with AsyncEigenpalClient("key", base_url=url, trust_env=False) as client:

        async def upload(count: int) -> None:
            file = folder / "sparse.bin"
            with file.open("wb") as handle:
                handle.truncate(count)
            assert (await client.run("workflows.any", {"file": file})).id == "exec_1"
            file.unlink()

        async def save(count: int) -> None:
            file = await client.runs.artifacts.save("exec_1", str(count), to=folder, overwrite=True)
            assert file.stat().st_size == count
            file.unlink()

        for move in (upload, save):
            await move(SMALL)
        before = peak()
        for move in (upload, save):
            await move(size)
            print(peak() - before)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], Path(sys.argv[3]), int(sys.argv[4]), backend=sys.argv[2])
