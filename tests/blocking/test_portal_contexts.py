"""Blocking context managers over async ones (P4): one task enters and leaves, and errors go both ways."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync._portal import Portal


class Door:
    """An async context manager that keeps books and holds a task group, which one task must enter and leave."""

    def __init__(self, *, swallow: type[BaseException] | None = None) -> None:
        self.swallow = swallow
        self.seen: BaseException | None = None
        self.left = threading.Event()

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[str]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            try:
                yield name
            except BaseException as error:
                self.seen = error
                if self.swallow is None or not isinstance(error, self.swallow):
                    raise
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
                self.left.set()


class PlainDoor:
    """The same with methods: it hands the error of the block on, or not."""

    def __init__(self, *, swallow: bool) -> None:
        self.swallow = swallow

    async def __aenter__(self) -> int:
        return 1

    async def __aexit__(self, *details: object) -> bool:
        await anyio.lowlevel.checkpoint()
        return self.swallow


def test_p4_a_with_block_enters_and_leaves_in_one_task(portal: Portal) -> None:
    door = Door()
    with portal.enter(door.open, "front") as name:
        assert name == "front"
        assert not door.left.is_set()
    assert door.left.is_set()


def test_p4_the_value_may_be_wrapped_on_its_way(portal: Portal) -> None:
    with portal.enter_as(str.upper, Door().open, "front") as name:
        assert name == "FRONT"


def test_p4_the_manager_sees_the_error_of_the_block_which_goes_on(portal: Portal) -> None:
    error = ValueError("in the block")
    with pytest.raises(ValueError) as caught, portal.enter(lambda: PlainDoor(swallow=False)):
        raise error
    assert caught.value is error
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_next is None


def test_p4_the_manager_may_swallow_the_error_of_the_block(portal: Portal) -> None:
    with portal.enter(lambda: PlainDoor(swallow=True)):
        raise ValueError("swallowed")


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), SystemExit(2)])
def test_p4_a_manager_that_holds_a_task_group_sees_the_error_too(portal: Portal, error: BaseException) -> None:
    door = Door(swallow=type(error))
    with portal.enter(door.open, "front"):
        raise error
    assert door.seen is error


def test_p4_an_error_while_entering_is_raised_by_the_with_line(portal: Portal) -> None:
    unlocked = False

    @asynccontextmanager
    async def locked() -> AsyncIterator[None]:
        await anyio.lowlevel.checkpoint()
        if not unlocked:
            raise PermissionError("locked")
        yield

    with pytest.raises(PermissionError, match="locked"), portal.enter(locked):
        pytest.fail("the block must not run")


def test_p4_an_error_while_leaving_is_raised_at_the_end_of_the_block(portal: Portal) -> None:
    @asynccontextmanager
    async def stuck() -> AsyncIterator[None]:
        yield
        await anyio.lowlevel.checkpoint()
        raise OSError("stuck")

    with pytest.raises(OSError, match="stuck"), portal.enter(stuck):
        pass


def test_p4_calls_work_inside_the_block(portal: Portal) -> None:
    async def one() -> int:
        return 1

    with portal.enter(Door().open, "front"), portal.enter(Door().open, "back"):
        assert portal.call(one) == 1


def test_p4_it_can_be_entered_once(portal: Portal) -> None:
    context = portal.enter(Door().open, "front")
    with context:
        pass
    with pytest.raises(EigenpalUsageError, match="entered once"), context:
        pass


def test_p4_one_that_is_forgotten_after_entering_is_left(portal: Portal) -> None:
    door = Door()
    context = portal.enter(door.open, "front")
    context.__enter__()
    del context
    gc.collect()
    assert door.left.wait(5)


def test_p4_closing_the_client_inside_the_block_leaves_and_says_so() -> None:
    portal = Portal()
    door = Door()
    with pytest.raises(EigenpalUsageError, match="closed while"), portal.enter(door.open, "front"):
        portal.close()
        assert door.left.is_set()
