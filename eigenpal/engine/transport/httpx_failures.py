"""The errors of httpx (or httpx2, which has the same) as ours: what went wrong, and whether it had arrived."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from types import ModuleType
from typing import cast

from eigenpal.engine.transport.address import Origin
from eigenpal.engine.transport.port import TransportFailure
from eigenpal.engine.transport.proxies import Proxy
from eigenpal.engine.transport.tls import tls_failure


def unsendable() -> TransportFailure:
    """Say that the request can't be sent, but not which header value it is about: that may be the key."""
    detail = "a header, the method or the address holds characters that can't be sent"
    return TransportFailure("protocol", sent=False, detail=detail)


def failure_of(
    library: ModuleType,
    error: Exception,
    *,
    origin: Origin,
    proxy: Proxy | None,
    timeout: float | None,
    handed_over: bool,
    begun: bool,
) -> TransportFailure | None:
    """Translate an error of httpx.

    Args:
        library: httpx or httpx2.
        error: What was raised.
        origin: Where the request was to go.
        proxy: Through what, as far as we know.
        timeout: The bound on each step.
        handed_over: Whether the request had a connection to go over.
        begun: Whether its body had begun to be sent.

    Returns:
        The failure; None when it is no error of the library.
    """
    limit = f"took longer than {timeout:g} s" if timeout is not None else "took too long"
    if isinstance(error, (library.ConnectTimeout, library.PoolTimeout)):
        return TransportFailure("timeout", sent=False, detail=f"connecting to {_place(origin, proxy)} {limit}")
    if isinstance(error, library.TimeoutException):
        return TransportFailure("timeout", sent=handed_over, detail=f"the server {limit}")
    if isinstance(error, library.ConnectError):
        return _unconnected(error, origin, proxy)
    if isinstance(error, library.ProxyError):
        return TransportFailure("proxy", sent=False, detail=f"the proxy refused: {_status_of(error)}")
    if isinstance(error, (library.UnsupportedProtocol, library.InvalidURL)):
        return TransportFailure("protocol", sent=False, detail="the address can't be sent to")
    if isinstance(error, library.LocalProtocolError):
        if begun:
            return TransportFailure("protocol", sent=True, detail="the body can't be sent as HTTP")
        return unsendable()
    if not isinstance(error, library.TransportError):
        return None
    if not handed_over:
        return TransportFailure("proxy" if proxy else "broken", sent=False, detail="the connection was closed at once")
    text = str(error)
    if isinstance(error, library.RemoteProtocolError) and not any(words in text for words in _CLOSED):
        return TransportFailure("protocol", sent=True, detail="the answer is not valid HTTP")
    return TransportFailure("broken", sent=True, detail="the connection was closed before the answer was whole")


_CLOSED = ("disconnected", "peer closed", "peer unexpectedly closed", "ConnectionTerminated")


def _unconnected(error: BaseException, origin: Origin, proxy: Proxy | None) -> TransportFailure:
    place = _place(origin, proxy)
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return tls_failure(cause, origin.host)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            detail = f"no address found for {place}"
            return TransportFailure("proxy" if proxy else "dns", sent=False, detail=detail)
        if type(cause).__name__ in {"EndOfStream", "BrokenResourceError"}:  # of anyio or of trio
            return tls_failure(cause, origin.host)
    codes = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno]
    words = os.strerror(codes[-1]).lower() if codes else "unknown reason"
    detail = f"could not connect to {place}: {words}"
    return TransportFailure("proxy" if proxy else "refused", sent=False, detail=detail)


def _place(origin: Origin, proxy: Proxy | None) -> str:
    return f"the proxy {proxy.url}" if proxy else f"{origin.host}:{origin.port}"


def _status_of(error: Exception) -> str:
    # "407 Proxy Authentication Required"; the words are the proxy's, and only the number is sure to be harmless.
    number = str(error).partition(" ")[0]
    return f"it answered {number}" if number.isdigit() else "it could not connect"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything it was made from."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__context__, cause.__cause__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", cause).exceptions
