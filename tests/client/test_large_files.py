"""A file of a gigabyte costs no more memory than a small one, on its way up and on its way down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GIGABYTE = 1024**3
MOST_MEMORY = 32 * 1024**2

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="measures with getrusage")


@pytest.fixture(scope="module")
def bulk_url() -> Iterator[str]:
    """Run the bulk server in a process of its own, so that its memory does not count."""
    with subprocess.Popen([sys.executable, HERE / "bulk_server.py"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()


@pytest.mark.parametrize(
    ("task", "loop", "size"),
    [
        ("upload", "asyncio", GIGABYTE),
        ("save", "asyncio", GIGABYTE),
        ("upload", "trio", GIGABYTE // 16),
        ("save", "trio", GIGABYTE // 16),
    ],
)
def test_a_large_file_is_moved_in_little_memory(bulk_url: str, tmp_path: Path, task: str, loop: str, size: int) -> None:
    program = [sys.executable, "-m", "tests.client.bulk_program", task, bulk_url, loop, str(tmp_path), str(size)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MOST_MEMORY
    assert list(tmp_path.iterdir()) == []
