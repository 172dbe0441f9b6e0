"""What goes over the wire: paths, queries, headers and bodies as the API's document has them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eigenpal._version import __version__
from eigenpal.client import AsyncEigenpalClient
from eigenpal.errors import EigenpalInputError, EigenpalValidationError
from eigenpal.resources.starting import FileReference
from eigenpal.sandbox import Sandbox
from tests.client.conftest import KEY, Connect, one_wire, posts, session_of
from tests.scripted_server import Peer, RawRequest, scripted_server

pytestmark = pytest.mark.anyio

RECEIPT = b'{"id": "exec_1", "type": "workflow", "finished": false}'


async def sent(connect: Connect, call: Any, *, prefix: str = "", body: bytes = b"{}", **options: Any) -> RawRequest:
    """Return the one request that a call sends."""

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(body)

    with scripted_server(script) as server:
        async with connect(server.url + prefix, **options) as client:
            await call(client)
        [request] = server.requests
        return request


def values_of(request: RawRequest, name: str) -> list[str]:
    """Return every value that a header was sent with."""
    lines = [line.partition(": ") for line in request.head.decode().split("\r\n")]
    return [value for found, _, value in lines if found.lower() == name]


async def test_every_request_says_who_asks_and_with_which_key(connect: Connect) -> None:
    request = await sent(connect, lambda client: client.request("GET", "/x"), trigger="cli")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "application/json"
    assert set(request.headers["accept-encoding"].split(", ")) == {"gzip", "deflate"}
    assert request.headers["x-eigenpal-sdk"] == "python"
    assert request.headers["x-eigenpal-sdk-version"] == __version__
    assert re.fullmatch(r"(python|pypy)-3\.\d+\.\d+\S*", request.headers["x-eigenpal-sdk-runtime"])
    assert "-" in request.headers["x-eigenpal-sdk-os"]
    assert request.headers["user-agent"].startswith(f"eigenpal-async-python/{__version__} ")
    assert request.headers["x-eigenpal-retry-count"] == "0"
    assert request.headers["x-eigenpal-trigger"] == "cli"
    assert "content-type" not in request.headers
    names = [line.partition(":")[0].lower() for line in request.head.decode().split("\r\n")[1:-2]]
    assert len(names) == len(set(names)), "no header is sent twice"


async def test_headers_of_the_user_replace_ours_whatever_their_case(connect: Connect) -> None:
    given = {
        "user-agent": "mine/1",
        "ACCEPT": "application/vnd.x+json",
        "x-extra": " spaced ",
        "Content-type": "text/x",
    }
    request = await sent(connect, lambda client: client.request("POST", "/x", json={}), default_headers=given)
    assert values_of(request, "user-agent") == ["mine/1"]
    assert values_of(request, "accept") == ["application/vnd.x+json"]
    assert values_of(request, "x-extra") == ["spaced"]
    assert values_of(request, "content-type") == ["application/json"]


async def test_clients_of_a_client_add_headers_to_its_own(connect: Connect) -> None:
    def call(client: AsyncEigenpalClient) -> Any:
        return client.with_options(default_headers={"x-a": "3", "x-c": "4"}).request("GET", "/x")

    request = await sent(connect, call, default_headers={"X-A": "1", "X-B": "2"})
    assert [request.headers.get(name) for name in ("x-a", "x-b", "x-c")] == ["3", "2", "4"]
    assert len(values_of(request, "x-a")) == 1


@pytest.mark.parametrize("prefix", ["", "/", "/prefix", "/prefix/"])
async def test_a_base_url_may_have_a_prefix_and_a_slash(connect: Connect, prefix: str) -> None:
    request = await sent(connect, lambda client: client.request("GET", "/api/v1/x"), prefix=prefix)
    assert request.line == f"GET {prefix.rstrip('/')}/api/v1/x HTTP/1.1"


async def test_a_start_is_one_json_envelope(connect: Connect) -> None:
    request = await sent(
        connect,
        lambda client: client.run(
            {"type": "workflow", "slug": "extract-invoice"},
            {"text": "é\u2028", "when": datetime(2026, 1, 2, tzinfo=UTC), "none": None},
            version="1.2.3",
            wait_for_completion=0,
            files={"a": {"fileId": "file_1"}, "b": [FileReference(file_id="file_2", filename="x.pdf")]},
            overrides={"steps": {"ocr": {"text": "x"}}},
            metadata={"k": 1},
        ),
        body=RECEIPT,
    )
    assert request.line == "POST /api/v1/runs?version=1.2.3&wait_for_completion=0 HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "target": "workflows.extract-invoice",
        "input": {"text": "é\u2028", "when": "2026-01-02T00:00:00Z", "none": None},
        "files": {"a": {"fileId": "file_1"}, "b": [{"fileId": "file_2", "filename": "x.pdf"}]},
        "overrides": {"steps": {"ocr": {"text": "x"}}},
        "metadata": {"k": 1},
    }


async def test_a_start_without_anything_sends_its_target_and_no_nulls(connect: Connect) -> None:
    request = await sent(connect, lambda client: client.run("agents.writer"), body=RECEIPT)
    assert request.line == "POST /api/v1/runs HTTP/1.1"
    assert json.loads(request.body) == {"target": "agents.writer", "input": {}}


@pytest.mark.parametrize(
    ("target", "version", "name", "query"),
    [
        ("workflows.a@1.2.3", None, "workflows.a", "?version=1.2.3"),
        ("workflows.a@latest", None, "workflows.a", ""),
        ("workflows.a@1.2.3", "1.2.3", "workflows.a", "?version=1.2.3"),
        ("workflows.folder/a", None, "workflows.folder.a", ""),
        ({"type": "agent", "slug": "b", "version": "main"}, None, "agents.b", "?version=main"),
        ({"type": "workflow", "id": "wf_1"}, "2.0.0", "workflows.wf_1", "?version=2.0.0"),
    ],
)
async def test_targets_and_versions(connect: Connect, target: Any, version: str | None, name: str, query: str) -> None:
    request = await sent(connect, lambda client: client.run(target, version=version), body=RECEIPT)
    assert request.target == f"/api/v1/runs{query}"
    assert json.loads(request.body)["target"] == name


@pytest.mark.parametrize("target", ["a", "workflows.", "agents.a.b@", "a@b@c", "", 7, {"type": "x", "slug": "a"}, {}])
@one_wire
async def test_a_target_that_is_none_is_refused(sandbox: Sandbox, connect: Connect, target: Any) -> None:
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalInputError):
            await client.run(target)
        with pytest.raises(EigenpalInputError, match="version"):
            await client.run("workflows.a@1.0.0", version="2.0.0")
    assert list(sandbox.requests) == []


@pytest.mark.parametrize("seconds", [-1, 601, 1.5, True, "5"])
@one_wire
async def test_a_hold_the_service_would_refuse_is_refused_here(
    sandbox: Sandbox, connect: Connect, seconds: Any
) -> None:
    async with connect(sandbox.url) as client:
        with pytest.raises(EigenpalInputError, match="wait_for_completion"):
            await client.run("workflows.echo", wait_for_completion=seconds)
        with pytest.raises(EigenpalInputError, match="wait_for_completion"):
            await client.runs.rerun("exec_1", wait_for_completion=seconds)
    assert list(sandbox.requests) == []


async def test_a_rerun_has_no_body_and_says_so(connect: Connect) -> None:
    request = await sent(
        connect,
        lambda client: client.rerun("exec_1", version="original", wait_for_completion=1),
        body=RECEIPT,
    )
    assert request.line == "POST /api/v1/runs/exec_1/rerun?version=original&wait_for_completion=1 HTTP/1.1"
    assert request.headers["content-length"] == "0"
    assert "content-type" not in request.headers


async def test_filters_have_their_wire_names(connect: Connect) -> None:
    request = await sent(
        connect,
        lambda client: client.runs.list(
            type="workflow",
            source="a&b=c",
            status=["failed", "cancelled"],
            triggered_by="__system__",
            source_ref="main",
            batch_id="evb_1",
            example_id_contains="x",
            from_date="now()-7d",
            to_date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            ids=("exec_1", "exec_2"),
            limit=5,
        ),
        body=b'{"runs": []}',
    )
    assert request.target == (
        "/api/v1/runs?type=workflow&source=a%26b%3Dc&status=failed%2Ccancelled&triggeredBy=__system__&sourceRef=main"
        "&batchId=evb_1&exampleIdContains=x&from=now%28%29-7d&to=2026-01-02T03%3A04%3A05Z&ids=exec_1%2Cexec_2&limit=5"
    )


async def test_filters_mean_to_the_server_what_they_say(sandbox: Sandbox, connect: Connect) -> None:
    async with connect(sandbox.url) as client:
        ids = [(await client.run("workflows.echo", wait_for_completion=5)).id for _ in range(5)]
        assert [run.id async for run in client.runs.iterate(limit=2)] == ids[::-1]
        assert {run.id for run in await client.runs.list(ids=ids[:2])} == set(ids[:2])
        assert len(await client.runs.list(from_date=datetime.now(UTC) - timedelta(hours=1))) == 5
        assert len(await client.runs.list(status=("failed", "rejected"))) == 0
        assert len(await client.runs.list(source="echo", from_date="now()-1h")) == 5
        with pytest.raises(EigenpalInputError, match="ids is an empty list"):
            await client.runs.list(ids=[])
        with pytest.raises(EigenpalValidationError):
            await client.runs.list(from_date="yesterday")


@pytest.mark.parametrize("run_id", ["../agents", "..", ".", "", "a/../b", "%2e%2e", "a\r\nX: 1", "a\x00b"])
@one_wire
async def test_an_id_can_not_name_another_path(sandbox: Sandbox, connect: Connect, run_id: str) -> None:
    async with connect(sandbox.url) as client:
        for call in (client.runs.get, client.runs.cancel, client.runs.rerun, client.runs.artifacts.list):
            with pytest.raises(EigenpalInputError):
                await call(run_id)
    assert list(sandbox.requests) == []


@pytest.mark.parametrize("run_id", ["a/b", "a b", "é", "a?b#c", "%41"])
async def test_an_odd_id_is_one_segment_byte_for_byte(connect: Connect, run_id: str) -> None:
    request = await sent(connect, lambda client: client.runs.definition(run_id), body=b'{"definition": 1}')
    encoded = {"a/b": "a%2Fb", "a b": "a%20b", "é": "%C3%A9", "a?b#c": "a%3Fb%23c", "%41": "%2541"}[run_id]
    assert request.target == f"/api/v1/runs/{encoded}/definition"


async def test_the_hatch_sends_what_it_is_told(connect: Connect) -> None:
    def call(client: AsyncEigenpalClient) -> Any:
        return client.request(
            "patch", "/api/v1/x/é", query={"snake_name": [1, "b"], "flag": True, "none": None}, json=[1]
        )

    request = await sent(connect, call)
    assert request.line == "PATCH /api/v1/x/%C3%A9?snake_name=1%2Cb&flag=true HTTP/1.1"
    assert json.loads(request.body) == [1]


async def test_expand_is_sent_as_asked_and_its_sections_are_read(sandbox: Sandbox, connect: Connect) -> None:
    async with connect(sandbox.url) as client:
        run = await client.run("workflows.echo", {"a": 1}, metadata={"b": 2}, wait_for_completion=5)
        full = await client.runs.get(run.id, expand=["input", "usage", "execution", "debug"])
        plain = await client.runs.get(run.id, expand=[])
    assert sandbox.requests[-2].query == {"expand": "input,usage,execution,debug"}
    assert sandbox.requests[-1].query == {}
    assert full.input is not None
    assert (full.input.args, full.input.metadata) == ({"a": 1}, {"b": 2})
    assert plain.input is None


async def test_the_timeout_stretches_by_what_the_server_was_asked_to_hold(sandbox: Sandbox, connect: Connect) -> None:
    sandbox.run_latency = 0.4
    async with connect(sandbox.url, timeout_seconds=0.2) as client:
        run = await client.run("workflows.echo", wait_for_completion=5)
        again = await client.rerun(run.id, wait_for_completion=5)
        receipt = await client.run("workflows.echo", wait_for_completion=0)
    assert run.finished
    assert again.finished
    assert not receipt.finished
    assert len(posts(sandbox)) == 3
    assert session_of(client).options.timeout_seconds == 0.2
