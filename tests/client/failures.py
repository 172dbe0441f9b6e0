"""Every way in which a request can fail, as data: how it is brought about, and what the user is to be told."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import attrs
import trustme

from eigenpal.errors import (
    EigenpalAPIError,
    EigenpalAuthError,
    EigenpalConflictError,
    EigenpalConnectionError,
    EigenpalDecodeError,
    EigenpalError,
    EigenpalForbiddenError,
    EigenpalNotFoundError,
    EigenpalRateLimitError,
    EigenpalServerError,
    EigenpalTimeoutError,
    EigenpalValidationError,
)
from tests.scripted_server import Peer, Script, scripted_server

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>"

Place = Callable[[], AbstractContextManager[str]]


@attrs.frozen
class Failure:
    """One way to fail.

    Attributes:
        name: Shown by pytest.
        place: Where it happens: gives the base URL of a server, or of none.
        kind: Exact class of the error.
        status: Its status.
        says: Words that its message has.
        options: What the client is given.
    """

    name: str
    place: Place
    kind: type[EigenpalError]
    status: int = 0
    says: tuple[str, ...] = ()
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def __str__(self) -> str:
        return self.name


def serving(script: Script, *, scheme: str = "http", tls: ssl.SSLContext | None = None) -> Place:
    """Return a place where a server follows the script."""

    @contextlib.contextmanager
    def place() -> Iterator[str]:
        with scripted_server(script, tls=tls) as server:
            yield f"{scheme}://127.0.0.1:{server.port}"

    return place


def answering(status: int, body: bytes = b"", **headers: str) -> Place:
    """Return a place where every request gets this answer."""

    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(body, status=status, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return serving(script)


def sending(data: bytes, *, reset: bool = False) -> Place:
    """Return a place where every request gets these bytes, and then the connection ends."""

    def script(peer: Peer) -> None:
        if peer.read_request() is not None:
            peer.send(data)
            if reset:
                peer.reset()

    return serving(script)


def envelope(message: str) -> bytes:
    issue = {"field": "body.input", "message": message, "code": "x", "severity": "error"}
    return json.dumps({"issues": [issue], "requestId": "req_42", "hint": "Read the manual."}).encode()


@contextlib.contextmanager
def nowhere() -> Iterator[str]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused, and nobody else gets the port
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextlib.contextmanager
def no_such_host() -> Iterator[str]:
    def fail(*_args: object, **_options: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    real, socket.getaddrinfo = socket.getaddrinfo, fail
    try:
        yield "https://does-not-exist.invalid"
    finally:
        socket.getaddrinfo = real


def untrusted() -> Place:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return serving(lambda peer: None, scheme="https", tls=context)


def stay_silent(peer: Peer) -> None:
    peer.read_request()
    peer.wait_for_close()


def never_end(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    peer.wait_for_close()


def flood_headers(peer: Peer) -> None:
    if peer.read_request() is not None:
        peer.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            peer.send(b"X-%d: %s\r\n" % (number, b"x" * 1000))


def refuse_tls(peer: Peer) -> None:
    peer.read_exactly(1)
    peer.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
QUICK = {"timeout_seconds": 0.2}

ANSWERS = [
    Failure("400", answering(400, envelope("is wrong")),
            EigenpalValidationError, 400, ("body.input: is wrong", "req_42", "Read the manual.")),
    Failure("401", answering(401, envelope("no key")), EigenpalAuthError, 401, ("no key",)),
    Failure("401 without a body", answering(401), EigenpalAuthError, 401, ("an empty body", "Check the API key")),
    Failure("403", answering(403, b"{}"), EigenpalForbiddenError, 403, ("scopes",)),
    Failure("404", answering(404, b"{}"), EigenpalNotFoundError, 404, ("Check the id",)),
    Failure("404 in HTML", answering(404, HTML, Content_Type="text/html"),
            EigenpalNotFoundError, 404, ("base_url", "Sign in")),
    Failure("409", answering(409, b'{"error": "taken"}'), EigenpalConflictError, 409, ("taken",)),
    Failure("422", answering(422, envelope("is wrong")), EigenpalValidationError, 422, ("is wrong",)),
    Failure("429", answering(429, b"{}", Retry_After="7"), EigenpalRateLimitError, 429, ("wait 7 s", "fewer requests")),
    Failure("418", answering(418, b"short and stout"), EigenpalAPIError, 418, ("short and stout",)),
    Failure("500", answering(500, envelope("broke")), EigenpalServerError, 500, ("broke",)),
    Failure("500 with an odd envelope", answering(500, b'{"issues": 3, "error": [], "requestId": {}}'),
            EigenpalServerError, 500),
    Failure("502 in HTML", answering(502, HTML, Content_Type="text/html"), EigenpalServerError, 502, ("HTML",)),
    Failure("520", answering(520), EigenpalServerError, 520, ("520",)),
    Failure("a redirect", answering(302, Location="https://elsewhere.example/login"),
            EigenpalAPIError, 302, ("https://elsewhere.example/login", "base_url")),
    Failure("not modified", answering(304), EigenpalAPIError, 304),
    Failure("HTML", answering(200, HTML, Content_Type="text/html"),
            EigenpalDecodeError, 200, ("HTML", "base_url", "Sign in")),
    Failure("an empty body", answering(200), EigenpalDecodeError, 200, ("empty",)),
    Failure("no content", answering(204), EigenpalDecodeError, 204, ("empty",)),
    Failure("JSON cut", answering(200, b'{"id": "exec_1", "ty'),
            EigenpalDecodeError, 200, ("not valid JSON", '{"id": "exec_1"')),
    Failure("JSON too deep", answering(200, b"[" * 100_000), EigenpalDecodeError, 200, ("not valid JSON",)),
    Failure("JSON in Latin-1", answering(200, b'{"id": "\xe9"}'), EigenpalDecodeError, 200, ("not valid JSON",)),
    Failure("JSON with an endless number", answering(200, b'{"id": ' + b"9" * 5000 + b"}"), EigenpalDecodeError, 200),
    Failure("another shape", answering(200, b"[]"), EigenpalDecodeError, 200, ("should be an object",)),
    Failure("a member missing", answering(200, b'{"id": "exec_1"}'), EigenpalDecodeError, 200, ("'type'",)),
    Failure("a member of another type", answering(200, b'{"id": 7}'),
            EigenpalDecodeError, 200, ("$.id should be a string, not 7",)),
    Failure("gzip that is none", answering(200, b"{}", Content_Encoding="gzip"),
            EigenpalDecodeError, 200, ("decompress",)),
    Failure("gzip cut", answering(200, gzip.compress(b"{}" * 999)[:-9], Content_Encoding="gzip"),
            EigenpalConnectionError, 0, ("ended early",)),
    Failure("an encoding nobody asked for", answering(200, b"{}", Content_Encoding="br"),
            EigenpalDecodeError, 200, ("not asked for",)),
    Failure("encodings without end", answering(200, b"{}", Content_Encoding=", ".join(["gzip"] * 3000)),
            EigenpalDecodeError, 200),
    Failure("Retry-After that is none", answering(503, b"{}", Retry_After="Mon, 01 Jan 2024 00:00:00 +99999999999999"),
            EigenpalServerError, 503),
]  # fmt: skip

BREAKS = [
    Failure("no answer", sending(b""), EigenpalConnectionError, 0, ("closed",)),
    Failure("a reset", sending(b"", reset=True), EigenpalConnectionError),
    Failure("a head cut", sending(b"HTTP/1.1 200 OK\r\nContent-Le"), EigenpalConnectionError),
    Failure("a body cut", sending(HEAD + b"Content-Length: 100\r\n\r\n{"), EigenpalConnectionError),
    Failure("a chunked body cut", sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), EigenpalConnectionError),
    Failure("a chunk that is none", sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
            EigenpalConnectionError, 0, ("HTTP",)),
    Failure("a length that is none", sending(HEAD + b"Content-Length: many\r\n\r\n{}"),
            EigenpalConnectionError, 0, ("HTTP",)),
    Failure("garbage", sending(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), EigenpalConnectionError, 0, ("HTTP", "base_url")),
    Failure("zeros", sending(bytes(5000)), EigenpalConnectionError),
    Failure("headers without end", serving(flood_headers), EigenpalConnectionError, 0, ("HTTP",)),
    Failure("refused", nowhere, EigenpalConnectionError, 0, ("refused", "base_url")),
    Failure("no such host", no_such_host, EigenpalConnectionError, 0, ("dns", "does-not-exist.invalid", "host name")),
    Failure("not trusted", untrusted(), EigenpalConnectionError, 0, ("tls", "verify_ssl")),
    Failure("https to plain http", serving(refuse_tls, scheme="https"),
            EigenpalConnectionError, 0, ("tls", "plain http")),
    Failure("silence", serving(stay_silent), EigenpalTimeoutError, 0, ("0.2 s", "timeout_seconds"), QUICK),
    Failure("a body that stalls", serving(never_end), EigenpalTimeoutError, 0, ("0.2 s",), QUICK),
]  # fmt: skip


def on_wires(for_answers: list[str], for_breaks: list[str]) -> list[tuple[str, Failure]]:
    """Return pairs of wire and failure: what the server says needs fewer wires than what happens to the connection."""
    pairs = [(wire, failure) for wire in for_answers for failure in ANSWERS]
    return pairs + [(wire, failure) for wire in for_breaks for failure in BREAKS]
