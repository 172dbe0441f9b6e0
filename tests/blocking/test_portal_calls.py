"""Calls through the portal: values, errors, context, threads (P3, P7), and where a call is out of place (P6)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
import traceback
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import pytest
import sniffio

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync import _portal
from eigenpal_sync._portal import Call, EigenpalAsyncUsageWarning, Portal

place = contextvars.ContextVar("place", default="nowhere")


async def add(left: int, right: int = 0) -> int:
    await anyio.lowlevel.checkpoint()
    return left + right


async def fail(error: BaseException) -> None:
    await anyio.lowlevel.checkpoint()
    raise error


async def fail_in_a_task_group(error: BaseException) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(fail, error)


def frames(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.fixture
def _unwarned(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not been warned yet."""
    monkeypatch.setattr(_portal._Surroundings, "warned", False)


def test_a_call_returns_what_the_coroutine_returns(portal: Portal) -> None:
    assert portal.call(add, 1, right=2) == 3
    assert portal.wait(add, 1).result() == 1


def test_a_call_raises_what_the_coroutine_raises(portal: Portal) -> None:
    error = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        portal.call(fail, error)
    assert caught.value is error


def test_a_wrong_argument_is_the_error_python_gives(portal: Portal) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
        portal.call(add, 1, wrong=2)  # type: ignore[call-arg]


def test_the_loop_is_an_anyio_run_on_asyncio(portal: Portal) -> None:
    async def look() -> tuple[str, str]:
        await anyio.to_thread.run_sync(int)
        return sniffio.current_async_library(), type(asyncio.get_running_loop()).__mro__[1].__module__.split(".")[0]

    assert portal.call(look) == ("asyncio", "asyncio")


def test_context_variables_of_the_caller_are_seen_inside_and_not_changed_outside(portal: Portal) -> None:
    async def read_and_set() -> str:
        seen = place.get()
        place.set("inside")
        return seen

    token = place.set("outside")
    assert portal.call(read_and_set) == "outside"
    assert place.get() == "outside"
    place.reset(token)


def test_many_threads_call_at_once(portal: Portal) -> None:
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda number: portal.call(add, number, 1), range(800))) == list(range(1, 801))


def test_p1_all_portals_share_one_thread_that_ends_with_the_last(portal: Portal) -> None:
    other = Portal()
    inside = {portal.call(_thread), other.call(_thread)}
    assert len(inside) == 1
    portal.close()
    assert other.call(_thread) in inside
    other.close()
    assert not inside.pop().is_alive()


def test_p1_a_portal_that_is_never_used_starts_nothing() -> None:
    before = threading.active_count()
    Portal().close()
    assert threading.active_count() == before


async def _thread() -> threading.Thread:
    return threading.current_thread()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("inside")])
@pytest.mark.parametrize("raising", [fail, fail_in_a_task_group])
def test_p3_what_ends_a_program_is_raised_at_its_caller_and_the_loop_lives_on(
    portal: Portal, error: BaseException, raising: object
) -> None:
    released = threading.Event()

    async def wait_for_the_other() -> str:
        await anyio.to_thread.run_sync(released.wait)
        return "undisturbed"

    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(portal.call, wait_for_the_other)
        with pytest.raises(type(error)) as caught:
            portal.call(raising, error)  # type: ignore[arg-type]
        assert caught.value is error
        released.set()
        assert other.result() == "undisturbed"


def test_p3_many_ends_in_tasks_nobody_waits_for_leave_the_loop_running(portal: Portal) -> None:
    async def start_tasks_that_exit() -> None:
        tasks = [asyncio.create_task(fail(SystemExit(number))) for number in range(3)]
        for task in tasks:
            with pytest.raises(SystemExit):
                await task

    portal.call(start_tasks_that_exit)
    assert portal.call(add, 1) == 1


def test_p6_a_call_from_inside_the_loop_is_refused_with_advice(portal: Portal) -> None:
    async def call_back() -> None:
        portal.call(add, 1)

    with pytest.raises(EigenpalUsageError, match="await the async client instead"):
        portal.call(call_back)


def test_p6_closing_from_inside_the_loop_is_refused_and_closes_nothing(portal: Portal) -> None:
    async def close() -> None:
        portal.close()

    with pytest.raises(EigenpalUsageError, match="inside the event loop"):
        portal.call(close)
    assert portal.call(add, 1) == 1


@pytest.mark.anyio
@pytest.mark.usefixtures("_unwarned")
async def test_p6_a_call_under_a_running_loop_works_and_warns_once_at_the_users_line() -> None:
    with Closing(Portal()) as portal:
        with pytest.warns(EigenpalAsyncUsageWarning, match=r"await add\(") as caught:
            assert portal.call(add, 1) == 1
        assert [str(warning.filename) for warning in caught] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert portal.call(add, 2) == 2


@pytest.mark.anyio
@pytest.mark.usefixtures("_unwarned")
async def test_p6_a_notebook_is_not_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = object  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "IPython", ipython)
    with Closing(Portal()) as portal:
        assert portal.call(add, 1) == 1


@pytest.mark.anyio
@pytest.mark.usefixtures("_unwarned")
async def test_p6_work_called_under_trio_knows_that_it_runs_on_asyncio() -> None:
    async def library() -> str:
        await anyio.lowlevel.checkpoint()
        return sniffio.current_async_library()

    with Closing(Portal()) as portal, pytest.warns(EigenpalAsyncUsageWarning):
        assert portal.call(library) == "asyncio"


def test_p7_a_traceback_goes_from_the_users_line_to_the_async_code(portal: Portal) -> None:
    def generated_method() -> None:
        portal.wait(fail, ValueError()).result()

    with pytest.raises(ValueError) as caught:
        generated_method()
    here = "test_p7_a_traceback_goes_from_the_users_line_to_the_async_code"
    assert frames(caught.value) == [here, "generated_method", "fail"]


def test_p7_debugging_shows_the_portal_too(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIGENPAL_DEBUG", "1")
    with pytest.raises(ValueError) as caught:
        portal.call(fail, ValueError())
    assert "_run" in frames(caught.value)


def test_p7_an_error_leaves_no_garbage_of_the_call_behind(portal: Portal) -> None:
    async def fail_afresh() -> None:
        await anyio.lowlevel.checkpoint()
        raise ValueError

    portal.call(add, 1)
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            portal.call(fail_afresh)
        portal.call(add, 1)  # of this one the loop may still hold on to something
        calls = [thing for thing in gc.get_objects() if isinstance(thing, Call)]
        assert [call for call in calls if call._function.func is fail_afresh] == []
    finally:
        gc.enable()


def test_a_cancelled_error_of_the_users_own_comes_back_as_it_is(portal: Portal) -> None:
    with pytest.raises(asyncio.CancelledError):
        portal.call(fail, asyncio.CancelledError())


def test_use_after_close_is_refused_and_closing_twice_is_fine(portal: Portal) -> None:
    portal.call(add, 1)
    portal.close()
    portal.close()
    with pytest.raises(EigenpalUsageError, match="closed"):
        portal.call(add, 1)


def test_closing_awaits_the_cleanup_and_raises_its_error() -> None:
    done: list[str] = []

    async def cleanup() -> None:
        await anyio.lowlevel.checkpoint()
        done.append("cleaned up")
        raise OSError("while closing")

    portal = Portal(cleanup)
    portal.call(add, 1)
    with pytest.raises(OSError, match="while closing"):
        portal.close()
    assert done == ["cleaned up"]
    portal.close()
    assert done == ["cleaned up"]


def test_a_call_that_runs_while_the_last_client_closes_ends_with_an_error_that_says_so() -> None:
    portal = Portal()
    started = threading.Event()

    async def work() -> None:
        started.set()
        await anyio.sleep_forever()

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(portal.call, work)
        assert started.wait(5)
        portal.close()
        with pytest.raises(EigenpalUsageError, match="closed while this call was running"):
            running.result(5)


def test_calls_that_race_with_closing_all_end() -> None:
    for _ in range(50):
        portal = Portal()
        portal.call(add, 1)
        with ThreadPoolExecutor(4) as threads:
            racing = [threads.submit(portal.call, add, 1) for _ in range(4)]
            portal.close()
        for call in racing:
            assert isinstance(call.exception(5), EigenpalUsageError | None)


def test_a_portal_says_that_it_is_not_picklable(portal: Portal) -> None:
    with pytest.raises(TypeError, match="can't be pickled"):
        portal.__reduce__()


class Closing:
    """Closes a portal from wherever the test is, a running loop too."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def __enter__(self) -> Portal:
        return self._portal

    def __exit__(self, *_: object) -> None:
        self._portal.close()
