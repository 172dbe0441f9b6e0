"""What a user set up in an httpx client or transport of their own is honoured."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import httpx2
import pytest

from eigenpal.engine.transport import Connections, TransportFailure, TransportOptions
from eigenpal.errors import EigenpalInputError
from tests.engine.transport.exchanges import Streamed, exchange
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def through(client: Any) -> Connections:
    return Connections(TransportOptions(http_client=client))


async def test_its_default_headers_and_cookies_are_added_but_never_win(library: Any) -> None:
    with scripted_server() as server:
        headers = {"X-Company": "acme", "X-API-Key": "theirs", "User-Agent": "theirs"}
        async with library.AsyncClient(headers=headers, cookies={"a": "b"}, trust_env=False) as client:
            await exchange(through(client), server.url + "/", headers={"x-api-key": "ours", "User-Agent": "ours"})
    sent = server.requests[0].headers
    assert (sent["x-company"], sent["x-api-key"], sent["user-agent"]) == ("acme", "ours", "ours")
    assert sent["cookie"] == "a=b"
    assert server.requests[0].head.lower().count(b"x-api-key") == 1


async def test_its_hooks_are_called_and_may_read_the_answer(library: Any) -> None:
    seen: list[str] = []

    async def on_request(request: Any) -> None:
        seen.append(request.method)

    async def on_response(response: Any) -> None:
        seen.append((await response.aread()).decode())

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(gzip.compress(b"unpacked"), headers={"Content-Encoding": "gzip"})

    with scripted_server(script) as server:
        hooks = {"request": [on_request], "response": [on_response]}
        async with library.AsyncClient(event_hooks=hooks, trust_env=False) as client:
            answer = await exchange(through(client), server.url + "/")
    assert seen == ["GET", "unpacked"]
    assert answer.body == b"unpacked"
    assert "content-encoding" not in answer.headers  # or it would be unpacked twice


async def test_an_error_of_a_hook_comes_out_as_it_is(library: Any) -> None:
    async def on_response(response: Any) -> None:
        raise KeyError("of the user")

    with scripted_server() as server:
        async with library.AsyncClient(event_hooks={"response": [on_response]}, trust_env=False) as client:
            mine = through(client)
            with pytest.raises(KeyError, match="of the user"):
                await exchange(mine, server.url + "/")
            assert mine.in_flight == 0


async def test_its_mounts_decide_where_a_request_goes(library: Any) -> None:
    mock = library.MockTransport(lambda request: library.Response(201, json={"url": str(request.url)}))
    async with library.AsyncClient(mounts={"all://api.example": mock}, trust_env=False) as client:
        answer = await exchange(through(client), "https://api.example/v1/runs?limit=1")
    assert (answer.status, answer.body) == (201, b'{"url":"https://api.example/v1/runs?limit=1"}')


async def test_it_follows_redirects_only_for_its_own_requests(library: Any) -> None:
    mock = library.MockTransport(lambda request: library.Response(307, headers={"Location": "/elsewhere"}))
    async with library.AsyncClient(transport=mock, follow_redirects=True) as client:
        assert (await exchange(through(client), "https://api.example/")).status == 307


async def test_its_own_timeout_does_not_replace_ours(library: Any) -> None:
    asked: list[dict[str, float]] = []

    def handler(request: Any) -> Any:
        asked.append(request.extensions["timeout"])
        return library.Response(200)

    async with library.AsyncClient(transport=library.MockTransport(handler), timeout=1.0) as client:
        await exchange(through(client), "https://api.example/", timeout=30)
    assert asked == [{"connect": 30, "read": 30, "write": 30, "pool": None}]


async def test_a_mock_transport_sees_the_whole_request(library: Any) -> None:
    async def handler(request: Any) -> Any:
        body = await request.aread()
        return library.Response(200, content=b"%b %b" % (request.method.encode(), body))

    mine = Connections(TransportOptions(transport=library.MockTransport(handler)))
    answer = await exchange(mine, "https://api.example/", method="POST", body=b"bytes")
    assert answer.body == b"POST bytes"
    answer = await exchange(mine, "https://api.example/", method="PUT", body=Streamed([b"a", b"b"], length=2))
    assert answer.body == b"PUT ab"


async def test_an_application_can_be_called_without_a_network(library: Any) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    mine = Connections(TransportOptions(transport=library.ASGITransport(application)))
    answer = await exchange(mine, "http://app/a%2Fb", method="POST", body=b"hello")
    assert (answer.body, answer.headers["x-path"]) == (b"hello", "/a%2Fb")


async def test_an_error_of_its_transport_is_translated(library: Any) -> None:
    def handler(request: Any) -> Any:
        raise library.ReadTimeout("secret text", request=request)

    mine = Connections(TransportOptions(transport=library.MockTransport(handler)))
    with pytest.raises(TransportFailure) as caught:
        await exchange(mine, "https://api.example/")
    assert (caught.value.reason, caught.value.sent) == ("timeout", True)
    assert "secret" not in str(caught.value)


async def test_a_subclass_is_as_good(library: Any) -> None:
    class Mine(library.AsyncClient):  # type: ignore[misc]
        pass

    with scripted_server() as server:
        async with Mine(trust_env=False) as client:
            assert (await exchange(through(client), server.url + "/")).status == 200


async def test_a_blocking_client_is_refused_with_what_to_give_instead(library: Any) -> None:
    with library.Client() as client, pytest.raises(EigenpalInputError, match="AsyncClient"):
        await exchange(through(client), "http://127.0.0.1:1/")
