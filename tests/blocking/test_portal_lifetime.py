"""The life of the loop thread: forgotten clients, the end of the interpreter (P1), forks (P6)."""

from __future__ import annotations

import gc
import os
import threading

import anyio
import anyio.lowlevel
import pytest

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync import _portal_thread
from eigenpal_sync._portal import Portal
from tests.blocking.conftest import StartProgram, loop_threads

FORGOTTEN = {
    "after a call": "portal.call(value)",
    "after work in a worker thread, which idles on": """
async def work():
    await anyio.to_thread.run_sync(len, "")
portal.call(work)
""",
    "with a call in flight": """
started = threading.Event()
async def work():
    started.set()
    await anyio.sleep_forever()
threading.Thread(target=portal.call, args=(work,), daemon=True).start()
started.wait()
""",
    "with an iterator half way": """
async def numbers():
    for number in range(100):
        yield number
iterator = portal.iterate(numbers)
next(iterator)
""",
    "with a context held open": """
from contextlib import asynccontextmanager
@asynccontextmanager
async def door():
    yield
context = portal.enter(door)
context.__enter__()
""",
    "in a reference cycle": """
cycle = {"portal": portal}
cycle["cycle"] = cycle
portal.call(value)
""",
}


@pytest.mark.parametrize("how", FORGOTTEN)
def test_p1_a_forgotten_client_never_hangs_the_end_of_the_interpreter(start_program: StartProgram, how: str) -> None:
    program = start_program(
        f"""
async def cleanup():
    await anyio.sleep(0)
portal = Portal(cleanup)
{FORGOTTEN[how]}
say("the end")
"""
    )
    assert program.rest() == ["the end"]


def test_p1_an_exit_handler_may_use_and_close_the_client(start_program: StartProgram) -> None:
    program = start_program(
        """
import atexit
async def cleanup():
    say("cleaned up")
portal = Portal(cleanup)
portal.call(value)
def at_exit():
    say("at exit", portal.call(value))
    portal.close()
atexit.register(at_exit)
"""
    )
    assert program.rest() == ["at exit 1", "cleaned up"]


def test_p1_an_object_destroyed_at_the_end_may_close_the_client(start_program: StartProgram) -> None:
    program = start_program(
        """
class Holder:
    def __init__(self):
        self.portal = Portal()
        self.portal.call(value)
    def __del__(self):
        try:
            self.portal.call(value)
        except EigenpalUsageError as error:
            os.write(1, f"{error}\\n".encode())
        self.portal.close()
holder = Holder()
sys.holder = holder  # destroyed when next to nothing is left
"""
    )
    assert [line for line in program.rest() if "interpreter is ending" not in line] == []


def test_p1_threads_that_outlive_the_main_thread_go_on_calling(start_program: StartProgram) -> None:
    program = start_program(
        """
portal = Portal()
portal.call(value)
def work():
    threading.main_thread().join()
    for number in range(3):
        say(portal.call(value, number))
    portal.close()
threading.Thread(target=work).start()
"""
    )
    assert program.rest() == ["0", "1", "2"]


def test_p1_a_client_that_is_dropped_cleans_up_and_ends_the_thread() -> None:
    cleaned = threading.Event()

    async def cleanup() -> None:
        await anyio.lowlevel.checkpoint()
        cleaned.set()

    portal = Portal(cleanup)
    portal.call(anyio.lowlevel.checkpoint)
    (thread,) = loop_threads()
    del portal
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()
    assert cleaned.is_set()


def test_p1_a_cleanup_that_fails_or_hangs_keeps_no_thread_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_portal_thread, "GOODBYE_SECONDS", 0.05)
    portal = Portal(anyio.sleep_forever)
    portal.call(anyio.lowlevel.checkpoint)
    (thread,) = loop_threads()
    del portal
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_p1_a_dropped_client_leaves_the_thread_to_others(portal: Portal) -> None:
    portal.call(anyio.lowlevel.checkpoint)
    for _ in range(20):
        dropped = Portal()
        dropped.call(anyio.lowlevel.checkpoint)
        del dropped
    gc.collect()
    portal.call(anyio.lowlevel.checkpoint)
    assert len(loop_threads()) == 1


def test_p1_clients_that_come_and_go_in_many_threads_share_and_end_the_thread() -> None:
    def come_and_go() -> None:
        for _ in range(20):
            portal = Portal()
            portal.call(anyio.lowlevel.checkpoint)
            portal.close()

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loop_threads() == []


def test_p1_a_loop_that_can_not_start_says_why_and_the_next_try_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more_files(*_: object, **__: object) -> None:
        raise OSError("too many open files")

    portal = Portal()
    with monkeypatch.context() as patch:
        patch.setattr(anyio, "run", no_more_files)
        with pytest.raises(OSError, match="too many open files"):
            portal.call(anyio.lowlevel.checkpoint)
    portal.call(anyio.lowlevel.checkpoint)
    portal.close()


def test_p1_a_thread_that_can_not_start_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_threads(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", no_threads)
    with pytest.raises(EigenpalUsageError, match="the interpreter is ending"):
        Portal().call(anyio.lowlevel.checkpoint)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
# Python 3.12 and later warn that forking with threads is risky; these tests are about what the risk is.
FORKING = ("-W", "ignore::DeprecationWarning")


@needs_fork
def test_p6_a_forked_child_has_a_loop_of_its_own_and_the_parent_keeps_its(start_program: StartProgram) -> None:
    program = start_program(
        """
async def cleanup():
    say("cleaned up in", "parent" if child else "child")
portal = Portal(cleanup)
portal.call(value)
child = os.fork()
if not child:
    say("child", portal.call(value, 2))
    portal.close()
    os._exit(0)
os.waitpid(child, 0)
say("parent", portal.call(value, 1))
portal.close()
""",
        *FORKING,
    )
    assert program.rest() == ["child 2", "cleaned up in child", "parent 1", "cleaned up in parent"]


@needs_fork
def test_p6_a_child_does_not_wait_for_a_lock_that_its_parent_held(start_program: StartProgram) -> None:
    program = start_program(
        """
from eigenpal_sync import _portal_thread
portal = Portal()
portal.call(value)
held, release = threading.Event(), threading.Event()
def hold():
    with _portal_thread.lock():
        held.set()
        release.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if not child:
    say("child", portal.call(value, 2))
    portal.close()
    os._exit(0)
os.waitpid(child, 0)
release.set()
portal.close()
""",
        *FORKING,
    )
    assert program.rest() == ["child 2"]


@needs_fork
def test_p6_what_was_begun_before_a_fork_is_refused_in_the_child(start_program: StartProgram) -> None:
    program = start_program(
        """
from contextlib import asynccontextmanager
async def numbers():
    for number in range(3):
        yield number
@asynccontextmanager
async def door():
    yield
portal = Portal()
iterator = portal.iterate(numbers)
say(next(iterator))
context = portal.enter(door)
context.__enter__()
child = os.fork()
if not child:
    for attempt in (lambda: next(iterator), lambda: context.__exit__(None, None, None)):
        try:
            attempt()
        except EigenpalUsageError as error:
            say("child:", str(error).split(",")[0])
    iterator.close()
    os._exit(0)
os.waitpid(child, 0)
say(list(iterator))
context.__exit__(None, None, None)
portal.close()
""",
        *FORKING,
    )
    assert program.rest() == ["0", *["child: This was begun before a fork"] * 2, "[1, 2]"]


@needs_fork
def test_p6_a_child_that_forgets_its_client_ends_too(start_program: StartProgram) -> None:
    program = start_program(
        """
portal = Portal()
portal.call(value)
child = os.fork()
if not child:
    portal.call(value)
    sys.exit(7)
say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
        *FORKING,
    )
    assert program.rest() == ["7"]


@needs_fork
def test_p6_multiprocessing_workers_use_the_client_they_inherit(start_program: StartProgram) -> None:
    program = start_program(
        """
import multiprocessing
portal = Portal()
portal.call(value)
def work(number):
    return portal.call(value, number)
with multiprocessing.get_context("fork").Pool(2) as pool:
    say(pool.map(work, range(4)))
portal.close()
""",
        *FORKING,
    )
    assert program.rest() == ["[0, 1, 2, 3]"]
