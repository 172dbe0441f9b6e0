"""The key and every other secret stay where they belong, whatever happens ("Secrets do not travel")."""

from __future__ import annotations

import contextlib
import logging
import pickle
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from eigenpal.client import AsyncEigenpalClient
from eigenpal.engine.options import EigenpalInsecureWarning
from eigenpal.errors import EigenpalConnectionError, EigenpalError, EigenpalInputError
from eigenpal.sandbox import Sandbox
from tests.client.conftest import KEY, Connect, one_wire, session_of, when_stored
from tests.client.failures import Failure, answering, on_wires
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio

HEADER = "header-secret-0815"
TOKEN = "download-token-2342"
PASSWORD = "proxy-password-1337"
SECRETS = (KEY, HEADER, TOKEN, PASSWORD)
LOGGERS = [
    "eigenpal",
    "httpx",
    "httpcore",
    "aiohttp",
    "aiohttp.client",
    "asyncio",
    "hpack",
    "h11",
    "anyio",
    "trio",
    "tenacity",
]


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Callable[..., str]:
    """Log all there is, and give it as one text, arguments and tracebacks included."""
    for name in [None, *LOGGERS]:
        caplog.set_level(logging.DEBUG, logger=name)

    def text(from_thread: str | None = None) -> str:
        form = logging.Formatter("%(name)s %(message)s")
        records = [one for one in caplog.records if from_thread in (None, one.threadName)]
        return "\n".join(f"{form.format(record)} {record.args!r} {vars(record)!r}" for record in records)

    return text


def everything_shown(error: BaseException) -> str:
    """Return all that a user, a log or an error tracker would see of an error without looking into frames."""
    texts = ["".join(traceback.format_exception(error)), repr(error), str(error), repr(error.args), repr(vars(error))]
    with contextlib.suppress(TypeError):
        texts.append(repr(pickle.dumps(error)))
    return "\n".join(texts)


def assert_nothing_secret(*texts: str) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in text


@pytest.mark.parametrize(("wire", "failure"), on_wires(["trio"], ["aiohttp", "trio"]), ids=str)
async def test_no_failure_shows_a_secret(
    connect: Connect, failure: Failure, everything_logged: Callable[..., str]
) -> None:
    with failure.place() as url:
        async with connect(
            url, max_retries=1, default_headers={"X-Gateway-Password": HEADER}, **failure.options
        ) as client:
            with pytest.raises(EigenpalError) as caught:
                await client.run("workflows.echo", {"a": 1})
            errors = [caught.value]
            try:
                await client.runs.artifacts.download_zip("aex_1", token=TOKEN)
            except EigenpalError as error:  # what is no JSON is a download like any other
                errors.append(error)
            texts = [repr(client), repr(session_of(client)), repr(session_of(client).options), repr(client.runs)]
    assert_nothing_secret(everything_logged(), *map(everything_shown, errors), *texts)


async def test_a_success_shows_no_secret_and_saves_none(
    sandbox: Sandbox, connect: Connect, everything_logged: Callable[..., str], tmp_path: Path
) -> None:
    @sandbox.agent("writer")
    def write(context: Any) -> dict[str, Any]:
        context.write_artifact("a.txt", b"hello")
        return {}

    sandbox.faults.add("*/files-zip", drop="mid_response")
    async with connect(sandbox.url, default_headers={"X-Gateway-Password": HEADER}) as client:
        run = await client.run("agents.writer", wait_for_completion=5)
        saved = await client.runs.artifacts.save_zip(run.id, token=TOKEN, to=tmp_path / "all.zip")
        raw = await client.with_raw_response.runs.get(run.id)
    assert sandbox.requests[-2].query["token"] == TOKEN
    assert sandbox.requests[-1].headers["x-gateway-password"] == HEADER
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]
    assert_nothing_secret(everything_logged(), repr(raw), repr(run), saved.read_bytes().decode("latin-1"))
    assert "token=REDACTED" in everything_logged()


async def test_a_broken_download_leaves_no_secret_on_the_disk(connect: Connect, tmp_path: Path) -> None:
    stored = threading.Event()

    def cut(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: "v1"\r\n\r\nPK')
            stored.wait(5)

    with scripted_server(cut) as server:
        async with connect(server.url, max_retries=0, default_headers={"X-Gateway-Password": HEADER}) as client:
            with pytest.raises(EigenpalConnectionError):
                await client.runs.artifacts.save_zip("aex_1", token=TOKEN, to=tmp_path, on_progress=when_stored(stored))
    left = list(tmp_path.iterdir())
    assert left, "there should be a part to resume from"
    for path in left:
        assert_nothing_secret(path.name, path.read_bytes().decode("latin-1"))


@pytest.mark.parametrize("url", ["http://service.example", "https://service.example"])
@pytest.mark.parametrize("says", [b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", b"garbage\r\n\r\n", b""])
async def test_the_password_of_a_proxy_goes_to_the_proxy_and_nowhere_else(
    connect: Connect, everything_logged: Callable[..., str], url: str, says: bytes
) -> None:
    def proxy(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.send(says)

    with (
        pytest.warns(EigenpalInsecureWarning) if url.startswith("http:") else contextlib.nullcontext(),
        scripted_server(proxy) as server,
    ):
        address = f"http://user:{PASSWORD}@127.0.0.1:{server.port}"
        async with connect(url, proxy=address, max_retries=0) as client:
            texts = [repr(client), repr(session_of(client)), repr(session_of(client).connections._options)]
            with pytest.raises(EigenpalError) as caught:
                await client.runs.get("exec_1")
        [request] = server.requests
    assert request.headers["proxy-authorization"].startswith("Basic ")
    assert ("authorization" in request.headers) is url.startswith("http:")
    secret = request.headers["proxy-authorization"].removeprefix("Basic ")
    assert_nothing_secret(everything_logged(), everything_shown(caught.value), *texts)
    assert secret not in everything_logged() + everything_shown(caught.value)


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY}\r\n\r\n", f"a\x00{KEY}", f"{KEY}é"])
async def test_a_key_that_can_not_be_a_header_is_refused_without_being_shown(key: str) -> None:
    if key.strip() == KEY:  # what is only around it is cut off, as from a key file
        AsyncEigenpalClient(key)
        return
    with pytest.raises(EigenpalInputError, match="api_key has characters") as caught:
        AsyncEigenpalClient(key)
    assert_nothing_secret(everything_shown(caught.value))


async def test_a_default_header_with_a_line_break_is_refused_without_being_shown() -> None:
    with pytest.raises(EigenpalInputError, match="X-Gateway-Password") as caught:
        AsyncEigenpalClient(KEY, default_headers={"X-Gateway-Password": f"{HEADER}\nX-Evil: 1"})
    assert_nothing_secret(everything_shown(caught.value))


async def test_the_key_wins_over_a_default_header_of_the_same_name_in_any_case(
    sandbox: Sandbox, connect: Connect
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b"{}")

    with scripted_server(script) as server:
        async with connect(server.url, default_headers={"authorization": "Bearer other"}) as client:
            await client.request("GET", "/x")
        [request] = server.requests
    lines = [line for line in request.head.decode().split("\r\n") if line.lower().startswith("authorization:")]
    assert lines == [f"Authorization: Bearer {KEY}"]


@contextlib.contextmanager
def http2_server() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Serve one HTTP/2 request; gives its URL, the CA file's content and the headers it gets."""
    pytest.importorskip("h2")
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import RequestReceived

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    authority.issue_cert("127.0.0.1").configure_cert(context)
    seen: list[tuple[str, str]] = []

    def serve(peer: Peer) -> None:
        talk = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        talk.initiate_connection()
        peer.send(talk.data_to_send())
        while data := peer.socket.recv(65536):
            for event in talk.receive_data(data):
                if isinstance(event, RequestReceived):
                    seen.extend((str(name), str(value)) for name, value in event.headers)
                    talk.send_headers(event.stream_id, [(":status", "200")])
                    talk.send_data(event.stream_id, b"{}", end_stream=True)
            peer.send(talk.data_to_send())

    with scripted_server(serve, tls=context) as server:
        yield server.url, authority.cert_pem.bytes().decode(), seen


async def test_http2_logs_no_secret(connect: Connect, everything_logged: Callable[..., str], tmp_path: Path) -> None:
    with http2_server() as (url, authority, seen):
        (tmp_path / "ca.pem").write_text(authority)
        async with connect(
            url, http2=True, verify_ssl=str(tmp_path / "ca.pem"), default_headers={"X-Gateway-Password": HEADER}
        ) as client:
            assert await client.request("GET", "/x") == {}
    assert ("authorization", f"Bearer {KEY}") in seen
    assert_nothing_secret(everything_logged(from_thread=threading.main_thread().name))


@one_wire
async def test_redirects_of_api_calls_show_no_signature(
    connect: Connect, everything_logged: Callable[..., str]
) -> None:
    place = answering(307, Location=f"https://files.example/a?sig={TOKEN}&expires=5")
    with place() as url:
        async with connect(url) as client:
            with pytest.raises(EigenpalError, match="https://files.example/a") as caught:
                await client.runs.get("exec_1")
    assert_nothing_secret(everything_shown(caught.value))
    assert TOKEN not in "\n".join(line for line in everything_logged().splitlines() if line.startswith("eigenpal"))
