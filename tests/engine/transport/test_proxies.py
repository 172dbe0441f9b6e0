"""Which proxy a request goes through, and going through it."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading

import pytest

from eigenpal.engine.transport import Request, TransportFailure
from eigenpal.engine.transport.address import split_url
from eigenpal.engine.transport.proxies import Proxy, parse_proxy, proxy_map
from eigenpal.errors import EigenpalInputError, EigenpalUsageError
from tests.engine.transport.exchanges import connections, exchange
from tests.scripted_server import Peer, ScriptedServer, scripted_server, silent

PASSWORD = "p@ss-word"
AUTHORIZATION = "Basic " + base64.b64encode(b"user:" + PASSWORD.encode()).decode()


def proxy_address(server: ScriptedServer, *, credentials: bool = True) -> str:
    return f"http://user:p%40ss-word@127.0.0.1:{server.port}" if credentials else f"http://127.0.0.1:{server.port}"


def forwarding(peer: Peer) -> None:
    """A proxy that opens tunnels, and answers plain requests itself."""
    request = peer.read_request()
    while request is not None and request.method != "CONNECT":
        peer.answer(b"through the proxy")
        request = peer.read_request()
    if request is None:
        return
    if request.headers.get("proxy-authorization") not in {None, AUTHORIZATION}:
        peer.answer(status=407)
        return
    host, _, port = request.target.rpartition(":")
    with socket.create_connection((host, int(port))) as onward:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=pump, args=(onward, peer.socket))
        back.start()
        pump(peer.socket, onward)
        back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)
    monkeypatch.delenv("REQUEST_METHOD", raising=False)


@pytest.mark.anyio
@pytest.mark.parametrize("credentials", [True, False])
async def test_a_plain_request_is_handed_to_the_proxy_with_its_whole_url(own_kind: str, *, credentials: bool) -> None:
    with scripted_server(forwarding) as proxy:
        async with connections(own_kind, proxy=proxy_address(proxy, credentials=credentials)) as mine:
            for _ in range(2):
                answer = await exchange(mine, "http://server.example/a%2Fb/..%2f?x=%20+")
                assert answer.body == b"through the proxy"
    for request in proxy.requests:
        assert request.target == "http://server.example/a%2Fb/..%2f?x=%20+"
        assert request.headers["host"] == "server.example"
        assert request.headers.get("proxy-authorization") == (AUTHORIZATION if credentials else None)
    assert proxy.connections == 1


@pytest.mark.anyio
@pytest.mark.parametrize("credentials", [True, False])
async def test_a_secure_request_goes_through_a_tunnel(
    own_kind: str, server_tls: ssl.SSLContext, trusting: ssl.SSLContext, *, credentials: bool
) -> None:
    with scripted_server(forwarding) as proxy, scripted_server(tls=server_tls) as server:
        address = proxy_address(proxy, credentials=credentials)
        async with connections(own_kind, proxy=address, verify=trusting) as mine:
            for _ in range(3):
                answer = await exchange(mine, server.url + "/a%2Fb", method="POST", body=b"{}", headers={"X-Key": "k"})
                assert answer.status == 200
    assert [request.target for request in server.requests] == ["/a%2Fb"] * 3
    assert server.connections == 1
    # The proxy learns where to, and its own credentials; the server never sees those.
    (tunnel,) = proxy.requests
    assert tunnel.line == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"
    assert tunnel.headers.get("proxy-authorization") == (AUTHORIZATION if credentials else None)
    assert "x-key" not in tunnel.headers
    assert all("proxy-authorization" not in request.headers for request in server.requests)


async def failure_through(kind: str, proxy: str, url: str, **options: object) -> TransportFailure:
    async with connections(kind, proxy=proxy, **options) as mine:
        request = Request("POST", url, {}, b"{}", timeout=0.5)
        with pytest.raises(TransportFailure) as caught:
            await mine.send(request)
        assert not caught.value.sent
        assert "p@ss" not in str(caught.value)
        assert "p%40ss" not in str(caught.value)
        assert "user" not in str(caught.value)
        assert mine.in_flight == 0
    return caught.value


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_can_not_be_reached(own_kind: str, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = await failure_through(own_kind, f"http://user:p%40ss@127.0.0.1:{port}", f"{scheme}://server.example/")
    assert failure.reason == "proxy"
    assert f"http://127.0.0.1:{port}" in failure.detail


@pytest.mark.anyio
async def test_a_proxy_that_refuses_to_connect(own_kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(status=407, headers={"Proxy-Authenticate": "Basic"})

    with scripted_server(script) as proxy:
        failure = await failure_through(own_kind, proxy_address(proxy), "https://server.example/")
    assert failure.reason == "proxy"
    assert "407" in failure.detail


@pytest.mark.anyio
async def test_a_proxy_that_hangs_up_when_asked_to_connect(own_kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()

    with scripted_server(script) as proxy:
        failure = await failure_through(own_kind, proxy_address(proxy), "https://server.example/")
    assert failure.reason == "proxy"


@pytest.mark.anyio
async def test_a_proxy_that_does_not_answer(own_kind: str) -> None:
    with scripted_server(silent) as proxy:
        failure = await failure_through(own_kind, proxy_address(proxy), "https://server.example/")
    assert failure.reason == "timeout"


@pytest.mark.anyio
async def test_a_certificate_is_checked_through_a_tunnel_too(own_kind: str, server_tls: ssl.SSLContext) -> None:
    with scripted_server(forwarding) as proxy, scripted_server(tls=server_tls) as server:
        failure = await failure_through(
            own_kind, proxy_address(proxy), server.url + "/", verify=ssl.create_default_context()
        )
        assert not server.requests
    assert failure.reason == "tls"


@pytest.mark.anyio
async def test_the_environment_is_obeyed_unless_told_otherwise(own_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_server(forwarding) as proxy, scripted_server() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy_address(proxy))
        async with connections(own_kind, trust_env=True) as mine:
            assert (await exchange(mine, server.url + "/")).body == b"through the proxy"
        async with connections(own_kind, trust_env=False) as mine:
            assert (await exchange(mine, server.url + "/")).body == b"{}"
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        async with connections(own_kind, trust_env=True) as mine:
            assert (await exchange(mine, server.url + "/")).body == b"{}"
        async with connections(own_kind, trust_env=True, proxy=proxy_address(proxy)) as mine:
            assert (await exchange(mine, server.url + "/")).body == b"through the proxy"  # said outright, it wins


@pytest.mark.anyio
async def test_a_socks_proxy_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)  # as if it were not installed
    async with connections("lanes", proxy="socks5://127.0.0.1:1080", aiohttp=None) as mine:
        with pytest.raises(EigenpalUsageError, match=r"httpx\[socks\]"):
            await exchange(mine, "http://server.example/")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("HTTPS://proxy.example", Proxy("https", "proxy.example", 443)),
        ("http://user@proxy.example/", Proxy("http", "proxy.example", 80, "user")),
        ("http://us%3Aer:p%40ss%2F@[::1]:8080", Proxy("http", "::1", 8080, "us:er", "p@ss/")),
        ("socks5h://proxy.example", Proxy("socks5h", "proxy.example", 1080)),
    ],
)
def test_the_address_of_a_proxy_is_read(address: str, expected: Proxy) -> None:
    assert parse_proxy(address, named="proxy") == expected


@pytest.mark.parametrize("address", ["gopher://a:secret@b", "http://", "http://user:secret@:80", "http://a:secret@b:x"])
def test_what_is_no_address_of_a_proxy_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(EigenpalInputError, match="HTTPS_PROXY") as caught:
        parse_proxy(address, named="HTTPS_PROXY")
    assert "secret" not in str(caught.value)


def test_a_proxy_shows_no_credentials() -> None:
    proxy = parse_proxy("http://user:secret@[::1]:8080", named="proxy")
    assert "secret" not in repr(proxy)
    assert "user" not in repr(proxy)
    assert proxy.url == "http://[::1]:8080"


def chosen(url: str) -> str | None:
    origin, _ = split_url(url)
    proxy = proxy_map(None, trust_env=True).proxy_for(origin)
    return proxy.host if proxy else None


def test_each_scheme_has_its_proxy_and_all_is_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://for-http.example")
    monkeypatch.setenv("ALL_PROXY", "for-all.example:80")
    assert chosen("http://a.example/") == "for-http.example"
    assert chosen("https://a.example/") == "for-all.example"


def test_lower_case_wins_over_upper_case_even_when_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://upper.example")
    monkeypatch.setenv("http_proxy", "http://lower.example")
    assert chosen("http://a.example/") == "lower.example"
    monkeypatch.setenv("http_proxy", "")
    assert chosen("http://a.example/") is None


def test_a_header_a_visitor_sent_to_a_cgi_program_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://evil.example")
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert chosen("http://a.example/") is None


@pytest.mark.parametrize(
    ("entries", "url", "exempt"),
    [
        ("*", "http://a.example/", True),
        ("a.example", "http://a.example/", True),
        ("a.example", "http://A.Example./", True),
        ("a.example", "http://b.a.example/", True),
        ("a.example", "http://ba.example/", False),
        (".a.example", "http://b.a.example/", True),
        (".a.example", "http://a.example/", False),
        ("*.a.example", "http://b.a.example/", True),
        ("b.example, a.example ,", "http://a.example/", True),
        ("a.example:8080", "http://a.example:8080/", True),
        ("a.example:8080", "http://a.example/", False),
        ("https://a.example", "http://a.example/", False),
        ("https://a.example", "https://a.example/", True),
        ("all://a.example", "https://a.example/", True),
        ("localhost", "http://localhost:8000/", True),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.0/8", "http://a.example/", False),
        ("10.1.2.3", "http://10.1.2.3:99/", True),
        ("10.1.2.3:80", "http://10.1.2.3:99/", False),
        ("::1", "http://[::1]:8000/", True),
        ("[::1]", "http://[::1]/", True),
        ("[::1]:80", "http://[::1]:8000/", False),
        ("fe80::/10", "http://[fe80::1]/", True),
        ("fe80::/10", "http://10.1.2.3/", False),
    ],
)
def test_exemptions(monkeypatch: pytest.MonkeyPatch, entries: str, url: str, *, exempt: bool) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example")
    monkeypatch.setenv("NO_PROXY", entries)
    assert chosen(url) == (None if exempt else "proxy.example")
