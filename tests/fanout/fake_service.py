"""A service in this process that does what a test says: fan-out needs no HTTP, and knows no runs."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import attrs
from anyio.lowlevel import checkpoint

from eigenpal.errors import EigenpalError, EigenpalInputError
from eigenpal.fanout.options import Options
from eigenpal.fanout.outcome import Outcome
from eigenpal.fanout.outcomes import Outcomes
from eigenpal.fanout.work import Found, Job, Known, Work


@attrs.frozen
class Piece:
    """What the service made of one request."""

    id: str
    request: Any = None
    succeeded: bool = True
    status: str = "done"
    is_terminal: bool = True
    needs_human: bool = False
    result: Any = None
    error: Any = None
    usage: Any = None


@attrs.define
class FakeService:
    """Starts whatever it is given, at once; a test replaces what it wants to go otherwise.

    Attributes:
        made: Token to id of everything that really runs.
        at_work: How many are waited for just now.
        most_at_work: The most that were.
        cancelled: Ids that were asked to stop.
        looks: Tokens that were looked for.
        on_start: Called with the request before it is started; may raise.
        after_start: Called with the request after it was started; may raise, and then the answer is lost.
        on_wait: Awaited with the request before the result is there.
        on_cancel: Called with an id that was asked to stop.
        on_find: Answers instead of looking, if it gives anything but `...`.
    """

    made: dict[str, str] = attrs.field(factory=dict[str, str])
    requests: dict[str, Any] = attrs.field(factory=dict[str, Any])
    starts: list[Any] = attrs.field(factory=list[Any])
    at_work: int = 0
    most_at_work: int = 0
    cancelled: list[str] = attrs.field(factory=list[str])
    looks: list[str] = attrs.field(factory=list[str])
    on_start: Callable[[Any], Awaitable[object]] | None = None
    after_start: Callable[[Any], Awaitable[object]] | None = None
    on_wait: Callable[[Any], Awaitable[object]] | None = None
    on_cancel: Callable[[str], Awaitable[object]] | None = None
    on_find: Callable[[str], Found | Any] = lambda _token: ...
    _numbers: Any = attrs.field(factory=itertools.count)

    async def start(self, request: Any, token: str) -> str:
        self.starts.append(request)
        if self.on_start is not None:
            await self.on_start(request)
        made = self.made[token] = f"id-{next(self._numbers)}"
        self.requests[made] = request
        if self.after_start is not None:
            await self.after_start(request)
        return made

    async def wait(self, made: str, seconds: float | None, just_started: bool) -> Piece:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            if self.on_wait is not None:
                await self.on_wait(self.requests[made])
            else:
                await checkpoint()
        finally:
            self.at_work -= 1
        request = self.requests[made]
        return Piece(made, request, succeeded=request != "bad")

    async def cancel(self, made: str) -> None:
        await checkpoint()
        self.cancelled.append(made)
        if self.on_cancel is not None:
            await self.on_cancel(made)

    async def find(self, request: Any, token: str, since: datetime, known: Known) -> Found:
        await checkpoint()
        self.looks.append(token)
        answer = self.on_find(token)
        found: Found = self.made.get(token) if answer is ... else answer
        return found

    async def fingerprint(self, request: Any) -> str:
        return repr(request)

    async def save(self, piece: Piece, folder: Path) -> Sequence[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "result.txt"
        file.write_text(repr(piece.request), encoding="utf-8")
        return [file]

    @property
    def work(self) -> Work[Piece]:
        return Work(
            service="fake",
            noun="piece",
            start=self.start,
            wait=self.wait,
            cancel=self.cancel,
            find=self.find,
            fingerprint=self.fingerprint,
            dump=lambda piece: [piece.id, piece.request, piece.succeeded],
            load=lambda kept: Piece(*kept),
            save=self.save,
        )

    def read(self, entry: Any, index: int) -> Job | Outcome[Any]:
        """Read an input: a pair of a key and a request, or a request."""
        key, request = entry if isinstance(entry, tuple) else (str(index), entry)
        if request == "none":
            return Outcome(key=key, index=index, error=EigenpalInputError("this is no input"))
        return Job(key, index, self.work, request)


@attrs.define
class Client:
    """What holds connections: remembers what goes on over them."""

    users: dict[int, Callable[[], Awaitable[None]]] = attrs.field(factory=dict[int, Any])

    def hold(self, user: object, close: Callable[[], Awaitable[None]]) -> None:
        self.users[id(user)] = close

    def release(self, user: object) -> None:
        self.users.pop(id(user), None)


async def no_pause(seconds: float) -> None:
    await checkpoint()


def batch(service: FakeService, inputs: Any, *, client: Client | None = None, **options: Any) -> Outcomes[Outcome[Any]]:
    """Return the outcomes of a batch on the fake service."""
    holder = client or Client()
    settings = {"noun": "piece", "identity": "a test", "concurrency": 4, "sleep": no_pause, **options}
    return Outcomes(inputs, service.read, Options(**settings), hold=holder.hold, release=holder.release)


async def all_of(outcomes: Outcomes[Outcome[Any]]) -> list[Outcome[Any]]:
    return [outcome async for outcome in outcomes]


def lost(message: str = "the answer was lost") -> EigenpalError:
    """Return the error of a start that may have begun."""
    from eigenpal.errors import EigenpalConnectionError

    return EigenpalConnectionError(message, maybe_started=True)


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await checkpoint()
        yield number


async def for_ever(_: object = None) -> None:
    await anyio.sleep_forever()
