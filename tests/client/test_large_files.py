"""A file of a quarter of a gigabyte costs no more memory than a small one, on its way up and on its way down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MEBIBYTE = 1024**2
MOST_MEMORY = 32 * MEBIBYTE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="measures with getrusage")


@pytest.fixture(scope="module")
def bulk_url() -> Iterator[str]:
    """Run the bulk server in a process of its own, so that its memory does not count."""
    with subprocess.Popen([sys.executable, HERE / "bulk_server.py"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()


@pytest.mark.parametrize(("loop", "size"), [("asyncio", 256 * MEBIBYTE), ("trio", 128 * MEBIBYTE)])
def test_a_large_file_is_moved_up_and_down_in_little_memory(
    bulk_url: str, tmp_path: Path, loop: str, size: int
) -> None:
    program = [sys.executable, "-m", "tests.client.bulk_program", bulk_url, loop, str(tmp_path), str(size)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    uploaded, saved = map(int, done.stdout.split())
    assert uploaded < MOST_MEMORY
    assert saved < MOST_MEMORY
    assert list(tmp_path.iterdir()) == []
