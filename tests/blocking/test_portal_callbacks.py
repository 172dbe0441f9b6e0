"""Callbacks of users (P5): on the thread that waits, in order, with the client in their hands, and errors both ways."""

from __future__ import annotations

import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync._portal import Portal, caller_callback

Report = Callable[[int], object]
Ask = Callable[[str], Awaitable[str]]


async def one() -> int:
    await anyio.lowlevel.checkpoint()
    return 1


async def report_three_times(on_progress: Report) -> str:
    for number in range(3):
        on_progress(number)
        await anyio.lowlevel.checkpoint()
    return "done"


async def report_and_go_on_for_ever(on_progress: Report, *, ended: threading.Event) -> None:
    try:
        on_progress(1)
        await anyio.sleep_forever()
    finally:
        ended.set()


async def ask(question: Ask) -> str:
    return f"answer: {await question('well?')}"


async def ask_and_handle(question: Ask) -> str:
    try:
        return await question("well?")
    except LookupError as error:
        return f"handled {error!r}"


def test_p5_reports_arrive_in_order_on_the_thread_that_waits_and_before_the_result(portal: Portal) -> None:
    seen: list[tuple[int, threading.Thread]] = []

    def on_progress(number: int) -> None:
        seen.append((number, threading.current_thread()))

    assert portal.call(report_three_times, caller_callback(on_progress)) == "done"
    assert seen == [(number, threading.current_thread()) for number in range(3)]


def test_p5_a_callback_may_use_the_blocking_client_itself(portal: Portal) -> None:
    results: list[int] = []
    portal.call(report_three_times, caller_callback(lambda _: results.append(portal.call(one))))
    assert results == [1, 1, 1]


def test_p5_a_callback_may_make_a_call_with_a_callback(portal: Portal) -> None:
    depth: list[int] = []

    def deeper(number: int) -> None:
        depth.append(number)
        if len(depth) < 20:
            portal.call(report_three_times, caller_callback(deeper))

    portal.call(report_three_times, caller_callback(deeper))
    assert len(depth) > 20


def test_p5_an_awaited_callback_gives_its_value_to_the_async_code(portal: Portal) -> None:
    assert portal.call(ask, caller_callback(lambda question: question + " yes")) == "answer: well? yes"


def test_p5_an_async_callback_that_is_awaited_runs_in_the_loop(portal: Portal) -> None:
    async def answer(question: str) -> str:
        await anyio.lowlevel.checkpoint()
        return f"{question} {threading.current_thread().name}"

    assert portal.call(ask, caller_callback(answer)) == "answer: well? eigenpal blocking clients"


def test_p5_an_async_callback_that_is_only_reported_to_is_refused(portal: Portal) -> None:
    async def on_progress(number: int) -> None:
        pytest.fail("nobody awaits this")

    with pytest.raises(EigenpalUsageError, match="must be a plain function"):
        portal.call(report_three_times, caller_callback(on_progress))


def test_p5_an_error_in_a_report_cancels_the_work_and_reaches_the_caller(portal: Portal) -> None:
    ended = threading.Event()

    def on_progress(number: int) -> None:
        raise LookupError(number)

    with pytest.raises(LookupError) as caught:
        portal.wait(report_and_go_on_for_ever, caller_callback(on_progress), ended=ended).result()
    assert ended.is_set()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names == ["test_p5_an_error_in_a_report_cancels_the_work_and_reaches_the_caller", "on_progress"]


def test_p5_an_error_in_the_last_report_is_not_lost_although_the_work_succeeds(portal: Portal) -> None:
    async def report_at_the_end(on_progress: Report) -> str:
        on_progress(1)
        return "done"

    def on_progress(number: int) -> None:
        raise LookupError(number)

    with pytest.raises(LookupError):
        portal.call(report_at_the_end, caller_callback(on_progress))


def test_p5_an_error_in_an_awaited_callback_goes_the_way_it_would_in_async_code(portal: Portal) -> None:
    def question(_: str) -> str:
        raise LookupError("no idea")

    assert portal.call(ask_and_handle, caller_callback(question)) == "handled LookupError('no idea')"
    with pytest.raises(LookupError, match="no idea") as caught:
        portal.wait(ask, caller_callback(question)).result()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[1:] == ["ask", "question"]


@pytest.mark.parametrize("ending", [SystemExit(4), KeyboardInterrupt()])
def test_p5_a_callback_may_end_the_program(portal: Portal, ending: BaseException) -> None:
    ended = threading.Event()

    def on_progress(number: int) -> None:
        raise ending

    with pytest.raises(type(ending)) as caught:
        portal.call(report_and_go_on_for_ever, caller_callback(on_progress), ended=ended)
    assert caught.value is ending
    assert ended.is_set()


def test_p5_after_an_error_no_more_reports_are_made(portal: Portal) -> None:
    seen: list[int] = []

    async def report_for_ever(on_progress: Report) -> None:
        while True:
            on_progress(1)
            await anyio.lowlevel.checkpoint()

    def on_progress(number: int) -> None:
        seen.append(number)
        raise LookupError

    with pytest.raises(LookupError):
        portal.call(report_for_ever, caller_callback(on_progress))
    count = len(seen)
    portal.call(one)
    assert len(seen) == count


def test_p5_a_stopiteration_from_a_callback_is_an_error_and_no_end(portal: Portal) -> None:
    def on_progress(number: int) -> None:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        portal.call(report_three_times, caller_callback(on_progress))


def test_p5_callbacks_of_an_iterator_run_while_it_is_waited_for(portal: Portal) -> None:
    seen: list[threading.Thread] = []

    async def iterate(on_progress: Report) -> AsyncIterator[int]:
        for number in range(3):
            on_progress(number)
            yield number

    iterator = portal.iterate(iterate, caller_callback(lambda _: seen.append(threading.current_thread())))
    assert list(iterator) == [0, 1, 2]
    assert seen == [threading.current_thread()] * 3


def test_p5_a_callback_is_refused_when_its_call_is_over(portal: Portal) -> None:
    kept: list[Report] = []

    async def keep(on_progress: Report) -> None:
        kept.append(on_progress)

    async def report_late() -> None:
        kept[0](1)

    portal.call(keep, caller_callback(lambda _: None))
    with pytest.raises(EigenpalUsageError, match="has ended"):
        portal.call(report_late)


def test_p5_reports_may_come_from_worker_threads_of_the_work(portal: Portal) -> None:
    seen: list[threading.Thread] = []

    async def report_from_a_worker(on_progress: Report) -> None:
        await anyio.to_thread.run_sync(on_progress, 1)

    portal.call(report_from_a_worker, caller_callback(lambda _: seen.append(threading.current_thread())))
    assert seen == [threading.current_thread()]


def test_p5_no_callback_stays_no_callback() -> None:
    assert caller_callback(None) is None
