"""TCP on plain non-blocking sockets: name lookup, connecting by the fastest address, reading, writing.

The sockets are ours alone and are registered with an event loop only while a task waits for them. So one can be
dropped at any moment without a loop: after the loop has ended, in a forked child, while a cancellation is under way.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
from anyio.abc import SocketAttribute

NEXT_ADDRESS_SECONDS = 0.25  # RFC 8305 recommends it as the pause before the next address is tried beside the first
KNOWN_ADDRESSES_SECONDS = 10.0  # as long as aiohttp's; spares a burst of new connections one lookup each
TURN_BYTES = 64 * 1024  # a longer write gives others a turn even where the kernel took it at once
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, 10035, 10036}  # the numbers are those of Windows

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class TcpStream(anyio.abc.ByteStream):
    """One connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while True:
            if self.socket.fileno() < 0:
                raise anyio.ClosedResourceError
            await anyio.wait_readable(self.socket)
            try:
                data = self.socket.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                raise anyio.BrokenResourceError from error
            if not data:
                raise anyio.EndOfStream
            return data

    async def send(self, item: bytes | memoryview) -> None:
        rest = memoryview(item)[self.send_now(item) :]
        while rest:
            await anyio.wait_writable(self.socket)
            rest = rest[self.send_now(rest) :]
        if len(item) >= TURN_BYTES:
            await anyio.lowlevel.checkpoint()

    def send_now(self, item: bytes | memoryview) -> int:
        """Send as much as the kernel takes at once; return how many bytes that was."""
        try:
            return self.socket.send(item)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    @property
    def has_input(self) -> bool:
        """Whether a read would return at once."""
        return is_readable(self.socket.fileno())

    async def aclose(self) -> None:
        if self.socket.fileno() >= 0:
            anyio.notify_closing(self.socket)
            self.drop()

    def drop(self) -> None:
        """Close the descriptor, and nothing else: no goodbye is sent that a parent process could suffer from."""
        self.socket.close()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return {
            SocketAttribute.raw_socket: lambda: self.socket,
            SocketAttribute.local_address: self.socket.getsockname,
            SocketAttribute.remote_address: self.socket.getpeername,
            SocketAttribute.family: lambda: self.socket.family,
        }


def is_readable(descriptor: int) -> bool:
    """Whether a read would return at once. An idle connection with something to read has been closed by its server."""
    if descriptor < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])  # Windows, where it takes descriptors of any size


class Resolver:
    """Name lookup that asks once for all who ask at the same time. Belongs to one event loop."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._asking: dict[tuple[str, int], anyio.Lock] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Return where to connect to, in the order to try.

        Raises:
            OSError: No such name, or the lookup failed.
        """
        if (address := _numeric(host, port)) is not None:
            return [address]
        place = (host, port)
        async with self._asking.setdefault(place, anyio.Lock()):
            expires, found = self._known.get(place, (0.0, []))
            if expires < anyio.current_time():
                answers = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found = _alternating([(family, sockaddr) for family, _, _, _, sockaddr in answers])
                self._known[place] = (anyio.current_time() + KNOWN_ADDRESSES_SECONDS, found)
            return found


def _numeric(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family, (host, port)
    return None


def _alternating(addresses: list[Address]) -> list[Address]:
    """Change between families, the first one's first, so that one broken family costs one pause only."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    other = [address for address in addresses if address[0] != addresses[0][0]]
    mixed: list[Address] = []
    for index in range(max(len(first), len(other))):
        mixed += first[index : index + 1] + other[index : index + 1]
    return mixed


async def connect(addresses: list[Address]) -> TcpStream:
    """Connect to whichever address answers first; each further one joins the race after a short pause.

    Raises:
        OSError: None could be connected to; what the first one said.
    """
    if len(addresses) == 1:
        return TcpStream(await _connect_one(addresses[0]))
    winner: list[socket.socket] = []
    failures: list[OSError] = []

    async def run(address: Address, failed: anyio.Event) -> None:
        try:
            sock = await _connect_one(address)
        except OSError as error:
            failures.append(error)
            failed.set()
            return
        if winner:
            sock.close()
        else:
            winner.append(sock)
            race.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as race:
            for address in addresses:
                failed = anyio.Event()
                race.start_soon(run, address, failed)
                with anyio.move_on_after(NEXT_ADDRESS_SECONDS):
                    await failed.wait()
    except BaseException:
        for sock in winner:
            sock.close()
        raise
    if winner:
        return TcpStream(winner[0])
    raise failures[0]


async def _connect_one(address: Address) -> socket.socket:
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(place)
        if code in _UNDER_WAY:
            await anyio.wait_writable(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, errno.errorcode.get(code, "unknown error"))
    except BaseException:
        sock.close()
        raise
    return sock
