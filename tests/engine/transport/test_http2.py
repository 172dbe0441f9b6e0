"""HTTP/2: requests share a connection, and everything else is as with the other transports."""

from __future__ import annotations

import ssl
import sys

import anyio
import anyio.lowlevel
import h2.config
import h2.connection
import h2.events
import pytest
import trustme

from eigenpal.engine.transport import Connections, Request, TransportFailure, TransportOptions
from eigenpal.errors import EigenpalUsageError
from tests.engine.transport.exchanges import Streamed, connections, exchange
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def h2_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return context


def speak_http2(peer: Peer) -> None:
    """Answer each request with its path and body; leave /never unanswered, and hang up on /close."""
    talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    talk.initiate_connection()
    peer.send(talk.data_to_send())
    paths: dict[int, str] = {}
    bodies: dict[int, bytes] = {}
    while data := peer.socket.recv(65536):
        for event in talk.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                paths[event.stream_id] = dict(event.headers)[b":path"].decode()
                bodies[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
                talk.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                path = paths[event.stream_id]
                if path == "/close":
                    return
                if path != "/never":
                    body = path.encode() + b" " + bodies[event.stream_id]
                    talk.send_headers(event.stream_id, [(":status", "200"), ("x-one", "a"), ("x-one", "b")])
                    talk.send_data(event.stream_id, body, end_stream=True)
        peer.send(talk.data_to_send())


async def test_t2_requests_share_one_connection(h2_tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    bodies: list[bytes] = []
    with scripted_server(speak_http2, tls=h2_tls) as server:
        async with connections("http2", http2=True, verify=trusting) as mine:
            await exchange(mine, server.url + "/first")

            async def one(number: int) -> None:
                answer = await exchange(mine, f"{server.url}/a%2Fb/{number}", method="POST", body=b"body")
                assert answer.headers["x-one"] == "a, b"
                bodies.append(answer.body)

            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(one, number)
            assert mine.in_flight == 0
    assert sorted(bodies) == sorted(f"/a%2Fb/{number} body".encode() for number in range(20))
    assert server.connections == 1


async def test_a_streamed_body_goes_over_http2(h2_tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    with scripted_server(speak_http2, tls=h2_tls) as server:
        async with connections("http2", http2=True, verify=trusting) as mine:
            answer = await exchange(mine, server.url + "/", method="PUT", body=Streamed([b"ab", b"cd"], length=4))
    assert answer.body == b"/ abcd"


async def test_t5_cancelled_requests_leave_the_shared_connection_alone(
    h2_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with scripted_server(speak_http2, tls=h2_tls) as server:
        async with connections("http2", http2=True, verify=trusting) as mine:
            await exchange(mine, server.url + "/first")
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(exchange, mine, server.url + "/never")
                while mine.in_flight < 50:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            assert mine.in_flight == 0
            for _ in range(5):
                assert (await exchange(mine, server.url + "/after")).body == b"/after "


@pytest.mark.parametrize(("path", "reason"), [("/never", "timeout"), ("/close", "broken")])
async def test_failures_over_http2(h2_tls: ssl.SSLContext, trusting: ssl.SSLContext, path: str, reason: str) -> None:
    with scripted_server(speak_http2, tls=h2_tls) as server:
        async with connections("http2", http2=True, verify=trusting) as mine:
            request = Request("POST", server.url + path, {}, b"{}", timeout=0.5)
            with pytest.raises(TransportFailure) as caught:
                await mine.send(request)
            assert (caught.value.reason, caught.value.sent) == (reason, True)
            assert (await exchange(mine, server.url + "/after")).status == 200


async def test_a_failed_handshake_is_surely_not_sent(h2_tls: ssl.SSLContext) -> None:
    with scripted_server(speak_http2, tls=h2_tls) as server:
        async with connections("http2", http2=True, verify=ssl.create_default_context()) as mine:
            request = Request("POST", server.url + "/", {}, b"{}", timeout=5)
            with pytest.raises(TransportFailure) as caught:
                await mine.send(request)
    assert (caught.value.reason, caught.value.sent, request.handed_over) == ("tls", False, False)


async def test_a_server_that_speaks_only_http1_is_spoken_to_so(
    server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    with scripted_server(tls=server_tls) as server:
        async with connections("http2", http2=True, verify=trusting) as mine:
            for _ in range(3):
                assert (await exchange(mine, server.url + "/")).body == b"{}"
    assert server.connections == 1


async def test_without_its_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "h2", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EigenpalUsageError, match=r"httpx\[http2\]"):
        await Connections(TransportOptions(http2=True)).send(Request("GET", "https://127.0.0.1:1/", {}))
