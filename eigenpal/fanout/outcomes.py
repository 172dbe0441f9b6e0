"""What a batch gives its caller: an async iterator of outcomes that can be left at any point, in any way."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from eigenpal.engine.files import is_mapping
from eigenpal.engine.session import Session
from eigenpal.fanout.background import Background
from eigenpal.fanout.batch import Batch, Reader
from eigenpal.fanout.options import Options
from eigenpal.fanout.outcome import Outcome

O_co = TypeVar("O_co", bound=Outcome[Any], covariant=True)


class Outcomes(Generic[O_co]):
    """The outcomes of a batch, as they come: read them with `async for`.

    The batch begins with the first outcome that is asked for. It goes on between two outcomes while the caller does
    something else, up to twice its concurrency ahead. Leaving the loop ends it: what is left is cancelled. With
    `async with`, or after `aclose()`, that is over when the block is left; without, it happens in the background.

    Example:
        ```python
        async with client.run_many("workflows.extract-invoice", inputs) as outcomes:
            async for outcome in outcomes:
                if not outcome.ok:
                    break
        ```
    """

    def __init__(
        self,
        inputs: object,
        read: Reader,
        options: Options,
        *,
        hold: Callable[[object, Callable[[], Awaitable[None]]], None],
        release: Callable[[object], None],
    ) -> None:
        """Check the inputs; nothing is begun.

        Args:
            inputs: What is to be done.
            read: Makes jobs of inputs.
            options: How.
            hold: Called when the batch begins, with it and what ends it: its client ends it before closing.
            release: Called with it when it has ended.

        Raises:
            EigenpalInputError: The inputs are none, or what draws a progress bar is not installed.
        """
        batch = self._batch = Batch(inputs, read, options)
        background = self._background = Background(batch.run, batch.leaving, lambda: _ended(batch, release))
        self._hold: Callable[[], None] = lambda: hold(batch, background.aclose)
        self._closed = False
        self._raised = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> O_co:
        """Return the next outcome.

        Raises:
            EigenpalInputError: The journal is in use, none, or one of another batch.
            EigenpalError: The journal can't be written; or with `on_unknown="raise"`, it can't be told whether an input
                was started.
            Exception: What the inputs or `on_progress` raised.
        """
        batch = self._batch
        if not self._background.begun and not self._closed:
            self._begin()
        while not batch.ready or self._closed:
            if self._closed or self._background.finished:
                self._end()
            try:
                await batch.news()
            except BaseException:  # cancelled, a deadline, Ctrl-C: who asked is gone, and with it the batch
                await self.aclose()
                raise
        return cast("O_co", batch.read_one())

    def take_ready(self) -> list[O_co]:
        """Return the outcomes that are there already."""
        return [cast("O_co", self._batch.read_one()) for _ in range(len(self._batch.ready))]

    async def aclose(self) -> None:
        """End the batch and wait until it has: nothing runs after this. Closing twice is fine."""
        self._closed = True
        await self._background.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _begin(self) -> None:
        self._hold()
        self._background.start()
        forgotten: weakref.finalize[..., Any] = weakref.finalize(self, self._background.abandon)
        forgotten.atexit = False

    def _end(self) -> None:
        error = self._batch.error or self._background.error
        if error is None or self._closed or self._raised:
            raise StopAsyncIteration
        self._raised = True
        raise error


def _ended(batch: Batch, release: Callable[[object], None]) -> None:
    release(batch)
    batch.tell()


def outcomes_of(
    sessions: Sequence[Session], inputs: object, read: Reader, *, noun: str, identity: str, **options: Any
) -> Outcomes[Any]:
    """Return the outcomes of a batch that clients do with their calls; it ends before one of them closes.

    Args:
        sessions: How the clients call their services.
        inputs: What is to be done; a mapping has the keys and the inputs.
        read: Makes jobs of inputs.
        noun: What one piece of work is called.
        identity: What this batch is, in words that are the same whenever it is run again.
        options: Other members of `Options`.

    Raises:
        EigenpalInputError: The inputs are none, an option can't work, or what draws a bar is not installed.
    """
    policy = sessions[0].policy
    how = Options(noun=noun, identity=identity, sleep=policy.sleep, clock=policy.clock, **options)

    def hold(batch: object, close: Callable[[], Awaitable[None]]) -> None:
        for session in sessions:
            session.connections.hold(batch, close)

    def release(batch: object) -> None:
        for session in sessions:
            session.connections.release(batch)

    given: object = inputs.items() if is_mapping(inputs) else inputs
    return Outcomes(given, read, how, hold=hold, release=release)
