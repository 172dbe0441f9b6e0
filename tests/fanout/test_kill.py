"""Kill -9 at every point: run again, each input has exactly one run and one outcome."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from eigenpal.sandbox import Sandbox
from tests.fanout.conftest import KEY, Books

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal, and forks")

COUNT = 6
ROOT = Path(__file__).parents[2]

POINTS = [
    ("after", "plan", 2),
    ("after", "starting", 1),  # not one request was sent
    ("before", "started", 1),  # runs were started, and not one id is known
    ("before", "started", 4),
    ("after", "started", 4),
    ("before", "finished", 3),
    ("after", "finished", 3),
]
# Both clients go through all points; trio, where the journal's code is the same, is killed amid a request.
ALL = [*((mode, point) for mode in ("asyncio", "blocking") for point in POINTS), ("trio", POINTS[3])]


@attrs.frozen
class Ended:
    """How a process ended, and what it had said until then."""

    signal: int
    outcomes: list[list[Any]]


Work = Callable[..., Ended]


@pytest.fixture(scope="module")
def program() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.fanout.kill_program"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        yield process
        process.stdin.close()


@pytest.fixture
def work(program: subprocess.Popen[str], sandbox: Sandbox, tmp_path: Path) -> Work:
    """Have a process work off the batch, until its end or until it is killed."""

    def begin(mode: str, die: tuple[str, str, int] | None = None, **options: Any) -> Ended:
        assert program.stdin is not None
        assert program.stdout is not None
        result = tmp_path / "result.json"
        result.unlink(missing_ok=True)
        job = {
            "mode": mode,
            "die": die,
            "url": sandbox.url,
            "key": KEY,
            "journal": str(tmp_path / "batch.db"),
            "result": str(result),
            "count": COUNT,
            "concurrency": 3,
            "hurry": True,
            **options,
        }
        print(json.dumps(job), file=program.stdin, flush=True)
        number = json.loads(program.stdout.readline())
        return Ended(number, json.loads(result.read_text(encoding="utf-8")) if result.exists() else [])

    return begin


def assert_whole(ended: Ended, books: Books) -> None:
    """Every input has one outcome, a good one, and one run."""
    assert ended.signal == 0
    assert sorted(outcome[0] for outcome in ended.outcomes) == sorted(f"key-{n}" for n in range(COUNT))
    assert [outcome for outcome in ended.outcomes if not outcome[1]] == []
    assert len({outcome[2] for outcome in ended.outcomes}) == COUNT
    assert sorted(books.seen) == list(range(COUNT))


@pytest.mark.parametrize(("mode", "point"), ALL, ids=lambda it: it if isinstance(it, str) else " ".join(map(str, it)))
def test_killed_at_any_point_no_run_is_lost_and_none_started_twice(
    work: Work, books: Books, mode: str, point: tuple[str, str, int]
) -> None:
    assert work(mode, point).signal == signal.SIGKILL
    assert_whole(work(mode), books)


def test_killed_again_and_again_it_still_ends_whole(work: Work, books: Books) -> None:
    for point in POINTS[1:6:2]:
        assert work("asyncio", (point[0], point[1], 1)).signal in {0, signal.SIGKILL}
    assert_whole(work("asyncio"), books)


def test_what_was_killed_in_one_way_is_finished_in_another(work: Work, books: Books) -> None:
    assert work("trio", ("before", "started", 4)).signal == signal.SIGKILL
    assert work("blocking", ("before", "finished", 1)).signal == signal.SIGKILL
    assert_whole(work("asyncio"), books)
