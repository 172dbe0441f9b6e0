"""Blocking iterators over async ones (P4): order, laziness, errors, and that nothing is left running."""

from __future__ import annotations

import gc
import threading
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import pytest

from eigenpal.errors import EigenpalUsageError
from eigenpal_sync._portal import BlockingIterator, Portal
from eigenpal_sync._portal_iterator import MOST_READ_AHEAD


class Numbers:
    """An async generator that keeps books: how far it got, and when it was closed."""

    def __init__(self, stop: int = 10**9, *, error: BaseException | None = None) -> None:
        self.stop = stop
        self.error = error
        self.made = 0
        self.closed = threading.Event()

    async def iterate(self) -> AsyncIterator[int]:
        try:
            with anyio.CancelScope():  # held over `yield`, so only one task may step this
                for number in range(self.stop):
                    await anyio.lowlevel.checkpoint()
                    self.made += 1
                    yield number
                if self.error is not None:
                    raise self.error
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            self.closed.set()


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 1000])
def test_p4_every_item_arrives_once_and_in_order(portal: Portal, count: int) -> None:
    assert list(portal.iterate(Numbers(count).iterate)) == list(range(count))


def test_p4_nothing_happens_before_the_first_item_is_asked_for(portal: Portal) -> None:
    numbers = Numbers(3)
    iterator = portal.iterate(numbers.iterate)
    portal.call(anyio.sleep, 0)
    assert numbers.made == 0
    assert next(iterator) == 0


def test_p4_no_item_is_made_ahead_of_the_first(portal: Portal) -> None:
    numbers = Numbers()
    with portal.iterate(numbers.iterate) as iterator:
        assert next(iterator) == 0
        for _ in range(20):
            portal.call(anyio.sleep, 0)
        assert numbers.made == 1


@pytest.mark.parametrize("taken", [2, 10, 500])
def test_p4_it_reads_ahead_no_more_than_half_of_what_was_taken_and_a_bounded_number(portal: Portal, taken: int) -> None:
    numbers = Numbers()
    with portal.iterate(numbers.iterate) as iterator:
        for _ in range(taken):
            next(iterator)
        for _ in range(200):
            portal.call(anyio.sleep, 0)
        assert numbers.made <= taken + MOST_READ_AHEAD * 2  # one chunk handed over, one waiting
        if taken == 2:
            assert numbers.made <= 3


def test_p4_a_source_with_items_at_hand_gives_them_together_and_is_never_read_ahead(portal: Portal) -> None:
    class Pages:
        def __init__(self) -> None:
            self.fetched = 0
            self.rows: list[int] = []
            self.single_steps = 0

        def __aiter__(self) -> Pages:
            return self

        async def __anext__(self) -> int:
            if not self.rows:
                await anyio.lowlevel.checkpoint()
                self.fetched += 1
                self.rows = [self.fetched * 10 + row for row in range(3)]
            self.single_steps += 1
            return self.rows.pop(0)

        def take_ready(self) -> list[int]:
            rows, self.rows = self.rows, []
            return rows

    pages = Pages()
    iterator = portal.iterate(lambda: pages)
    taken = []
    for expected_pages in (1, 1, 1, 2, 2, 2, 3):
        taken.append(next(iterator))
        for _ in range(5):
            portal.call(anyio.sleep, 0)
        assert pages.fetched == expected_pages
    assert taken == [10, 11, 12, 20, 21, 22, 30]
    assert pages.single_steps == 3  # one hop a page
    iterator.close()


def test_p4_an_error_comes_after_the_items_before_it_and_ends_the_iteration(portal: Portal) -> None:
    numbers = Numbers(40, error=ValueError("no more"))
    iterator = portal.iterate(numbers.iterate)
    seen = []
    with pytest.raises(ValueError, match="no more"):
        for number in iterator:
            seen.append(number)  # noqa: PERF402
    assert seen == list(range(40))
    assert list(iterator) == []


def test_p4_leaving_the_loop_and_dropping_the_iterator_closes_the_generator(portal: Portal) -> None:
    numbers = Numbers()
    for number in portal.iterate(numbers.iterate):
        if number == 5:
            break
    assert numbers.closed.wait(5)


def test_p4_an_iterator_in_a_cycle_is_closed_by_the_garbage_collector(portal: Portal) -> None:
    numbers = Numbers()
    holder: dict[str, object] = {}
    iterator = portal.iterate(numbers.iterate)
    next(iterator)
    holder["self"], holder["iterator"] = holder, iterator
    del holder, iterator
    gc.collect()
    assert numbers.closed.wait(5)


def test_p4_close_returns_when_the_generator_is_closed(portal: Portal) -> None:
    numbers = Numbers()
    iterator = portal.iterate(numbers.iterate)
    next(iterator)
    iterator.close()
    assert numbers.closed.is_set()
    assert list(iterator) == []
    iterator.close()


def test_p4_an_iterator_that_was_never_begun_can_be_closed(portal: Portal) -> None:
    numbers = Numbers()
    with portal.iterate(numbers.iterate) as iterator:
        pass
    assert list(iterator) == []
    assert numbers.made == 0


def test_p4_a_with_block_closes_it(portal: Portal) -> None:
    numbers = Numbers()
    with pytest.raises(KeyError), portal.iterate(numbers.iterate) as iterator:
        raise KeyError(next(iterator))
    assert numbers.closed.is_set()


def test_p4_it_may_be_iterated_in_parts(portal: Portal) -> None:
    iterator = portal.iterate(Numbers(6).iterate)
    assert next(iterator) == 0
    assert [number for number, _ in zip(iterator, range(2), strict=False)] == [1, 2]
    assert list(iterator)[-1] == 5


def test_p4_items_may_be_wrapped_on_their_way(portal: Portal) -> None:
    iterator: BlockingIterator[str] = portal.iterate_as(str, Numbers(40).iterate)
    assert list(iterator) == [str(number) for number in range(40)]


def test_p4_threads_may_share_an_iterator(portal: Portal) -> None:
    iterator = portal.iterate(Numbers(2000).iterate)
    turn = threading.Lock()

    def take(_: int) -> list[int]:
        taken: list[int] = []
        while True:
            with turn:
                number = next(iterator, None)
            if number is None:
                return taken
            taken.append(number)

    with ThreadPoolExecutor(4) as threads:
        taken = [number for numbers in threads.map(take, range(4)) for number in numbers]
    assert sorted(taken) == list(range(2000))


def test_p4_closing_in_another_thread_ends_a_waiting_loop(portal: Portal) -> None:
    asked = threading.Event()

    async def never() -> AsyncIterator[int]:
        asked.set()
        await anyio.sleep_forever()
        yield 1

    iterator = portal.iterate(never)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(list[int], iterator)
        assert asked.wait(5)
        iterator.close()
        assert waiting.result(5) == []


def test_p4_an_iterator_outlives_the_variable_of_its_client() -> None:
    closed = threading.Event()

    async def cleanup() -> None:
        closed.set()

    iterator = Portal(cleanup).iterate(Numbers(100).iterate)
    gc.collect()
    assert next(iterator) == 0
    assert not closed.is_set()
    assert list(iterator) == list(range(1, 100))
    del iterator
    gc.collect()
    assert closed.wait(5)


def test_p4_an_iterator_of_a_closed_client_says_so() -> None:
    portal = Portal()
    begun, unbegun = portal.iterate(Numbers().iterate), portal.iterate(Numbers().iterate)
    next(begun)
    portal.close()
    with pytest.raises(EigenpalUsageError, match="closed while"):
        list(begun)
    with pytest.raises(EigenpalUsageError, match="closed"):
        list(unbegun)


def test_p7_the_traceback_of_a_loop_has_no_frame_of_the_portal(portal: Portal) -> None:
    with pytest.raises(ValueError) as caught:
        for _ in portal.iterate(Failing().iterate):
            pass
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names == ["test_p7_the_traceback_of_a_loop_has_no_frame_of_the_portal", "iterate"]


class Failing:
    async def iterate(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("no")
