"""Progress: counts, rate, time left; told now and then; drawn as a bar."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Awaitable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.bars import RichBar, TqdmBar, counts, make_bar
from eigenpal.fanout.progress import RATE_SECONDS, Counter, Progress
from tests.fanout.fake_service import FakeService, all_of, batch, numbers

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_follow_from_what_was_done() -> None:
    clock = Clock()
    counter = Counter(100, clock)
    assert counter.progress() == Progress(total=100)
    clock.now, counter.succeeded, counter.failed = 10.0, 15, 5
    progress = counter.progress()
    assert (progress.done, progress.rate, progress.eta_seconds, progress.elapsed_seconds) == (20, 2.0, 40.0, 10.0)


def test_the_rate_is_that_of_late() -> None:
    clock = Clock()
    counter = Counter(None, clock)
    clock.now, counter.succeeded = 10.0, 1000
    counter.progress()
    clock.now = 11.0
    counter.progress()
    clock.now, counter.succeeded = 11.5 + RATE_SECONDS, 1000 + 61
    assert counter.progress().rate == pytest.approx(61 / (RATE_SECONDS + 0.5), rel=0.1)
    assert counter.progress().eta_seconds is None


def test_what_came_from_the_disk_says_nothing_about_the_rate() -> None:
    clock = Clock()
    counter = Counter(100, clock)
    clock.now, counter.succeeded, counter.restored = 10.0, 60, 50
    assert (counter.progress().rate, counter.progress().eta_seconds) == (1.0, 40.0)


def test_nothing_left_takes_no_time() -> None:
    clock = Clock()
    counter = Counter(1, clock)
    counter.succeeded = 1
    assert counter.progress().eta_seconds == 0.0


@pytest.mark.parametrize(("inputs", "total"), [(range(9), 9), (iter(range(9)), None)], ids=["sized", "an iterator"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_total_is_known_where_it_can_be(inputs: Any, total: int | None) -> None:
    told: list[Progress] = []
    await all_of(batch(FakeService(), inputs, on_progress=told.append))
    assert {progress.total for progress in told} == {total}
    assert told[-1].done == 9


async def test_the_last_report_comes_before_the_end(anyio_backend_name: str) -> None:
    told: list[Progress] = []
    service = FakeService()
    count = len(await all_of(batch(service, [0, "bad", "none", 3], on_progress=told.append)))
    last = told[-1]
    assert count == 4
    assert (last.succeeded, last.failed, last.starting, last.running) == (2, 2, 0, 0)


async def test_counts_follow_the_states() -> None:
    release, all_wait = anyio.Event(), anyio.Event()

    async def wait(request: Any) -> None:
        if service.at_work == 3:
            all_wait.set()
        await release.wait()

    service = FakeService(on_wait=wait)
    told: list[Progress] = []

    def look(progress: Progress) -> None:
        told.append(progress)
        if progress.running == 3:
            release.set()

    async with anyio.create_task_group() as group:
        group.start_soon(all_of, batch(service, numbers(3), on_progress=look))
        with anyio.fail_after(10):
            await all_wait.wait()
            await release.wait()
    assert (told[-1].succeeded, told[-1].running) == (3, 0)


async def test_a_callback_may_be_async() -> None:
    told: list[int] = []

    def look(progress: Progress) -> Awaitable[None]:
        async def later() -> None:
            await checkpoint()
            told.append(progress.done)

        return later()

    await all_of(batch(FakeService(), range(5), on_progress=look))
    assert told[-1] == 5


async def test_what_a_callback_raises_ends_the_batch_and_is_raised() -> None:
    def fail(progress: Progress) -> None:
        raise ZeroDivisionError("of the callback")

    service = FakeService(on_wait=lambda _: anyio.sleep_forever())
    with pytest.raises(ZeroDivisionError, match="of the callback"):
        await all_of(batch(service, range(5), on_progress=fail))
    assert service.at_work == 0


async def test_reports_are_bounded(anyio_backend_name: str) -> None:
    told: list[Progress] = []

    async def sleep(seconds: float) -> None:
        await anyio.sleep(60 if seconds == 0.1 else 0)

    await all_of(batch(FakeService(), range(500), on_progress=told.append, sleep=sleep))
    assert len(told) == 2  # the first, and the last


# ----------------------------------------------------------------------------------------------------------- bars

HALF = Progress(total=100, running=5, succeeded=48, failed=2, rate=3.0, eta_seconds=16.7)


def test_counts_read_as_words() -> None:
    assert counts(HALF) == "5 running, 2 failed"
    assert counts(Progress()) == ""


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    bar = make_bar("run")
    assert isinstance(bar, RichBar)
    bar.show(HALF)
    bar.close()
    assert "50/100" in out.getvalue()
    assert "5 running, 2 failed" in out.getvalue()


def in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))


def test_a_notebook_shows_a_bar_of_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_notebook(monkeypatch)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setitem(sys.modules, "tqdm.notebook", None)
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    bar = make_bar("run")
    assert isinstance(bar, TqdmBar)
    bar.show(HALF)
    bar.close()
    assert "50/100" in out.getvalue()


@pytest.mark.parametrize(("missing", "extra"), [("rich.console", "cli"), ("tqdm", "notebook")])
def test_what_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, missing: str, extra: str) -> None:
    if extra == "notebook":
        in_a_notebook(monkeypatch)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(EigenpalInputError, match=rf"eigenpal\[{extra}\]"):
        make_bar("run")


async def test_a_batch_draws_its_bar_and_leaves_it_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    await all_of(batch(FakeService(), range(5), progress=True))
    assert "5/5" in out.getvalue()
