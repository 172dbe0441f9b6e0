"""Working off a batch: taking inputs while there is room, one task for each, outcomes as they come. Runs in one task.

How one input lives is in `life.py`; how the outcomes are read, in `outcomes.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio
from anyio import CancelScope, Semaphore
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.bars import make_bar
from eigenpal.fanout.folders import folder_name
from eigenpal.fanout.inputs import END, Inputs
from eigenpal.fanout.journal import JournalError, OtherInputError
from eigenpal.fanout.ledger import Ledger, open_ledger
from eigenpal.fanout.life import Life, UnknownStart
from eigenpal.fanout.options import Options
from eigenpal.fanout.outcome import Outcome
from eigenpal.fanout.progress import Counter, Reporter
from eigenpal.fanout.work import Job

Reader = Callable[[Any, int], Job | Outcome[Any]]
"""Makes a job of an input and its index; of one that can't be a job, the outcome with its error."""

INPUTS_A_TURN: Final = 10  # each is started at once: 10 ms before other tasks get their turn
LEAVING_SECONDS: Final = 2.0  # for requests that start something when the batch is left: most take far less


class Batch:
    """A batch at work.

    Args:
        inputs: What is to be done.
        read: Makes jobs of inputs.
        options: How.

    Attributes:
        ready: Outcomes that nobody has read yet, in the order they are to be read.
        error: What ended the batch before its time, None as long as nothing did.

    Raises:
        EigenpalInputError: The inputs are none, or what draws a progress bar is not installed.
    """

    def __init__(self, inputs: object, read: Reader, options: Options) -> None:
        self.ready: deque[Outcome[Any]] = deque()
        self.error: BaseException | None = None
        self._inputs = Inputs(inputs)
        self._read = read
        self._options = options
        self._counter = Counter(self._inputs.total, options.clock)
        self._bar = make_bar(options.noun) if options.progress else None
        listeners = [options.on_progress, None if self._bar is None else self._bar.show]
        self._reporter = Reporter(self._counter, [one for one in listeners if one is not None], options.sleep)
        self._out_of_turn: dict[int, Outcome[Any]] = {}
        self._next_index = 0
        self._folders: set[str] = set()
        self._lives: set[Life] = set()
        self._sending: set[CancelScope] = set()
        self._taking = CancelScope()
        self._cancelling: TaskGroup | None = None
        self._working = CancelScope()
        self._news: anyio.Event | None = None
        # Work goes on while an outcome is looked at, but not for ever while nobody looks.
        self._room = Semaphore(2 * options.concurrency, fast_acquire=True)
        self._slots = Semaphore(options.concurrency, fast_acquire=True)

    # ------------------------------------------------------------------------------------------ for the reader

    async def news(self) -> None:
        """Return when there is an outcome to read, or the batch may have ended."""
        if self._news is None or self._news.is_set():
            self._news = anyio.Event()
        await self._news.wait()

    def tell(self) -> None:
        """Wake whoever waits for news."""
        if self._news is not None:
            self._news.set()

    def read_one(self) -> Outcome[Any]:
        """Return the first outcome that nobody has read, and make room for another input."""
        outcome = self.ready.popleft()
        self._room.release()
        return outcome

    def leaving(self) -> None:
        """Let requests that start something end: cut off, they would leave open whether it runs."""
        for scope in self._sending:
            scope.deadline = min(scope.deadline, anyio.current_time() + LEAVING_SECONDS)

    # ------------------------------------------------------------------------------------------ the work

    async def run(self) -> None:
        """Work it off."""
        try:
            with self._working:
                async with (
                    open_ledger(self._options.journal, self._options.identity) as ledger,
                    anyio.create_task_group() as beside,
                ):
                    beside.start_soon(self._report)
                    async with anyio.create_task_group() as lives:
                        with self._taking:
                            await self._take_all(lives, ledger)
                    beside.cancel_scope.cancel()
            for index in sorted(self._out_of_turn):  # something ended without an outcome, and these waited for it
                self._deliver(self._out_of_turn.pop(index))
            await self._reporter.report()
        finally:
            if self._bar is not None:
                self._bar.close()

    async def _report(self) -> None:
        try:
            await self._reporter.run()
        except Exception as error:  # noqa: BLE001 - of a user's callback; raised where the outcomes are read
            self._end(error, at_once=True)

    async def _take_all(self, lives: TaskGroup, ledger: Ledger) -> None:
        """Take inputs, each when there is room for it, until there are none or the batch is to end."""
        index = 0
        try:
            while True:
                await self._room.acquire()
                await self._slots.acquire()
                if (entry := await self._inputs.take()) is END:
                    return
                if index % INPUTS_A_TURN == INPUTS_A_TURN - 1:
                    await checkpoint()
                prepared = self._prepared(entry, index, ledger)
                index += 1
                if isinstance(prepared, Life):
                    self._counter.starting += 1
                    self._lives.add(prepared)
                    lives.start_soon(self._live, prepared, lives)
                else:
                    self._slots.release()
                    self._in_turn(prepared, lives)
                self._reporter.touch()
        except Exception as error:  # noqa: BLE001 - of the user's inputs; raised where the outcomes are read
            self._end(error)
        finally:
            await self._inputs.aclose()

    def _prepared(self, entry: Any, index: int, ledger: Ledger) -> Life | Outcome[Any]:
        """Return an input that is ready to be worked on, or the outcome of one that can't be."""
        job = self._read(entry, index)
        if not isinstance(job, Job):
            return job
        try:
            folder = self._folder(job)
        except EigenpalInputError as refused:
            return job.work.outcome(key=job.key, index=index, error=refused)
        return Life(job, self._options, ledger, folder, self._note_running, self._sending)

    async def _live(self, life: Life, lives: TaskGroup) -> None:
        """Do one piece of work, and make room for the next."""
        outcome: Outcome[Any] | None = None
        try:
            outcome = await life.outcome()
        except UnknownStart as unknown:
            self._end(unknown.error)
        except OtherInputError as other:
            self._end(other)
        except JournalError as broken:
            self._end(broken, at_once=True)
        finally:
            self._lives.discard(life)
            if life.running:
                self._counter.running -= 1
            else:
                self._counter.starting -= 1
        if outcome is not None:
            self._in_turn(outcome, lives)
        self._slots.release()  # at the end: what stops the batch must be known before another input is taken

    def _note_running(self, life: Life) -> None:
        life.running = True
        self._counter.starting -= 1
        self._counter.running += 1
        self._reporter.touch()
        if self._cancelling is not None:
            self._cancelling.start_soon(life.cancel)

    def _stop(self, lives: TaskGroup) -> None:
        """Take no more inputs, and have what is under way cancelled if that was asked for."""
        self._taking.cancel()
        if self._options.cancel_running and self._cancelling is None:
            self._cancelling = lives
            for life in self._lives:
                lives.start_soon(life.cancel)

    def _folder(self, job: Job) -> Path | None:
        """Return the folder for the files of an input, which no other input has.

        Raises:
            EigenpalInputError: Another input has it.
        """
        if self._options.save_artifacts is None:
            return None
        name = folder_name(job.key)
        if name.casefold() in self._folders:  # many file systems take `A` and `a` for one
            raise EigenpalInputError(
                f"the key {job.key!r} is that of an earlier input, or differs from it by case alone: their files would "
                "be mixed up in one folder; give every input a key of its own"
            )
        self._folders.add(name.casefold())
        return self._options.save_artifacts / name

    def _in_turn(self, outcome: Outcome[Any], lives: TaskGroup) -> None:
        """Deliver an outcome, in order if that was asked for; and stop over it if that was."""
        if not self._options.ordered:
            self._deliver(outcome)
        else:
            self._out_of_turn[outcome.index] = outcome
            while (following := self._out_of_turn.pop(self._next_index, None)) is not None:
                self._next_index += 1
                self._deliver(following)
        if self._options.stop_on_failure and not outcome.ok:
            self._stop(lives)

    def _deliver(self, outcome: Outcome[Any]) -> None:
        if outcome.ok:
            self._counter.succeeded += 1
        else:
            self._counter.failed += 1
        self._counter.restored += outcome.restored
        self.ready.append(outcome)
        self._reporter.touch()
        self.tell()

    def _end(self, error: BaseException, *, at_once: bool = False) -> None:
        """Take no more inputs, and raise an error when what is under way has ended; or end that too."""
        if self.error is None:
            self.error = error
        self._taking.cancel()
        if at_once:
            self.leaving()
            self._working.cancel()
