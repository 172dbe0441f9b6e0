"""The sockets under a connection: whether one has something to read, and closing one without its event loop.

Only for connections nobody uses any more. Nothing here awaits.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any


def readability(sock: Any) -> Callable[[], object]:
    """Return what tells whether a read from a socket would return at once, made once since it is asked often.

    An idle connection with something to read has been closed by its server.
    """
    descriptor = sock.fileno()
    if descriptor < 0:
        return lambda: True
    if not hasattr(select, "poll"):  # Windows, where select takes descriptors of any size
        return lambda: sock.fileno() < 0 or select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda: sock.fileno() < 0 or poll.poll(0)  # once closed, its descriptor may be that of another


def close_stream_now(stream: Any) -> None:
    """Close a network stream of httpcore within its event loop, without awaiting."""
    transport, sock = _under(stream)
    if transport is not None:
        transport.abort()
    elif sock is not None:
        sock.close()


def forget_stream(stream: Any) -> None:
    """Close the socket under a network stream of httpcore whose event loop is gone, or is the parent's."""
    transport, sock = _under(stream)
    if transport is not None:
        forget_transport(transport)
    elif (plain := getattr(sock, "_sock", None)) is not None:
        plain.close()


def _under(stream: Any) -> tuple[Any, Any]:
    """Return the transport of asyncio, or the socket of trio, that httpcore's stream stands on, secured or not."""
    layer = getattr(stream, "_stream", None)
    while (below := getattr(layer, "transport_stream", None)) is not None:
        layer = below
    return getattr(layer, "_transport", None), getattr(layer, "socket", None)


def forget_transport(transport: Any) -> None:
    """Close the socket under a transport of asyncio without its loop.

    Asking the transport to close would go through its loop, which is gone; in a forked child it would even take the
    socket out of the list of those the parent watches, which both share. So the descriptor is closed under it, which
    says no goodbye to the server either, and the transport is told, in the place its finalizer looks at, that there is
    nothing left to close. Where that place is missing, as with uvloop, the finalizer does its own work.
    """
    if (protocol := getattr(transport, "_ssl_protocol", None)) is not None:
        transport._closed = True
        transport = protocol._transport
    if (sock := getattr(transport, "_sock", None)) is not None:
        sock.close()
        transport._sock = None
