"""How each transport says that no answer came: why, whether the server can have seen it, and nothing secret."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import trustme

from eigenpal.engine.transport import Body, Request, TransportFailure
from tests.engine.transport.exchanges import OWN_KINDS, Streamed, connections, exchange
from tests.scripted_server import Peer, scripted_server, silent

pytestmark = pytest.mark.anyio

SECRET = "sk-very-secret"
TIME_TO_SEND = 0.4  # seconds in which even a busy machine connects and sends


async def failure_of(
    kind: str,
    url: str,
    *,
    method: str = "POST",
    body: bytes | Body | None = b"{}",
    timeout: float = 5.0,
    **options: Any,
) -> TransportFailure:
    """Send a request that must fail; return how, after seeing that nothing secret is told."""
    async with connections(kind, **options) as mine:
        with pytest.raises(TransportFailure) as caught:
            await exchange(mine, url, method=method, headers={"X-API-Key": SECRET}, body=body, timeout=timeout)
        assert mine.in_flight == 0
    failure = caught.value
    assert SECRET not in str(failure)
    assert failure.__cause__ is None
    assert failure.__suppress_context__ or failure.__context__ is None
    return failure


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port where connecting neither succeeds nor fails."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        place = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(place)
            yield place[1]
        finally:
            for sock in waiting:
                sock.close()


async def test_a_refused_connection(kind: str) -> None:
    failure = await failure_of(kind, f"http://127.0.0.1:{unused_port()}/")
    assert (failure.reason, failure.sent) == ("refused", False)


async def test_our_own_transports_say_where_they_could_not_connect(own_kind: str) -> None:
    port = unused_port()
    failure = await failure_of(own_kind, f"http://127.0.0.1:{port}/")
    assert f"127.0.0.1:{port}" in failure.detail
    assert "connection refused" in failure.detail


async def test_a_name_that_does_not_exist(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_found(*args: object, **named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing_found)
    failure = await failure_of(kind, "http://no-such-host.example/")
    assert (failure.reason, failure.sent) == ("dns", False)


async def test_a_name_that_can_not_exist(kind: str) -> None:
    failure = await failure_of(kind, f"http://{'a' * 70}.example/")
    assert (failure.reason, failure.sent) == ("dns", False)


async def test_connecting_that_takes_too_long(kind: str, deaf_port: int) -> None:
    failure = await failure_of(kind, f"http://127.0.0.1:{deaf_port}/", timeout=0.1)
    assert (failure.reason, failure.sent) == ("timeout", False)


async def test_an_answer_that_takes_too_long(kind: str) -> None:
    with scripted_server(silent) as server:
        failure = await failure_of(kind, server.url + "/", timeout=TIME_TO_SEND)
    assert (failure.reason, failure.sent) == ("timeout", True)


async def test_a_body_that_stops_coming(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        peer.wait_for_close()

    with scripted_server(script) as server:
        failure = await failure_of(kind, server.url + "/", timeout=TIME_TO_SEND)
    assert (failure.reason, failure.sent) == ("timeout", True)


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_server_that_stops_reading(kind: str, *, streamed: bool) -> None:
    done = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_head()
        done.wait(10)

    body = Streamed([bytes(1024 * 1024)] * 32, length=32 * 1024 * 1024) if streamed else bytes(32 * 1024 * 1024)
    with scripted_server(script) as server:
        failure = await failure_of(kind, server.url + "/", body=body, timeout=TIME_TO_SEND)
        done.set()
    assert (failure.reason, failure.sent) == ("timeout", True)


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
async def test_a_connection_that_ends_before_an_answer(kind: str, end: Callable[[Peer], None]) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        end(peer)

    with scripted_server(script) as server:
        failure = await failure_of(kind, server.url + "/")
    assert (failure.reason, failure.sent) == ("broken", True)


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nabc",
    ],
)
async def test_a_body_that_is_cut(kind: str, beginning: bytes, end: Callable[[Peer], None]) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(beginning)
        end(peer)

    with scripted_server(script) as server:
        failure = await failure_of(kind, server.url + "/")
    assert (failure.reason, failure.sent) == ("broken", True)


async def test_a_head_that_is_cut(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-")

    with scripted_server(script) as server:
        failure = await failure_of(kind, server.url + "/")
    assert failure.reason in ("broken", "protocol")  # httpx does not tell these apart
    assert failure.sent


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n",
    ],
)
async def test_an_answer_that_is_not_http(kind: str, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)
        peer.wait_for_close()

    with scripted_server(script) as server:
        failure = await failure_of(kind, server.url + "/")
    assert (failure.reason, failure.sent) == ("protocol", True)


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Admin: 1", f"{SECRET}\n", f"{SECRET}\x00"])
async def test_a_header_that_can_not_be_sent_is_never_quoted(kind: str, value: str) -> None:
    with scripted_server() as server:
        async with connections(kind) as mine:
            with pytest.raises(TransportFailure) as caught:
                await exchange(mine, server.url + "/", headers={"X-API-Key": value})
    assert (caught.value.reason, caught.value.sent) == ("protocol", False)
    assert SECRET not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize("url", ["/relative", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/", "http://[::1/"])
async def test_an_address_that_can_not_be_sent_to(kind: str, url: str) -> None:
    failure = await failure_of(kind, url)
    assert (failure.reason, failure.sent) == ("protocol", False)


@pytest.mark.parametrize("kind", OWN_KINDS)
async def test_an_answer_given_before_the_body_was_read_is_the_answer(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(b"too large", status=413, headers={"Connection": "close"})
        peer.socket.shutdown(socket.SHUT_WR)
        peer.wait_for_close()

    body = Streamed([bytes(64 * 1024)] * 128, length=128 * 64 * 1024)
    with scripted_server(script) as server:
        async with connections(kind) as mine:
            answer = await exchange(mine, server.url + "/", method="POST", body=body)
    assert (answer.status, answer.body) == (413, b"too large")


async def test_a_server_without_a_trusted_certificate(
    kind: str, server_tls: ssl.SSLContext, trusting_others: ssl.SSLContext
) -> None:
    with scripted_server(tls=server_tls) as server:
        failure = await failure_of(kind, server.url + "/", verify=trusting_others)
        assert (failure.reason, failure.sent) == ("tls", False)
        assert "not trusted" in failure.detail
        assert not server.requests


async def test_a_certificate_of_another_host(kind: str, authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    with scripted_server(tls=context) as server:
        failure = await failure_of(kind, server.url + "/", verify=trusting)
    assert (failure.reason, failure.sent) == ("tls", False)
    assert "not valid for '127.0.0.1'" in failure.detail


async def test_a_port_that_does_not_speak_tls(kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.socket.recv(1024)
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        peer.wait_for_close()

    with scripted_server(script) as server:
        failure = await failure_of(kind, server.url.replace("http:", "https:") + "/")
    assert (failure.reason, failure.sent) == ("tls", False)


async def test_a_server_that_hangs_up_during_the_handshake(own_kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.socket.recv(1024)

    with scripted_server(script) as server:
        failure = await failure_of(own_kind, server.url.replace("http:", "https:") + "/")
    assert (failure.reason, failure.sent) == ("tls", False)


async def test_a_handshake_that_takes_too_long(kind: str) -> None:
    with scripted_server(silent) as server:
        failure = await failure_of(kind, server.url.replace("http:", "https:") + "/", timeout=0.2)
    assert (failure.reason, failure.sent) == ("timeout", False)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_t2_nothing_is_ever_sent_twice(kind: str, method: str) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request():
            if len(server.requests) == 1:
                peer.answer()
            else:
                peer.close()
                return

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            await exchange(mine, server.url + "/", method=method)
            with pytest.raises(TransportFailure):
                await exchange(mine, server.url + "/", method=method)
            assert len(server.requests) == 2


async def test_t1_a_kept_connection_that_its_server_has_closed_does_not_fail_a_post(kind: str) -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        peer.close()
        closed.set()

    with scripted_server(script) as server:
        async with connections(kind) as mine:
            for _ in range(5):
                closed.clear()
                answer = await exchange(mine, server.url + "/", method="POST", body=b"{}")
                assert answer.status == 200
                # The loop gets no turn in between, so only looking at the socket can tell.
                assert closed.wait(5)
    assert len(server.requests) == 5


async def test_a_failed_request_leaves_the_others_alone(kind: str) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target == "/break":
                peer.reset()
                return
            peer.answer(request.target.encode())

    async with connections(kind) as mine:
        with scripted_server(script) as server:
            answers: list[bytes] = []

            async def one(number: int) -> None:
                if number % 3 == 0:
                    with pytest.raises(TransportFailure):
                        await exchange(mine, server.url + "/break")
                else:
                    answers.append((await exchange(mine, f"{server.url}/{number}")).body)

            async with anyio.create_task_group() as tasks:
                for number in range(15):
                    tasks.start_soon(one, number)
    assert sorted(answers) == sorted(f"/{number}".encode() for number in range(15) if number % 3)
    assert mine.in_flight == 0


async def test_a_request_shows_no_header_when_printed() -> None:
    request = Request("GET", "http://127.0.0.1/", {"X-API-Key": SECRET}, b"private")
    assert SECRET not in repr(request)
    assert "private" not in repr(request)
