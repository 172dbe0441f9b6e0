"""Making a connection: name lookup, TCP, the way through a proxy, TLS. Ends with a wire that is ready for a request.

Whatever fails in here fails before a byte of any request was sent, so every failure says so.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.streams.tls
import h11

from eigenpal.engine.transport.address import Origin
from eigenpal.engine.transport.options import TransportOptions
from eigenpal.engine.transport.port import TransportFailure
from eigenpal.engine.transport.proxies import Proxy
from eigenpal.engine.transport.sockets import Resolver, TcpStream, connect
from eigenpal.engine.transport.tls import shared_context, tls_failure

READ_BYTES = 128 * 1024
BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError, ValueError)
_SOCKS_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "too many hops",
    7: "it can't do that",
    8: "it does not know that kind of address",
}


class BrokenWire(Exception):
    """The connection broke."""


class Wire:
    """A connection as bytes in and out, secured or not."""

    __slots__ = ("_bottom", "_secured")

    def __init__(self, bottom: TcpStream) -> None:
        self._bottom = bottom
        self._secured: list[anyio.streams.tls.TLSStream] = []

    async def write(self, data: bytes, timeout: float | None) -> None:
        """Send bytes.

        Raises:
            BrokenWire: The connection broke.
            TimeoutError: It took too long.
        """
        try:
            if self._secured:
                with anyio.fail_after(timeout):
                    await self._secured[-1].send(data)
            elif (sent := self._bottom.send_now(data)) < len(data):
                with anyio.fail_after(timeout):
                    await self._bottom.send(memoryview(data)[sent:])
        except TimeoutError:
            raise
        except BROKEN:
            raise BrokenWire from None

    async def read(self, timeout: float | None) -> bytes:
        """Return the next bytes, none at the end.

        Raises:
            BrokenWire: The connection broke.
            TimeoutError: It took too long.
        """
        try:
            with anyio.fail_after(timeout):
                stream = self._secured[-1] if self._secured else self._bottom
                return await stream.receive(READ_BYTES)
        except anyio.EndOfStream:
            return b""
        except TimeoutError:
            raise
        except BROKEN:
            raise BrokenWire from None

    async def secure(self, context: ssl.SSLContext, host: str, timeout: float | None) -> None:
        """Put TLS on top of what there is.

        Raises:
            TransportFailure: The handshake failed or took too long.
        """
        try:
            with bounded(timeout, f"securing the connection to {host}"):
                below = self._secured[-1] if self._secured else self._bottom
                wrapped = await anyio.streams.tls.TLSStream.wrap(
                    below, ssl_context=context, hostname=host, standard_compatible=False
                )
        except (*BROKEN, anyio.EndOfStream) as error:
            raise tls_failure(error, host) from None
        self._secured.append(wrapped)

    @property
    def has_input(self) -> bool:
        """Whether there is something to read. On an idle connection that means: its server has closed it."""
        return self._bottom.has_input

    def drop(self) -> None:
        """Close at once, without awaiting or saying goodbye."""
        self._bottom.drop()

    async def aclose(self) -> None:
        """Close, and tell a task that still waits for the connection."""
        await self._bottom.aclose()


async def dial(
    origin: Origin, proxy: Proxy | None, resolver: Resolver, options: TransportOptions, timeout: float | None
) -> Wire:
    """Connect to an origin.

    Args:
        origin: Where to.
        proxy: Through what; an http origin behind an http proxy ends at the proxy, which is sent whole URLs.
        resolver: Looks up names.
        options: Whom to trust.
        timeout: Seconds for each step: TCP, the proxy's consent, each TLS handshake.

    Raises:
        TransportFailure: No connection; nothing was sent.
    """
    if proxy is None:
        wire = Wire(await reach(origin.host, origin.port, resolver, timeout))
    else:
        wire = Wire(await reach(proxy.host, proxy.port, resolver, timeout, proxy))
    try:
        if proxy is not None:
            await _pass_through(proxy, wire, origin, options, timeout)
        if origin.scheme == "https":
            await wire.secure(shared_context(options.verify, trust_env=options.trust_env), origin.host, timeout)
    except BaseException:
        wire.drop()
        raise
    return wire


async def reach(
    host: str, port: int, resolver: Resolver, timeout: float | None, proxy: Proxy | None = None
) -> TcpStream:
    """Connect by TCP.

    Raises:
        TransportFailure: No connection; for a proxy always with the reason "proxy".
    """
    where = f"the proxy {proxy.url}" if proxy else f"{host}:{port}"
    with bounded(timeout, f"connecting to {where}"):
        try:
            addresses = await resolver.addresses(host, port)
        except (OSError, UnicodeError):
            detail = f"no address found for {where if proxy else f'the host {host}'}"
            raise TransportFailure("proxy" if proxy else "dns", sent=False, detail=detail) from None
        try:
            return await connect(addresses)
        except OSError as error:
            words = os.strerror(error.errno).lower() if error.errno else "unknown reason"
            detail = f"could not connect to {where}: {words}"
            raise TransportFailure("proxy" if proxy else "refused", sent=False, detail=detail) from None


@contextmanager
def bounded(timeout: float | None, doing: str) -> Iterator[None]:
    """Bound a step of connecting."""
    try:
        with anyio.fail_after(timeout):
            yield
    except TimeoutError:
        detail = f"{doing} took longer than {timeout:g} s"
        raise TransportFailure("timeout", sent=False, detail=detail) from None


async def _pass_through(
    proxy: Proxy, wire: Wire, origin: Origin, options: TransportOptions, timeout: float | None
) -> None:
    if proxy.scheme == "https":
        await wire.secure(shared_context(options.verify, trust_env=options.trust_env), proxy.host, timeout)
    if proxy.is_socks:
        async with _asking(proxy, timeout):
            await _socks(proxy, wire, origin, timeout)
    elif origin.scheme == "https":
        async with _asking(proxy, timeout):
            await _tunnel(proxy, wire, origin, timeout)


@asynccontextmanager
async def _asking(proxy: Proxy, timeout: float | None) -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError:
        detail = f"the proxy {proxy.url} took longer than {timeout:g} s to answer"
        raise TransportFailure("timeout", sent=False, detail=detail) from None
    except BrokenWire:
        raise _refusal(proxy, "it closed the connection") from None
    except h11.ProtocolError:
        raise _refusal(proxy, "its answer is not valid HTTP") from None


async def _tunnel(proxy: Proxy, wire: Wire, origin: Origin, timeout: float | None) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    place = f"{host}:{origin.port}".encode()
    headers = [(b"Host", place)]
    if (authorization := proxy.authorization) is not None:
        headers.append((b"Proxy-Authorization", authorization.encode()))
    talk = h11.Connection(h11.CLIENT)
    asked = talk.send(h11.Request(method=b"CONNECT", target=place, headers=headers)) or b""
    await wire.write(asked + (talk.send(h11.EndOfMessage()) or b""), timeout)
    while not isinstance(answer := talk.next_event(), h11.Response):
        if answer is h11.NEED_DATA:
            data = await wire.read(timeout)
            if not data:
                raise BrokenWire
            talk.receive_data(data)
    if not 200 <= answer.status_code < 300:
        raise _refusal(proxy, f"it answered {answer.status_code}")


async def _socks(proxy: Proxy, wire: Wire, origin: Origin, timeout: float | None) -> None:
    """SOCKS 5 (RFC 1928, RFC 1929). The proxy looks the name up, as it does for httpx."""
    answers = _Exactly(wire, timeout)
    await wire.write(b"\x05\x01\x00" if proxy.username is None else b"\x05\x02\x00\x02", timeout)
    version, method = await answers.take(2)
    if version != 5:
        raise _refusal(proxy, "it does not speak SOCKS 5")
    if method == 2 and proxy.username is not None:
        name, password = proxy.username.encode()[:255], proxy.password.encode()[:255]
        await wire.write(b"\x01%c%b%c%b" % (len(name), name, len(password), password), timeout)
        if (await answers.take(2))[1] != 0:
            raise _refusal(proxy, "it does not accept the user name and password")
    elif method != 0:
        raise _refusal(proxy, "it asks for another way to log in")
    await wire.write(b"\x05\x01\x00" + _socks_place(origin), timeout)
    _, reply, _, kind = await answers.take(4)
    if reply != 0:
        raise _refusal(proxy, _SOCKS_REPLIES.get(reply, f"reply {reply}"))
    length = {1: 4, 4: 16}.get(kind) or (await answers.take(1))[0]
    await answers.take(length + 2)


def _socks_place(origin: Origin) -> bytes:
    port = origin.port.to_bytes(2, "big")
    try:
        address = ipaddress.ip_address(origin.host)
    except ValueError:
        name = origin.host.encode()[:255]
        return b"\x03%c%b" % (len(name), name) + port
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed + port


class _Exactly:
    """Reads as many bytes as asked for."""

    def __init__(self, wire: Wire, timeout: float | None) -> None:
        self._wire = wire
        self._timeout = timeout
        self._buffer = b""

    async def take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = await self._wire.read(self._timeout)
            if not data:
                raise BrokenWire
            self._buffer += data
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def _refusal(proxy: Proxy, why: str) -> TransportFailure:
    return TransportFailure("proxy", sent=False, detail=f"the proxy {proxy.url} refused: {why}")
