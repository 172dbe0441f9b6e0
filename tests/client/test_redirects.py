"""Credentials go to one origin only; API calls follow no redirect, downloads a few, carefully (R3)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eigenpal.errors import EigenpalAPIError, EigenpalConnectionError, EigenpalError
from tests.client.conftest import KEY, Connect, RetryTime, one_wire, when_stored
from tests.client.test_secrets import everything_logged, everything_shown  # noqa: F401 - a fixture
from tests.scripted_server import Peer, Script, ScriptedServer, scripted_server

pytestmark = pytest.mark.anyio

SIGNATURE = "signature-that-grants-access"
CONTENT = b"%PDF-1.7 content"


def redirecting(to: Callable[[], str], status: int = 302) -> Script:
    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(b"", status=status, headers={"Location": to()})

    return script


def hang_up(peer: Peer) -> None:
    peer.read_request()


def storing(peer: Peer) -> None:
    while (request := peer.read_request()) is not None:
        first = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        total = f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"
        extra = {"Content-Range": total} if first else {}
        peer.answer(
            CONTENT[first:],
            status=206 if first else 200,
            headers={"Content-Type": "application/pdf", "ETag": '"v1"', **extra},
        )


@contextlib.contextmanager
def two_servers(storage: Script = storing, status: int = 302) -> Iterator[tuple[ScriptedServer, ScriptedServer]]:
    """Run an API that redirects every request to a storage."""
    with scripted_server(storage) as there:
        location = f"{there.url}/bucket/a%20b.pdf?sig={SIGNATURE}"
        with scripted_server(redirecting(lambda: location, status)) as here:
            yield here, there


@one_wire
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_api_calls_follow_no_redirect_and_say_where_to(connect: Connect, status: int) -> None:
    with two_servers(status=status) as (here, there):
        async with connect(here.url) as client:
            for call in (
                lambda: client.runs.get("exec_1"),
                lambda: client.run("workflows.echo"),
                lambda: client.runs.cancel("exec_1"),
            ):
                with pytest.raises(EigenpalAPIError) as caught:
                    await call()
                assert caught.value.status == status
                assert f"{there.url}/bucket/a%20b.pdf" in str(caught.value)
                assert SIGNATURE not in everything_shown(caught.value)
        assert len(here.requests) == 3
        assert there.requests == []


async def test_a_download_goes_to_another_origin_without_the_key_and_with_few_headers(
    connect: Connect,
    everything_logged: Callable[..., str],  # noqa: F811
) -> None:
    with two_servers() as (here, there):
        async with connect(here.url, default_headers={"X-Gateway-Password": "secret-of-the-gateway"}) as client:
            assert await client.runs.artifacts.download("exec_1", "output/a.pdf") == CONTENT
        [first], [second] = here.requests, there.requests
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert second.target == f"/bucket/a%20b.pdf?sig={SIGNATURE}"
    allowed = {"host", "accept", "accept-encoding", "user-agent", "range", "if-range", "connection"}
    assert set(second.headers) <= allowed
    own = "\n".join(line for line in everything_logged().splitlines() if line.startswith("eigenpal"))
    assert "bucket" in own
    assert SIGNATURE not in own


async def test_a_resumed_download_asks_the_other_origin_for_the_rest(connect: Connect, tmp_path: Path) -> None:
    stored = threading.Event()

    def storage(peer: Peer) -> None:
        if stored.is_set():
            storing(peer)
        elif peer.read_request() is not None:
            peer.send(b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: %d\r\n\r\n%%PDF' % len(CONTENT))
            stored.wait(5)

    with two_servers(storage) as (here, there):
        async with connect(here.url) as client:
            saved = await client.runs.artifacts.save(
                "exec_1", "output/a.pdf", to=tmp_path, on_progress=when_stored(stored)
            )
        assert len(here.requests) == 2
        assert [(request.headers.get("range"), request.headers.get("if-range")) for request in there.requests] == [
            (None, None),
            ("bytes=4-", '"v1"'),
        ]
    assert saved.read_bytes() == CONTENT


async def test_a_retried_download_shows_the_other_origin_nothing_new(connect: Connect) -> None:
    refusals = [503]

    def storage(peer: Peer) -> None:
        while refusals and peer.read_request() is not None:
            peer.answer(b"", status=refusals.pop())
        storing(peer)

    with two_servers(storage) as (here, there):
        async with connect(here.url) as client:
            assert await client.runs.artifacts.download("exec_1", "output/a.pdf") == CONTENT
        assert [request.headers["x-eigenpal-retry-count"] for request in here.requests] == ["0", "1"]
        assert [set(request.headers) for request in there.requests] == [set(there.requests[0].headers)] * 2
        assert "x-eigenpal-retry-count" not in there.requests[1].headers


async def test_a_redirect_on_the_same_origin_keeps_the_key(connect: Connect) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target.startswith("/api"):
                peer.answer(b"", status=307, headers={"Location": "/elsewhere?part=1"})
            else:
                peer.answer(CONTENT)

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            assert await client.runs.artifacts.download("exec_1", "output/a.pdf") == CONTENT
        assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {KEY}"] * 2
        assert server.requests[1].target == "/elsewhere?part=1"


async def test_a_redirect_to_plain_http_elsewhere_is_not_followed(connect: Connect, retry_time: RetryTime) -> None:
    with scripted_server(redirecting(lambda: f"http://files.example/a?sig={SIGNATURE}")) as server:
        async with connect(server.url) as client:
            with pytest.raises(EigenpalError, match="not https") as caught:
                await client.runs.artifacts.download("exec_1", "output/a.pdf")
        assert len(server.requests) == 1, "it will be refused each time, so it is not sent again"
    assert "http://files.example/a" in str(caught.value)
    assert SIGNATURE not in everything_shown(caught.value)
    assert retry_time.slept == []


async def test_redirects_in_a_circle_end_in_a_typed_error(connect: Connect, retry_time: RetryTime) -> None:
    with scripted_server(redirecting(lambda: f"/again?sig={SIGNATURE}")) as server:
        async with connect(server.url) as client:
            with pytest.raises(EigenpalError, match="more than 5 times") as caught:
                await client.runs.artifacts.download("exec_1", "output/a.pdf")
        assert len(server.requests) == 6
    assert SIGNATURE not in everything_shown(caught.value)
    assert retry_time.slept == []


async def test_five_redirects_are_followed(connect: Connect) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            step = int(request.target[6:]) if request.target.startswith("/step/") else 0
            if step == 5:
                peer.answer(CONTENT)
            else:
                peer.answer(b"", status=302, headers={"Location": f"/step/{step + 1}"})

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            assert await client.runs.artifacts.download("exec_1", "output/a.pdf") == CONTENT
        assert len(server.requests) == 6


@one_wire
@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://[broken/",
        "https://files.example:99999/a",
        "https://files.example:port/a",
        "file:///etc/passwd",
        "ftp://files.example/a",
        "//",
        "https://",
        "http:///a",
        "javascript:alert(1)",
    ],
)
async def test_a_redirect_to_no_place_is_a_typed_error(connect: Connect, retry_time: RetryTime, location: str) -> None:
    with scripted_server(redirecting(lambda: location)) as server:
        async with connect(server.url, max_retries=0) as client:
            with pytest.raises(EigenpalError):
                await client.runs.artifacts.download("exec_1", "output/a.pdf")


@pytest.mark.parametrize("target", ["/with space/é.pdf?name=ä b", "/with%20space/%C3%A9.pdf?name=%C3%A4%20b"])
async def test_a_redirect_that_was_not_encoded_is_followed_where_it_means(connect: Connect, target: str) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target.startswith("/api"):
                peer.answer(b"", status=302, headers={"Location": target})
            else:
                peer.answer(CONTENT)

    with scripted_server(script) as server:
        async with connect(server.url) as client:
            assert await client.runs.artifacts.download("exec_1", "output/a.pdf") == CONTENT
        assert server.requests[1].target == "/with%20space/%C3%A9.pdf?name=%C3%A4%20b"


async def test_an_error_of_the_other_origin_shows_its_address_without_the_signature(connect: Connect) -> None:
    def gone(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(b"<Error>expired</Error>", status=403, headers={"Content-Type": "application/xml"})

    with two_servers(gone) as (here, there):
        async with connect(here.url) as client:
            with pytest.raises(EigenpalAPIError) as caught:
                await client.runs.artifacts.download("exec_1", "output/a.pdf")
    assert caught.value.status == 403
    assert f"{there.url}/bucket" in str(caught.value)
    assert SIGNATURE not in everything_shown(caught.value)


async def test_a_broken_connection_to_the_other_origin_shows_no_signature(connect: Connect) -> None:
    with two_servers(hang_up) as (here, there):
        async with connect(here.url, max_retries=1) as client:
            with pytest.raises(EigenpalConnectionError) as caught:
                await client.runs.artifacts.download("exec_1", "output/a.pdf")
        assert len(there.requests) == len(here.requests) == 2
    assert SIGNATURE not in everything_shown(caught.value)
