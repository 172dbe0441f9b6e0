"""What the port promises of every transport: bytes go out as they are given and come back as they are."""

from __future__ import annotations

import gzip

import pytest

from eigenpal.engine.transport import Request, TransportFailure
from tests.engine.transport.exchanges import Streamed, connections, exchange
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "target",
    ["/a%2Fb/..%2f?x=%20+%2B", "/a/%2e%2E/b", "/%7Euser/a%20b?q=%C3%A9&r=a/b?c", "/v1//double", "/a;b=c,d@e:f!$'()*"],
)
async def test_a_url_is_sent_byte_for_byte_as_given(kind: str, target: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + target)
    assert server.requests[0].target == target


async def test_a_fragment_and_credentials_in_the_url_are_not_sent(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, f"http://user:secret@127.0.0.1:{server.port}/a?b=c#fragment")
    assert server.requests[0].target == "/a?b=c"
    assert "authorization" not in server.requests[0].headers
    assert b"secret" not in server.requests[0].head


async def test_the_headers_are_those_given_and_the_host(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", headers={"Accept": "a/b", "X-API-Key": "k", "User-Agent": "u"})
    sent = dict(server.requests[0].headers)
    assert sent.pop("host") == f"127.0.0.1:{server.port}"
    sent.pop("connection", None)
    assert sent == {"accept": "a/b", "x-api-key": "k", "user-agent": "u"}


async def test_a_transport_adds_no_wish_of_its_own_about_the_answer(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", headers={"User-Agent": "u"})
    assert not {"accept", "accept-encoding", "cookie"} & set(server.requests[0].headers)


async def test_bytes_are_sent_with_their_length(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", method="POST", body=b'{"a": 1}')
    assert server.requests[0].headers["content-length"] == "8"
    assert server.requests[0].body == b'{"a": 1}'


async def test_bytes_of_many_megabytes_arrive_whole(kind: str) -> None:
    body = bytes(range(256)) * 12_000
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", method="POST", body=body)
    assert server.requests[0].body == body


async def test_a_post_without_a_body_says_so(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", method="POST")
    assert server.requests[0].headers["content-length"] == "0"


async def test_a_get_without_a_body_says_nothing_of_one(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/")
    assert not {"content-length", "transfer-encoding", "content-type"} & set(server.requests[0].headers)


async def test_a_streamed_body_of_known_length_is_sent_with_it(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", method="POST", body=Streamed([b"one", b"", b"two"], length=6))
    assert server.requests[0].headers["content-length"] == "6"
    assert "transfer-encoding" not in server.requests[0].headers
    assert server.requests[0].body == b"onetwo"


async def test_a_streamed_body_of_unknown_length_is_sent_in_chunks(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", method="PUT", body=Streamed([b"one", b"", b"two"]))
    assert server.requests[0].headers["transfer-encoding"] == "chunked"
    assert "content-length" not in server.requests[0].headers
    assert server.requests[0].body == b"onetwo"


@pytest.mark.parametrize(("said", "how"), [(5, "longer"), (7, "shorter")])
async def test_a_body_that_is_not_as_long_as_it_said_is_not_completed(kind: str, said: int, how: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.wait_for_close()

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            with pytest.raises(TransportFailure, match=how) as caught:
                await exchange(mine, server.url + "/", method="POST", body=Streamed([b"one", b"two"], length=said))
            assert caught.value.reason == "protocol"


async def test_an_error_of_the_bodys_own_source_comes_out_as_it_is(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.wait_for_close()

    problem = ValueError("the file is gone")
    with scripted_server(script) as server:
        async with connections(kind) as mine:
            with pytest.raises(ValueError, match="the file is gone") as caught:
                await exchange(mine, server.url + "/", method="POST", body=Streamed([b"one"], problem=problem))
            assert caught.value is problem
            assert mine.in_flight == 0


async def test_response_headers_have_lower_case_names_and_repeated_ones_are_joined(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nX-One: a\r\nContent-Length: 2\r\nx-ONE: b\r\nX-Name: \xc3\xa9\r\n\r\n{}")

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            answer = await exchange(mine, server.url + "/")
    assert answer.headers == {"x-one": "a, b", "content-length": "2", "x-name": "é"}


async def test_a_body_comes_as_it_was_on_the_wire(kind: str) -> None:
    packed = gzip.compress(b"hello " * 100)

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(packed, headers={"Content-Encoding": "gzip"})

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            answer = await exchange(mine, server.url + "/")
    assert answer.body == packed
    assert answer.headers["content-encoding"] == "gzip"


async def test_a_chunked_body_comes_without_its_framing(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
        )

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            assert (await exchange(mine, server.url + "/")).body == b"abcde"


async def test_a_body_without_a_length_ends_with_the_connection(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            assert (await exchange(mine, server.url + "/")).body == b"all of it"
            assert (await exchange(mine, server.url + "/")).body == b"all of it"
    assert server.connections == 2


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_is_whole_at_once(kind: str, status: int) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.send(b"HTTP/1.1 %d Nothing\r\n\r\n" % status)

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            for _ in range(3):
                answer = await exchange(mine, server.url + "/")
                assert (answer.status, answer.body) == (status, b"")
    assert server.connections == 1


async def test_answers_that_only_inform_are_skipped(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        peer.answer(b"real")

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            answer = await exchange(mine, server.url + "/")
    assert (answer.status, answer.body) == (200, b"real")
    assert "link" not in answer.headers


async def test_a_redirect_is_an_answer_like_any_other(kind: str) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.answer(status=302, headers={"Location": "/elsewhere"})

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            answer = await exchange(mine, server.url + "/")
    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")
    assert len(server.requests) == 1


async def test_cookies_of_a_server_are_not_sent_back_by_our_own_transports(own_kind: str) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.answer(headers={"Set-Cookie": "a=b; Path=/"})

    with scripted_server(script) as server:
        async with connections(own_kind) as mine:
            await exchange(mine, server.url + "/")
            await exchange(mine, server.url + "/")
    assert "cookie" not in server.requests[1].headers


async def test_a_connection_is_used_again_once_its_answer_was_read(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            for _ in range(5):
                await exchange(mine, server.url + "/", method="POST", body=b"{}")
    assert server.connections == 1


async def test_a_connection_whose_answer_was_not_read_is_thrown_away(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbeginning")
        peer.wait_for_close()

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            response = await mine.send(Request("GET", server.url + "/", {}, timeout=5))
            assert [await anext(aiter(response.raw_chunks()))] == [b"beginning"]
            await response.aclose()
            await response.aclose()
            assert mine.in_flight == 0
            second = await mine.send(Request("GET", server.url + "/", {}, timeout=5))
            await second.aclose()
    assert server.connections == 2


async def test_a_request_is_marked_once_it_leaves_the_queue(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            request = Request("GET", server.url + "/", {}, timeout=5)
            before = request.handed_over
            response = await mine.send(request)
            assert (before, request.handed_over) == (False, True)
            await response.aclose()


async def test_a_name_as_host_is_looked_up(kind: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            answer = await exchange(mine, f"http://localhost:{server.port}/")
    assert answer.status == 200
    assert server.requests[0].headers["host"] == f"localhost:{server.port}"
