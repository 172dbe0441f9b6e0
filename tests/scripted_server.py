"""A TCP server that does exactly what a test says, byte by byte, and remembers what it was sent.

It runs in threads, so it works beside any event loop, and speaks HTTP only as far as the script asks it to.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping

import attrs

PATIENCE_SECONDS = 10.0  # a test whose server waits longer than this for the client has failed


@attrs.frozen
class RawRequest:
    """One request as it came over the wire.

    Attributes:
        line: The request line.
        headers: Names in lower case; repeated ones keep the last.
        body: The body without its framing.
        head: Every byte up to and with the empty line.
        connection: Which connection it came on, from 0.
    """

    line: str
    headers: Mapping[str, str]
    body: bytes
    head: bytes
    connection: int

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


class Peer:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket, number: int, requests: list[RawRequest]) -> None:
        self.socket = sock
        self.number = number
        self._requests = requests
        self._buffer = b""

    def read_request(self) -> RawRequest | None:
        """Return the next request with its whole body, None when the client has closed the connection."""
        head = self.read_head()
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        if headers.get("transfer-encoding") == "chunked":
            body = self._chunked()
        else:
            body = self.read_exactly(int(headers.get("content-length", "0")))
        request = RawRequest(lines[0], headers, body, head, self.number)
        self._requests.append(request)
        return request

    def read_head(self) -> bytes | None:
        """Return everything up to the first empty line, None when the client has closed the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read_exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not self._more():
                raise ConnectionError("the client went away in the middle of a body")
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = b"{}", *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer with a length."""
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **(headers or {})}.items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def wait_for_close(self) -> bool:
        """Wait until the client closes; whether it sent anything before."""
        said_something = bool(self._buffer)
        while self._more():
            said_something = True
        return said_something

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def reset(self) -> None:
        """Close so that the client sees a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return False
        self._buffer += data
        return bool(data)

    def _chunked(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._buffer:
                if not self._more():
                    raise ConnectionError("the client went away in the middle of a chunk")
            size, _, self._buffer = self._buffer.partition(b"\r\n")
            chunk = self.read_exactly(int(size, 16) + 2)[:-2]
            if not chunk:
                return body
            body += chunk


Script = Callable[[Peer], None]


def answer_all(peer: Peer) -> None:
    """Answer every request on a connection with an empty JSON object, as long as the client wants."""
    while peer.read_request() is not None:
        peer.answer()


def silent(peer: Peer) -> None:
    """Take what comes and never answer, until the client closes."""
    peer.wait_for_close()


class ScriptedServer:
    """What a running server knows; see `scripted_server`."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self.requests: list[RawRequest] = []
        self.problems: list[BaseException] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return len(self._peers)

    def start(self) -> None:
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._closing:
                sock.close()
                return
            sock.settimeout(PATIENCE_SECONDS)
            peer = Peer(sock, len(self._peers), self.requests)
            self._peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        try:
            if self._tls is not None:
                peer.socket = self._tls.wrap_socket(peer.socket, server_side=True)
            self._script(peer)
        except OSError as problem:
            # The client may leave at any time, and most scripts end by being told to; a wait without end is a failure.
            if isinstance(problem, TimeoutError) and not self._closing:
                self.problems.append(problem)
        except BaseException as problem:  # noqa: BLE001 - it is raised where the test runs
            self.problems.append(problem)
        finally:
            peer.close()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._acceptor.join(PATIENCE_SECONDS)
        self._listener.close()
        for peer in self._peers:
            peer.close()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)


@contextlib.contextmanager
def scripted_server(script: Script = answer_all, *, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Run a server on 127.0.0.1 whose every connection is handled by `script`, in a thread of its own.

    When the script returns, the connection is closed. What it raises, fails the test at the end of the block, except
    that the client went away.

    Args:
        script: What to do with a connection.
        tls: Speaks TLS with this context.
    """
    server = ScriptedServer(script, tls)
    server.start()
    try:
        yield server
    finally:
        server.close()
    if server.problems:
        raise server.problems[0]
