"""Ctrl-C (P2): the work is cancelled and has cleaned up before KeyboardInterrupt reaches the caller; never a hang."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from eigenpal_sync import _portal_work
from eigenpal_sync._portal import Portal, caller_callback
from tests.blocking.conftest import StartProgram, loop_threads

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a test can't press Ctrl-C on Windows")

WORK_THAT_CLEANS_UP = """
async def work():
    try:
        say("started")
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.05)
            say("cleaned up")
"""


class Interrupted(BaseException):
    """What the signal handler of these tests raises; the portal treats whatever interrupts a wait alike."""


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """A function that interrupts the main thread, from any thread."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, handler)
    main = threading.main_thread().ident
    assert main is not None
    yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_p2_ctrl_c_cancels_the_work_which_cleans_up_first(start_program: StartProgram) -> None:
    program = start_program(
        WORK_THAT_CLEANS_UP
        + """
portal = Portal()
try:
    portal.call(work)
except KeyboardInterrupt:
    say("interrupted")
say("still usable", portal.call(value))
portal.close()
"""
    )
    assert program.line() == "started"
    program.interrupt()
    assert program.rest() == ["cleaned up", "interrupted", "still usable 1"]


def test_p2_ctrl_c_in_a_loop_closes_the_async_iterator(start_program: StartProgram) -> None:
    program = start_program(
        """
async def numbers():
    try:
        yield 1
        say("waiting")
        await anyio.sleep_forever()
    finally:
        say("closed")

portal = Portal()
try:
    for number in portal.iterate(numbers):
        pass
except KeyboardInterrupt:
    say("interrupted")
portal.close()
"""
    )
    assert program.line() == "waiting"
    program.interrupt()
    assert program.rest() == ["closed", "interrupted"]


def test_p2_ctrl_c_in_a_with_block_leaves_the_context(start_program: StartProgram) -> None:
    program = start_program(
        """
from contextlib import asynccontextmanager

@asynccontextmanager
async def door():
    try:
        yield
    except BaseException as error:
        say("left with", type(error).__name__)
        raise

portal = Portal()
try:
    with portal.enter(door):
        say("inside")
        time.sleep(60)
except KeyboardInterrupt:
    say("interrupted")
portal.close()
"""
    )
    assert program.line() == "inside"
    program.interrupt()
    assert program.rest() == ["left with KeyboardInterrupt", "interrupted"]


def test_p2_a_second_ctrl_c_does_not_wait_for_cleaning_up(start_program: StartProgram) -> None:
    program = start_program(
        """
async def work():
    try:
        say("started")
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            say("cleaning up")
            await anyio.sleep_forever()

portal = Portal()
began = time.monotonic()
try:
    portal.call(work)
except KeyboardInterrupt:
    say("interrupted", time.monotonic() - began < 4)
os._exit(0)
"""
    )
    assert program.line() == "started"
    program.interrupt()
    assert program.line() == "cleaning up"
    program.interrupt()
    assert program.rest() == ["interrupted True"]


def test_p2_ctrl_c_leaves_the_calls_of_other_threads_alone(start_program: StartProgram) -> None:
    program = start_program(
        WORK_THAT_CLEANS_UP
        + """
portal = Portal()
release = threading.Event()

async def other():
    say("other", await anyio.to_thread.run_sync(release.wait))

thread = threading.Thread(target=portal.call, args=(other,))
thread.start()
try:
    portal.call(work)
except KeyboardInterrupt:
    release.set()
thread.join()
portal.close()
"""
    )
    assert program.line() == "started"
    program.interrupt()
    assert program.rest() == ["cleaned up", "other True"]


def test_p2_a_program_that_does_not_catch_it_ends_with_it(start_program: StartProgram) -> None:
    program = start_program(WORK_THAT_CLEANS_UP + "Portal().call(work)")
    assert program.line() == "started"
    program.interrupt()
    out, err = program.process.communicate(timeout=20)
    assert out.splitlines() == ["cleaned up"]
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert program.process.returncode == -signal.SIGINT


def test_p2_the_wait_for_cleaning_up_is_bounded(
    portal: Portal, interrupt: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_portal_work, "GOODBYE_SECONDS", 0.05)
    release = anyio.Event()

    async def stubborn() -> None:
        interrupt()
        with anyio.CancelScope(shield=True):
            await release.wait()

    began = time.monotonic()
    with pytest.raises(Interrupted):
        portal.call(stubborn)
    assert time.monotonic() - began < 4
    portal.call(_set, release)


async def _set(event: anyio.Event) -> None:
    event.set()


def test_p2_work_that_is_cancelled_before_its_first_step_never_begins(
    portal: Portal, interrupt: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_is_held, release_loop = threading.Event(), threading.Event()
    begun: list[str] = []

    async def hold_the_loop() -> None:
        loop_is_held.set()
        release_loop.wait()

    async def work() -> None:
        begun.append("work")

    cancel = _portal_work.Work.cancel

    def cancel_and_release(self: _portal_work.Work[object]) -> None:
        cancel(self)
        release_loop.set()

    monkeypatch.setattr(_portal_work.Work, "cancel", cancel_and_release)
    with ThreadPoolExecutor(2) as threads:
        holding = threads.submit(portal.call, hold_the_loop)
        assert loop_is_held.wait(5)

        def interrupt_when_handed_over() -> None:
            while len(portal._thread.loop._ready) < 1:  # type: ignore[union-attr]
                time.sleep(0.001)
            interrupt()

        interrupting = threads.submit(interrupt_when_handed_over)
        with pytest.raises(Interrupted):
            portal.call(work)
        holding.result(5)
        interrupting.result(5)
    assert begun == []


def test_p2_an_interrupt_while_the_thread_starts_leaves_no_thread_and_a_usable_client(
    portal: Portal, interrupt: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted = threading.Event()
    run = anyio.run

    def interrupt_and_run(*arguments: Any, **options: Any) -> Any:
        interrupt()
        interrupted.wait()
        return run(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(anyio, "run", interrupt_and_run)
        with pytest.raises(Interrupted):
            portal.call(anyio.lowlevel.checkpoint)
        interrupted.set()
        for thread in loop_threads():
            thread.join(5)
        assert loop_threads() == []
    portal.call(anyio.lowlevel.checkpoint)


def test_p2_an_interrupt_while_a_callback_runs_cancels_the_work(portal: Portal, interrupt: Callable[[], None]) -> None:
    ended = threading.Event()

    async def work(on_progress: Callable[[int], object]) -> None:
        try:
            on_progress(1)
            await anyio.sleep_forever()
        finally:
            ended.set()

    with pytest.raises(Interrupted):
        portal.call(work, caller_callback(lambda _: interrupt()))
    assert ended.is_set()


def test_p2_an_awaited_callback_that_nobody_carries_out_any_more_is_cancelled(
    portal: Portal, interrupt: Callable[[], None]
) -> None:
    ended = threading.Event()

    async def work(question: Callable[[], object]) -> None:
        try:
            interrupt()
            await anyio.sleep_forever()
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await question()  # type: ignore[misc]
            finally:
                ended.set()

    with pytest.raises(Interrupted):
        portal.call(work, caller_callback(lambda: pytest.fail("the caller is gone")))
    assert ended.is_set()


def test_p2_waiting_in_slices_loses_nothing(
    portal: Portal, interrupt: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows can't interrupt a wait, so it waits in slices; the same code must work everywhere."""
    monkeypatch.setattr(_portal_work, "SLICE_SECONDS", 0.005)
    ended = threading.Event()

    async def slow() -> str:
        await anyio.sleep(0.03)
        return "slow"

    async def work() -> None:
        try:
            interrupt()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.03)
            ended.set()

    assert portal.call(slow) == "slow"
    with pytest.raises(Interrupted):
        portal.call(work)
    assert ended.is_set()


def test_p2_no_interrupt_hangs_or_leaves_work_running_wherever_it_strikes(
    portal: Portal, interrupt: Callable[[], None]
) -> None:
    """A thread interrupts the caller at arbitrary points of many calls."""
    running = 0
    stop = threading.Event()

    async def work() -> None:
        nonlocal running
        running += 1
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            running -= 1

    async def numbers() -> AsyncIterator[int]:
        nonlocal running
        running += 1
        try:
            for number in range(3):
                await anyio.lowlevel.checkpoint()
                yield number
        finally:
            running -= 1

    def strike() -> None:
        while not stop.wait(0.0007):
            interrupt()

    striker = threading.Thread(target=strike)
    struck = 0
    began = time.monotonic()
    try:
        striker.start()
        while struck < 60 and time.monotonic() - began < 30:
            try:
                portal.call(work)
                list(portal.iterate(numbers))
            except Interrupted:
                struck += 1
    except Interrupted:
        struck += 1
    finally:
        _calmly(stop.set)
        _calmly(striker.join)
    assert struck
    portal.call(anyio.sleep, 0.01)  # iterators dropped by an interrupt are closed in the loop's own time
    assert running == 0


def _calmly(function: Callable[[], object]) -> None:
    """Call a function until no interrupt gets in its way."""
    while True:
        try:
            function()
        except Interrupted:
            continue
        return


def test_p7_the_traceback_of_an_interrupt_has_no_frame_of_the_portal(
    portal: Portal, interrupt: Callable[[], None]
) -> None:
    async def work() -> None:
        interrupt()
        await anyio.sleep_forever()

    with pytest.raises(Interrupted) as caught:
        portal.wait(work).result()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names == ["test_p7_the_traceback_of_an_interrupt_has_no_frame_of_the_portal", "handler"]
