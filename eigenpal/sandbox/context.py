"""What a workflow function gets: its inputs and files, and ways to report steps, artifacts, usage and trace events.

Every method may be called from a worker thread or from the loop. What happens behind them is the recorder's business.
"""

from __future__ import annotations

import json
import mimetypes
import os
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeAlias, TypeVar

from eigenpal.sandbox.blobs import BlobFolder, read_pieces
from eigenpal.sandbox.calling import Stopped
from eigenpal.sandbox.clock import Clock, milliseconds
from eigenpal.sandbox.grammar import safe_path
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.rows import FileRow, StepRow
from eigenpal.sandbox.source_files import SourceFile
from eigenpal.sandbox.states import Event
from eigenpal.sandbox.store import Store

ArtifactData: TypeAlias = bytes | str | Path | Iterable[bytes]
Result = TypeVar("Result")

CANCELLED = "The run was cancelled."


class RunFailed(Exception):
    """Raise it in a workflow to fail the run with exactly this text."""


class RunCancelled(BaseException):
    """Raised by `checkpoint` when the run is to end; a BaseException, so that `except Exception` lets it pass."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file the run was started with.

    Attributes:
        name: File name as the client sent it.
        path: Where the bytes lie on disk; read only.
        content_type: Media type as sent, or guessed from the name.
        size: Bytes.
    """

    name: str
    path: Path
    content_type: str
    size: int

    def open(self) -> IO[bytes]:
        """Return the file, opened for reading."""
        return self.path.open("rb")

    def read_bytes(self) -> bytes:
        """Return all bytes."""
        return self.path.read_bytes()

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return all text.

        Args:
            encoding: How to decode it.
        """
        return self.path.read_text(encoding)


class Step:
    """A step while it runs; set `output` to record what it produced.

    Attributes:
        name: Name of the step.
        overridden: True when the client gave the output of this step; skip the work then, `output` already has it.
    """

    def __init__(self, name: str, *, overridden: bool = False, output: Any = None) -> None:
        self.name = name
        self.overridden = overridden
        self._output = output

    @property
    def output(self) -> Any:
        """What the step produced, any JSON; the output given by the client wins over one set here."""
        return self._output

    @output.setter
    def output(self, value: Any) -> None:
        if not self.overridden:
            self._output = value


class RunContext:
    """The run, as seen by the function that executes it.

    Attributes:
        run_id: Id of the run.
        input: The arguments, without files.
        files: The input files by input name; a list where the client repeated the part.
        metadata: What the client attached to the run.
        source: The source files of the version that runs, by path: `source["prompt.md"].read_text()`.
    """

    def __init__(
        self,
        *,
        run_id: str,
        arguments: Mapping[str, Any],
        metadata: Mapping[str, Any] | None,
        overrides: Mapping[str, Any],
        store: Store,
        blobs: BlobFolder,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self.run_id = run_id
        self.input = arguments
        self.files: Mapping[str, InputFile | list[InputFile]] = {}  # may change until the run begins to execute
        self.metadata: Mapping[str, Any] = metadata or {}
        self.source: Mapping[str, SourceFile] = {}  # set when the run begins to execute
        self._overrides = overrides
        self._store = store
        self._blobs = blobs
        self._ids = ids
        self._clock = clock
        self._cancelled = threading.Event()
        self._end_reason = CANCELLED
        self._lock = threading.Lock()
        self._positions = 0
        self._open_steps: list[str] = []
        self._usage: dict[str, float] = {}
        self._failure: tuple[BaseException, str] | None = None

    # Cancellation

    @property
    def cancel_requested(self) -> bool:
        """True once somebody asked for this run to be cancelled."""
        return self._cancelled.is_set()

    def checkpoint(self) -> None:
        """End the run here if its cancellation was asked for.

        Raises:
            RunCancelled: It was; let it pass.
        """
        if self._cancelled.is_set():
            raise RunCancelled(self.run_id)

    def sleep(self, seconds: float) -> None:
        """Wait, in a function that is not async; a cancellation ends the wait and the run.

        Args:
            seconds: How long.

        Raises:
            RunCancelled: The run was cancelled meanwhile.
        """
        self._cancelled.wait(seconds)
        self.checkpoint()

    @contextmanager
    def waiting(self) -> Generator[None]:
        """Show the run as `waiting` inside the block, as it is while a human or a tool has to answer."""
        self.checkpoint()
        self._store.advance(self.run_id, Event.PAUSE, self._now())
        try:
            yield
        finally:
            self._store.advance(self.run_id, Event.RESUME, self._now())
        self.checkpoint()

    # Steps

    @contextmanager
    def step(self, name: str) -> Generator[Step]:
        """Record a step: when it began and ended, its output, its error. Beginning one is a checkpoint.

        Args:
            name: Name of the step, as overrides and artifacts refer to it.

        Example:
            with context.step("extract") as step:
                if not step.overridden:
                    step.output = extract(text)
        """
        self.checkpoint()
        step = Step(name, overridden=name in self._overrides, output=self._overrides.get(name))
        with self._lock:
            self._positions += 1
            position = self._positions
        row = StepRow(
            id=self._ids.new("step"),
            run_id=self.run_id,
            position=position,
            name=name,
            status="running",
            output=None,
            error=None,
            override_mode="skipped" if step.overridden else None,
            started_at=self._now(),
            completed_at=None,
        )
        self._store.put_step(row)
        self._open_steps.append(name)
        try:
            yield step
            output = None if step.output is None else to_json(step.output, f"The output of step {name}")
        except BaseException as error:
            cancelled = self._cancelled.is_set()
            text = self._end_reason if cancelled else describe(error)
            self._store.put_step(replace(row, status="failure", error=text, completed_at=self._now()))
            if self._failure is None or self._failure[0] is not error:
                self._failure = (error, name)
            raise
        finally:
            self._open_steps.remove(name)
        status = "skipped" if step.overridden else "success"
        self._store.put_step(replace(row, status=status, output=output, completed_at=self._now()))

    def run_step(self, name: str, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Call a function as a step and return what it returns; when overridden, the given output instead.

        Args:
            name: Name of the step.
            function: What the step does; returns any JSON.
            args: Passed to the function.
            kwargs: Passed to the function.
        """
        with self.step(name) as step:
            if not step.overridden:
                step.output = function(*args, **kwargs)
        output: Result = step.output
        return output

    # Artifacts

    def write_artifact(
        self, name: str, data: ArtifactData, *, content_type: str | None = None, step: str | None = None
    ) -> str:
        """Keep a file as an output of the run; the same name again replaces it.

        Args:
            name: File name; may have folders, as in `reports/a.csv`.
            data: Bytes, text, the path of a file, or an iterable of bytes.
            content_type: Media type; guessed from the name unless given.
            step: The step that made it; the current one unless given.

        Returns:
            The artifact path, for example `output/a.csv`.

        Raises:
            ValueError: The name is absolute or leads out of its folder.
        """
        self.checkpoint()
        if not safe_path(name):
            raise ValueError(f"{name!r} can't be the name of an artifact: give a relative path without '..'.")
        made_by = step or (self._open_steps[-1] if self._open_steps else None)
        return self.write_file(f"output/{name}", data, content_type=content_type, step=made_by)

    def write_file(
        self, path: str, data: ArtifactData, *, content_type: str | None = None, step: str | None = None
    ) -> str:
        """Keep a file at a full artifact path; workflows use `write_artifact`."""
        writer = self._blobs.writer(self._ids.new("blob"))
        try:
            for piece in _pieces(data):
                writer.write(piece)
            blob = writer.finish()
        except BaseException:
            writer.discard()
            raise
        row = FileRow(
            id=self._ids.new("file"),
            run_id=self.run_id,
            path=path,
            name=path.removeprefix("output/"),
            input_name=None,
            step_name=step,
            content_type=content_type or guess_type(path),
            size=blob.size,
            digest=blob.digest,
            blob=blob.name,
            created_at=self._now(),
        )
        unused = self._store.put_file(row)
        if unused is not None:
            self._blobs.delete(unused)
        return path

    # Usage and trace

    def add_usage(
        self,
        *,
        input_tokens: float = 0,
        output_tokens: float = 0,
        cache_read_tokens: float = 0,
        cache_write_tokens: float = 0,
        credits: float = 0,
        llm_calls: float = 0,
        ocr_pages: float = 0,
        agent_turns: float = 0,
    ) -> None:
        """Add to what the run has used; shown with `expand=usage`."""
        amounts = {
            "input": input_tokens,
            "output": output_tokens,
            "cacheRead": cache_read_tokens,
            "cacheWrite": cache_write_tokens,
            "creditsCharged": credits,
            "llmCallCount": llm_calls,
            "ocrPagesProcessed": ocr_pages,
            "agentTurns": agent_turns,
        }
        with self._lock:
            for name, amount in amounts.items():
                self._usage[name] = self._usage.get(name, 0) + amount
            text = json.dumps(self._usage)
        self._store.update_run(self.run_id, usage=text)

    def trace(self, event: Mapping[str, Any]) -> None:
        """Record a trace event; an agent's become its `trace.jsonl`.

        Args:
            event: Any JSON object.
        """
        self._store.add_trace_event(self.run_id, to_json(event, "A trace event"))

    # For the engine

    def request_cancel(self, reason: str = CANCELLED) -> None:
        """Make the next checkpoint end the run.

        Args:
            reason: What its open steps say of it.
        """
        self._end_reason = reason
        self._cancelled.set()

    def step_that_raised(self, error: BaseException) -> str | None:
        """Return the innermost step that an exception left, None when it came from outside of any step."""
        return self._failure[1] if self._failure is not None and self._failure[0] is error else None

    def _now(self) -> int:
        return milliseconds(self._clock())


def describe(error: BaseException) -> str:
    """Return the text of an exception, with its type unless the author chose the text."""
    if isinstance(error, (RunFailed, Stopped)):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def to_json(value: Any, what: str) -> str:
    """Return a value as strict JSON text.

    Args:
        value: Any JSON.
        what: What it is, for the error.

    Raises:
        RunFailed: It can't be written as JSON.
    """
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RunFailed(f"{what} can't be written as JSON: {error}.") from error


def guess_type(name: str) -> str:
    """Return the media type that a file name suggests, else application/octet-stream."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _pieces(data: ArtifactData) -> Iterable[bytes]:
    if isinstance(data, str):
        return [data.encode()]
    if isinstance(data, (bytes, bytearray, memoryview)):
        return [bytes(data)]
    if isinstance(data, os.PathLike):
        path = Path(data)
        return read_pieces(path, 0, path.stat().st_size)
    return data
