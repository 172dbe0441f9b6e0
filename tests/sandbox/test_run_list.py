"""GET /runs: filters, moments, pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigenpal.sandbox import ManualClock, RunContext, Sandbox
from eigenpal.sandbox.grammar import decode_cursor, encode_cursor
from eigenpal.sandbox.problems import Problem
from tests.sandbox.conftest import connect

DAY = 86_400


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Sandbox, dict[str, str]]]:
    """Six runs on six days, each different from the others, and the names they go by."""
    clock = ManualClock()  # 2026-01-01
    with Sandbox(clock=clock, max_running=1000) as sandbox, connect(sandbox) as client:
        sandbox.workflow("tools/good")(lambda context: {})
        sandbox.agent("helper", version="1.0.0")(lambda context: {})

        @sandbox.workflow("bad")
        def bad(context: RunContext) -> None:
            raise ValueError("no")

        @sandbox.workflow("long")
        async def long(context: RunContext) -> None:
            import asyncio

            await asyncio.sleep(600)

        names: dict[str, str] = {}

        def start(name: str, target: str, wait: int = 5, **more: Any) -> None:
            response = client.post("/runs", params={"wait_for_completion": wait, **more}, json={"target": target})
            names[name] = response.json()["id"]
            clock.advance(DAY)

        start("good", "workflows.tools.good")
        start("bad", "workflows.bad")
        start("agent", "agents.helper", version="main")
        client.headers["x-eigenpal-trigger"] = "cli"
        start("cli", "workflows.tools.good")
        del client.headers["x-eigenpal-trigger"]
        start("evaluated", "workflows.tools.good")
        start("long", "workflows.long", wait=0)
        sandbox.annotate(names["evaluated"], batch_id="evb_7", example_id="invoices/acme_1")
        yield sandbox, names


@pytest.fixture
def client(world: tuple[Sandbox, dict[str, str]]) -> Iterator[httpx.Client]:
    with connect(world[0]) as connected:
        yield connected


def listed(client: httpx.Client, world: tuple[Sandbox, dict[str, str]], **params: Any) -> list[str]:
    """Return the names of the runs in a list."""
    by_id = {run_id: name for name, run_id in world[1].items()}
    return [by_id[run["id"]] for run in client.get("/runs", params=params).json()["runs"]]


EVERYTHING = ["long", "evaluated", "cli", "agent", "bad", "good"]


def test_runs_come_newest_first(client: httpx.Client, world: Any) -> None:
    assert listed(client, world) == EVERYTHING


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"type": "agent"}, ["agent"]),
        ({"type": "workflow"}, ["long", "evaluated", "cli", "bad", "good"]),
        ({"source": "tools.good"}, ["evaluated", "cli", "good"]),
        ({"source": "tools/good"}, ["evaluated", "cli", "good"]),
        ({"source": "nothing"}, []),
        ({"status": "failed"}, ["bad"]),
        ({"status": "failed, running"}, ["long", "bad"]),
        ({"status": ["failed", "running"]}, ["long", "bad"]),
        ({"trigger": "cli"}, ["cli"]),
        ({"trigger": "email"}, []),
        ({"triggeredBy": "__system__"}, []),
        ({"triggeredBy": "user_none"}, []),
        ({"sourceRef": "main"}, ["agent"]),
        ({"batchId": "evb_7"}, ["evaluated"]),
        ({"exampleId": "invoices/acme_1"}, ["evaluated"]),
        ({"exampleId": "invoices/acme"}, []),
        ({"exampleIdContains": "acme_"}, ["evaluated"]),
        ({"exampleIdContains": "acm%"}, []),
        ({"from": "2026-01-03T00:00:00Z"}, ["long", "evaluated", "cli", "agent"]),
        ({"to": "2026-01-03T00:00:00Z"}, ["bad", "good"]),
        ({"from": "2026-01-02", "to": "2026-01-04"}, ["agent", "bad"]),
        ({"createdAfter": "2026-01-06T00:00:00.000+00:00"}, ["long"]),
        ({"createdBefore": "2026-01-01T01:00:00+01:00"}, []),
        ({"createdBefore": "2026-01-01T00:00:00.001Z"}, ["good"]),
        ({"completedAfter": "2026-01-04"}, ["evaluated", "cli"]),
        ({"completedBefore": "2026-01-02"}, ["good"]),
        ({"from": "now()-2d"}, ["long", "evaluated"]),
        ({"from": "now()-48h"}, ["long", "evaluated"]),
        ({"from": "now()-1w"}, EVERYTHING),
        ({"to": "now()"}, EVERYTHING),
        ({"to": "now()-7200m"}, ["good"]),
        ({"from": "now()-2d", "to": "now()-86400s"}, ["evaluated"]),
        ({"limit": 2}, ["long", "evaluated"]),
        ({"limit": 2, "offset": 1}, ["evaluated", "cli"]),
        ({"offset": 100}, []),
        ({"type": "", "status": "", "from": ""}, EVERYTHING),
        ({"unknown": "parameter"}, EVERYTHING),
    ],
)
def test_a_filter_keeps_what_fits(client: httpx.Client, world: Any, params: dict[str, Any], names: list[str]) -> None:
    assert listed(client, world, **params) == names


def test_ids_pick_runs_and_a_source_may_be_an_id(client: httpx.Client, world: Any) -> None:
    ids = world[1]
    assert listed(client, world, ids=f"{ids['bad']},{ids['cli']},exec_none") == ["cli", "bad"]
    assert listed(client, world, ids="exec_none") == []
    source = client.get(f"/runs/{ids['good']}").json()["source"]["id"]
    assert listed(client, world, source=source, status="completed") == ["evaluated", "cli", "good"]


def test_the_user_behind_the_key_is_a_filter(client: httpx.Client, world: Any) -> None:
    user = client.get(f"/runs/{world[1]['good']}").json()["trigger"]["by"]["id"]
    assert listed(client, world, triggeredBy=user) == EVERYTHING


def test_rows_have_no_output_and_no_files(client: httpx.Client) -> None:
    for row in client.get("/runs").json()["runs"]:
        assert not row.keys() & {"output", "files"}


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6, 100])
def test_pages_join_to_the_whole_list(client: httpx.Client, world: Any, limit: int) -> None:
    seen: list[str] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        page = client.get("/runs", params=params).json()
        assert len(page["runs"]) <= limit
        seen += [run["id"] for run in page["runs"]]
        if page["nextCursor"] is None:
            break
        params["cursor"] = page["nextCursor"]

    assert seen == [world[1][name] for name in EVERYTHING]


def test_a_cursor_keeps_its_place_while_new_runs_come_in() -> None:
    clock = ManualClock()
    with Sandbox(clock=clock) as sandbox, connect(sandbox) as client:
        first = [client.post("/runs", json={"target": "workflows.extract-invoice"}).json()["id"] for _ in range(4)]
        page = client.get("/runs?limit=2").json()
        for _ in range(3):  # at the very same millisecond
            client.post("/runs", json={"target": "workflows.extract-invoice"})
        rest = client.get("/runs", params={"limit": 10, "cursor": page["nextCursor"], "offset": 1}).json()

    assert [run["id"] for run in page["runs"] + rest["runs"]] == first[::-1]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"cursor": "nonsense"}, "query.cursor"),
        ({"cursor": "ü"}, "query.cursor"),
        ({"cursor": "cnVuOjE="}, "query.cursor"),
        ({"limit": 0}, "query.limit"),
        ({"limit": 101}, "query.limit"),
        ({"limit": "many"}, "query.limit"),
        ({"offset": -1}, "query.offset"),
        ({"offset": "1e3"}, "query.offset"),
        ({"offset": 2**63}, "query.offset"),
        ({"type": "robot"}, "query.type"),
        ({"status": "completed,done"}, "query.status"),
        ({"from": "yesterday"}, "query.from"),
        ({"to": "now()+1d"}, "query.to"),
        ({"createdAfter": "now()-1y"}, "query.createdAfter"),
        ({"createdBefore": "2026-13-01"}, "query.createdBefore"),
        ({"completedAfter": "now()-99999999999999d"}, "query.completedAfter"),
        ({"completedBefore": "now()-999999999d"}, "query.completedBefore"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(client: httpx.Client, params: dict[str, Any], field: str) -> None:
    response = client.get("/runs", params=params)

    assert response.status_code == 400
    assert response.json()["issues"][0]["field"] == field


def test_a_zone_with_an_unencoded_plus_is_understood(client: httpx.Client) -> None:
    assert (
        client.get("/runs?createdBefore=2026-01-02T01:00:00+01:00")
        .json()["runs"][0]["timing"]["createdAt"]
        .startswith("2026-01-01")
    )


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**15))
def test_a_cursor_gives_back_the_place_it_was_made_of(created_at: int, sequence: int) -> None:
    assert decode_cursor(encode_cursor(created_at, sequence)) == (created_at, sequence)


@given(st.text(max_size=40))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(Problem, match="cursor is not valid"):
        decode_cursor(text)
