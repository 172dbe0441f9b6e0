"""Pages: all items in order, one request for each page and only when it is needed, and never in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.engine.codec import structure
from eigenpal.engine.paging import OffsetPage, Page, PageIterator, Upward
from eigenpal.errors import EigenpalConnectionError, EigenpalDecodeError
from eigenpal.models.runs import RunListItem, RunsPage
from eigenpal.models.workflows import WorkflowsPage, WorkflowSummary

Query = Mapping[str, Any]


def runs_page(*ids: str, next_cursor: str | None = None) -> RunsPage:
    row = {
        "type": "workflow",
        "finished": True,
        "timing": {"createdAt": "2026-06-14T09:30:00Z"},
        "source": {"id": "wf_1"},
        "trigger": {},
        "execution": {"status": "completed"},
    }
    page: RunsPage = structure(RunsPage, {"runs": [{"id": name, **row} for name in ids], "nextCursor": next_cursor})
    return page


def workflows_page(*ids: str, total: int, offset: int, limit: int = 50) -> WorkflowsPage:
    rows = [{"id": name, "createdAt": "2026-06-14T09:30:00Z"} for name in ids]
    page: WorkflowsPage = structure(WorkflowsPage, {"data": rows, "total": total, "limit": limit, "offset": offset})
    return page


@attrs.define
class Cursors:
    """A server whose pages are found by cursor; remembers what it was asked for."""

    pages: Mapping[str | None, RunsPage | Exception]
    asked: list[Query] = attrs.field(factory=list[Query])

    async def fetch(self, query: Query) -> Page[RunListItem]:
        self.asked.append(query)
        await anyio.lowlevel.checkpoint()
        page = self.pages[query["cursor"]]
        if isinstance(page, Exception):
            raise page
        return page

    def iterate(self, **query: Any) -> PageIterator[RunListItem]:
        return PageIterator(self.fetch, {"cursor": None, "offset": None, **query})

    @property
    def cursors(self) -> list[str | None]:
        return [query["cursor"] for query in self.asked]


@attrs.define
class Offsets:
    """A server whose pages are found by offset."""

    names: Sequence[str]
    limit: int
    asked: list[Query] = attrs.field(factory=list[Query])

    async def fetch(self, query: Query) -> Page[WorkflowSummary]:
        self.asked.append(query)
        offset = query["offset"] or 0
        names = self.names[offset : offset + self.limit]
        return workflows_page(*names, total=len(self.names), offset=offset, limit=self.limit)


async def ids(items: PageIterator[Any]) -> list[str]:
    return [item.id async for item in items]


# ---------------------------------------------------------------------------------------------------- cursors


@pytest.mark.anyio
async def test_all_items_of_all_pages_come_in_order_and_every_filter_stays() -> None:
    server = Cursors(
        {None: runs_page("a", "b", next_cursor="2"), "2": runs_page("c", next_cursor="3"), "3": runs_page("d")}
    )
    assert await ids(server.iterate(status="failed", limit=2)) == ["a", "b", "c", "d"]
    assert server.cursors == [None, "2", "3"]
    assert all((query["status"], query["limit"]) == ("failed", 2) for query in server.asked)


@pytest.mark.anyio
async def test_nothing_is_fetched_before_it_is_asked_for_and_one_page_at_a_time() -> None:
    server = Cursors({None: runs_page("a", "b", next_cursor="2"), "2": runs_page("c")})
    runs = server.iterate()
    assert server.asked == []
    assert (await anext(runs)).id == "a"
    assert (await anext(runs)).id == "b"
    assert len(server.asked) == 1
    assert (await anext(runs)).id == "c"
    assert len(server.asked) == 2


@pytest.mark.anyio
async def test_an_empty_page_in_the_middle_is_no_end() -> None:
    pages = {
        None: runs_page(next_cursor="2"),
        "2": runs_page(next_cursor="3"),
        "3": runs_page("a"),
        "never": runs_page(),
    }
    server = Cursors(pages)
    assert await ids(server.iterate()) == ["a"]
    assert server.cursors == [None, "2", "3"]


@pytest.mark.anyio
@pytest.mark.parametrize("last", [None, ""])
async def test_null_and_empty_cursors_end_the_list(last: str | None) -> None:
    server = Cursors({None: runs_page("a", next_cursor=last), "": runs_page("again")})
    runs = server.iterate()
    assert await ids(runs) == ["a"]
    assert await ids(runs) == []
    assert server.cursors == [None]


@pytest.mark.anyio
async def test_iterating_may_begin_in_the_middle() -> None:
    server = Cursors({"2": runs_page("c", next_cursor="3"), "3": runs_page("d")})
    assert await ids(server.iterate(cursor="2")) == ["c", "d"]


@pytest.mark.anyio
async def test_an_offset_to_begin_at_is_not_sent_again_beside_a_cursor() -> None:
    server = Cursors({None: runs_page("c", next_cursor="2"), "2": runs_page("d")})
    assert await ids(server.iterate(offset=100)) == ["c", "d"]
    assert [query["offset"] for query in server.asked] == [100, None]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "pages",
    [
        {None: runs_page("a", next_cursor="2"), "2": runs_page("b", next_cursor="2")},
        {None: runs_page("a", next_cursor="1"), "1": runs_page("b", next_cursor="2"), "2": runs_page(next_cursor="1")},
    ],
    ids=["the same page", "an earlier page"],
)
async def test_pages_that_go_in_a_circle_are_an_error_after_each_was_read_once(
    pages: Mapping[str | None, RunsPage],
) -> None:
    server = Cursors(pages)
    runs = server.iterate()
    read = [(await anext(runs)).id, (await anext(runs)).id]
    with pytest.raises(EigenpalDecodeError, match=r"same place in the list twice \('[12]'\): its pages go in a circle"):
        await anext(runs)
    assert read == ["a", "b"]
    assert len(server.asked) == len(pages)
    with pytest.raises(StopAsyncIteration):
        await anext(runs)


@pytest.mark.anyio
async def test_a_page_that_could_not_be_fetched_may_be_asked_for_again() -> None:
    pages: dict[str | None, RunsPage | Exception] = {None: runs_page("a", next_cursor="2")}
    pages["2"] = EigenpalConnectionError("no answer")
    server = Cursors(pages)
    runs = server.iterate()
    assert (await anext(runs)).id == "a"
    for _ in range(2):
        with pytest.raises(EigenpalConnectionError):
            await anext(runs)
    pages["2"] = runs_page("b")
    assert await ids(runs) == ["b"]


@pytest.mark.anyio
async def test_the_rest_of_a_page_can_be_taken_at_once_and_sends_nothing() -> None:
    server = Cursors({None: runs_page("a", "b", "c", next_cursor="2"), "2": runs_page("d")})
    runs = server.iterate()
    assert runs.take_ready() == []
    await anext(runs)
    assert [run.id for run in runs.take_ready()] == ["b", "c"]
    assert runs.take_ready() == []
    assert len(server.asked) == 1
    assert await ids(runs) == ["d"]


@pytest.mark.anyio
async def test_an_iterator_that_is_left_half_way_needs_no_closing() -> None:
    server = Cursors({None: runs_page("a", "b", next_cursor="2")})
    async for run in server.iterate():
        assert run.id == "a"
        break
    assert len(server.asked) == 1


# ---------------------------------------------------------------------------------------------------- offsets


@pytest.mark.anyio
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_all_items_are_found_by_offset_with_no_request_too_many(count: int, limit: int) -> None:
    server = Offsets([f"wf_{number}" for number in range(count)], limit)
    found = await ids(PageIterator(server.fetch, {"offset": None, "limit": limit}))
    assert found == list(server.names)
    assert [query["offset"] for query in server.asked] == [None, *range(limit, count, limit)]


@pytest.mark.anyio
async def test_a_list_that_shrinks_meanwhile_ends() -> None:
    async def fetch(query: Query) -> Page[WorkflowSummary]:
        if query["offset"] is None:
            return workflows_page("a", "b", total=100, offset=0)
        return workflows_page(total=100, offset=query["offset"])

    assert await ids(PageIterator(fetch, {"offset": None})) == ["a", "b"]


@pytest.mark.anyio
async def test_a_server_that_ignores_the_offset_is_an_error_and_no_endless_loop() -> None:
    async def fetch(_: Query) -> Page[WorkflowSummary]:
        return workflows_page("a", "b", total=100, offset=0)

    with anyio.fail_after(5), pytest.raises(EigenpalDecodeError, match=r"same place in the list twice \(2\)"):
        await ids(PageIterator(fetch, {"offset": None}))


# ---------------------------------------------------------------------------------------------------- one page


def test_a_page_of_runs_is_its_rows() -> None:
    page = runs_page("a", "b", next_cursor="2")
    assert page.items is page.runs
    assert [run.id for run in page] == ["a", "b"]
    assert len(page) == 2
    assert page.has_more
    assert page["items"] == page.runs
    assert page["nextCursor"] == "2"
    assert runs_page().next_query is None


@given(st.integers(0, 5), st.integers(0, 20), st.integers(0, 20))
def test_an_offset_page_has_more_exactly_when_the_total_says_so(rows: int, total: int, offset: int) -> None:
    page = workflows_page(*"abcde"[:rows], total=total, offset=offset)
    assert page.has_more is (rows > 0 and offset + rows < total)
    assert page.next_query == ({"offset": offset + rows, "cursor": None} if page.has_more else None)
    assert len(page) == len(list(page)) == rows


def test_an_empty_page_is_still_an_answer() -> None:
    """`if page:` asks for rows, as with any collection; `page is None` never happens."""
    assert not runs_page()
    assert not workflows_page(total=0, offset=0)
    assert isinstance(workflows_page(total=0, offset=0), OffsetPage)


# ---------------------------------------------------------------------------------------------------- both directions


@attrs.frozen
class Newer:
    """A page of a list that goes on in both directions: a piece of the numbers below `HIGHEST`, newest first."""

    lowest: int
    size: int

    @property
    def items(self) -> list[int]:
        return list(range(min(self.lowest + self.size, HIGHEST) - 1, self.lowest - 1, -1))

    @property
    def newer_query(self) -> Query | None:
        top = self.lowest + self.size
        return {"after": top, "before": None} if top < HIGHEST else None


HIGHEST = 10


@given(lowest=st.integers(0, HIGHEST - 1), size=st.integers(1, HIGHEST + 1))
def test_a_list_is_read_upwards_from_a_cursor_oldest_first(lowest: int, size: int) -> None:
    async def fetch(query: Query) -> Upward[int]:
        return Upward(Newer(query["after"], size))

    async def collect() -> list[int]:
        return [number async for number in PageIterator(fetch, {"after": lowest, "before": None})]

    assert anyio.run(collect) == list(range(lowest, HIGHEST))


@pytest.mark.anyio
async def test_pages_that_go_in_a_circle_upwards_are_found_by_the_names_of_their_own_cursors() -> None:
    @attrs.frozen
    class Circle:
        items: Sequence[int]
        newer_query: Query | None

    async def fetch(query: Query) -> Upward[int]:
        return Upward(Circle([1], {"after": "a" if query["after"] == "b" else "b"}))

    items = PageIterator(fetch, {"after": "a"})
    assert [await anext(items), await anext(items)] == [1, 1]
    with pytest.raises(EigenpalDecodeError, match="'a'"):
        await anext(items)
