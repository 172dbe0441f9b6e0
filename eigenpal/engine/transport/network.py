"""How httpcore reaches the network in this package: our sockets below, our failures out.

A failure is described here, where it happens, because only here is known what was being done: looking up a name,
connecting, securing, reading or writing, and whether the request could already be on its way.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.abc
import anyio.streams.tls

from eigenpal.engine.transport.port import FailureReason, TransportFailure
from eigenpal.engine.transport.proxies import Proxy
from eigenpal.engine.transport.sockets import Resolver, TcpStream, connect, is_readable


class Network:
    """The network as one connection sees it; an async network backend of httpcore.

    Attributes:
        ready: Whether the layers up to the server stand, so that what is written may be part of the request. With a
            tunnel that is after the proxy has opened it and TLS with the server is up.
    """

    def __init__(self, resolver: Resolver, *, proxy: Proxy | None, secure: bool, write_error: type[Exception]) -> None:
        self._resolver = resolver
        self._proxy = proxy
        self._layers_missing = int(secure) + int(proxy is not None and proxy.scheme == "https")
        self._streams: list[TcpStream] = []
        self.write_error = write_error
        self.ready = False

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: Any = None, socket_options: Any = None
    ) -> NetworkStream:
        where = f"the proxy {self._proxy.url}" if self._proxy else f"{host}:{port}"
        with self.bounded(timeout, f"connecting to {where}"):
            try:
                addresses = await self._resolver.addresses(host, port)
            except (OSError, UnicodeError):
                raise self._unconnected("dns", f"no address found for the host {host}") from None
            try:
                stream = await connect(addresses)
            except OSError as error:
                raise self._unconnected("refused", f"could not connect to {where}: {_in_words(error)}") from None
        self._streams.append(stream)
        self.ready = not self._layers_missing
        return NetworkStream(self, stream, stream)

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise NotImplementedError("addresses of this package are http and https")

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("the engine is never asked to retry")

    @property
    def is_open(self) -> bool:
        return any(stream.socket.fileno() >= 0 for stream in self._streams)

    def layer_added(self) -> None:
        self._layers_missing -= 1
        self.ready = not self._layers_missing

    def drop(self) -> None:
        """Close every socket at once, without awaiting or saying goodbye."""
        for stream in self._streams:
            stream.drop()

    async def aclose(self) -> None:
        """Close every socket, and tell tasks that still wait for one."""
        for stream in self._streams:
            await stream.aclose()

    def broken(self, doing: str) -> TransportFailure:
        """The connection broke, before or after the request could have been seen."""
        if self.ready:
            return TransportFailure("broken", sent=True, detail=f"the connection broke while {doing}")
        return self._unconnected("broken", f"the connection broke while {doing}")

    @contextmanager
    def bounded(self, timeout: float | None, doing: str) -> Iterator[None]:
        try:
            with anyio.fail_after(timeout):
                yield
        except TimeoutError:
            detail = f"{doing} took longer than {timeout:g} s"
            raise TransportFailure("timeout", sent=self.ready, detail=detail) from None

    def _unconnected(self, reason: FailureReason, detail: str) -> TransportFailure:
        return TransportFailure("proxy" if self._proxy else reason, sent=False, detail=detail)


class NetworkStream:
    """One layer of a connection, plain or secured; an async network stream of httpcore."""

    def __init__(self, network: Network, bottom: TcpStream, stream: anyio.abc.ByteStream) -> None:
        self._network = network
        self._bottom = bottom
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._network.bounded(timeout, "waiting for the answer"):
            try:
                return await self._stream.receive(max_bytes)
            except anyio.EndOfStream:
                return b""
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError):
                raise self._network.broken("waiting for the answer") from None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        with self._network.bounded(timeout, "sending the request"):
            try:
                await self._stream.send(buffer)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError):
                # httpcore's own error: it makes it look for an answer that the server gave before closing.
                raise self._network.write_error from None

    async def aclose(self) -> None:
        await self._bottom.aclose()  # no TLS goodbye: it could block, and HTTP marks its own ends

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        try:
            with self._network.bounded(timeout, f"securing the connection to {server_hostname}"):
                secured = await anyio.streams.tls.TLSStream.wrap(
                    self._stream, ssl_context=ssl_context, hostname=server_hostname, standard_compatible=False
                )
        except BaseException as error:
            self._bottom.drop()
            if isinstance(error, (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError, OSError)):
                raise tls_failure(error, server_hostname) from None
            raise
        self._network.layer_added()
        return NetworkStream(self._network, self._bottom, secured)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._stream.extra(anyio.streams.tls.TLSAttribute.ssl_object, None)
        if info == "is_readable":
            return is_readable(self._bottom.socket.fileno())
        if info == "socket":
            return self._bottom.socket
        return None
