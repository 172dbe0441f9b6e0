"""`eigenpal sandbox`: starts the server, watches the loaded files, ends with Ctrl-C or SIGTERM.

Everything happens in the main thread, where signals arrive; the server has a thread of its own.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from eigenpal.cli.welcome import welcome

if TYPE_CHECKING:
    from eigenpal.sandbox import LoadedFiles, Sandbox

POLL_SECONDS = (
    0.2  # how often files are looked at; two looks that agree make a change, so it shows in under half a second
)


class SandboxCommand:
    """One call of the command.

    Args:
        files: Python files to load.
        reload: Whether to load them again when they change.
        options: Arguments for `Sandbox`.
    """

    def __init__(self, *, files: Sequence[Path], reload: bool, options: Mapping[str, Any]) -> None:
        self._files = files
        self._reload = reload
        self._options = options
        self._out = Console(highlight=False, soft_wrap=True)
        self._error = Console(highlight=False, soft_wrap=True, stderr=True)

    def run(self) -> int:
        """Run until a signal ends it, and return the exit status."""
        try:
            from eigenpal.sandbox import Sandbox, WorkflowFileError
        except ImportError as missing:
            return self._fail(str(missing))
        with _signals() as signals:
            try:
                sandbox = Sandbox(**self._options)
                loaded = sandbox.load(*self._files) if self._files else None
                if loaded is not None and not loaded.targets:
                    return self._fail(
                        f"{', '.join(map(str, self._files))}: no workflow or agent is defined here. "
                        'Put @workflow("slug") of eigenpal.sandbox above a function.'
                    )
                sandbox.start()
            except (OSError, ValueError, WorkflowFileError, sqlite3.Error) as error:
                return self._fail(self._explain(error))
            try:
                self._welcome(sandbox, loaded)
                self._wait(signals, loaded)
            finally:
                sandbox.stop()
        self._out.print("Stopped.")
        return 0

    def _wait(self, signals: SimpleQueue[int], loaded: LoadedFiles | None) -> None:
        while True:
            try:
                signals.get(timeout=POLL_SECONDS)
            except Empty:
                if loaded is not None and self._reload and loaded.changed():
                    self._load_again(loaded)
            else:
                return

    def _load_again(self, loaded: LoadedFiles) -> None:
        from eigenpal.sandbox import WorkflowFileError

        try:
            loaded.load()
        except WorkflowFileError as error:
            self._error.print(f"[red]{escape(str(error))}[/]\nThe functions that were loaded before stay.")
        else:
            self._out.print(f"[green]Loaded again:[/] {escape(', '.join(loaded.targets) or 'nothing is defined')}")

    def _welcome(self, sandbox: Sandbox, loaded: LoadedFiles | None) -> None:
        given = self._options["api_key"]
        text = welcome(
            url=sandbox.url,
            # A key from the environment may be a real one: it is not shown, and clients find it where it came from.
            api_key=None if given and given == os.environ.get("EIGENPAL_API_KEY") else sandbox.api_key,
            data=self._options["data"],
            targets=loaded.targets if loaded is not None else (),
        )
        self._out.print(text)
        sys.stdout.flush()

    def _explain(self, error: Exception) -> str:
        port = self._options["port"]
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return f"Port {port} is in use. Choose another one with --port, or a free one with --port 0."
        if isinstance(error, PermissionError) and error.filename is None:
            return f"Port {port} needs more rights than this user has. Choose one above 1023 with --port."
        if isinstance(error, OSError) and error.filename is not None:
            return f"{error.filename}: {error.strerror}."
        return str(error)

    def _fail(self, text: str) -> int:
        self._error.print(f"[red]eigenpal sandbox:[/] {escape(text)}")
        return 1


@contextmanager
def _signals() -> Generator[SimpleQueue[int]]:
    """Collect Ctrl-C and SIGTERM while the block runs; the second Ctrl-C ends the process at once."""
    queue: SimpleQueue[int] = SimpleQueue()  # the one queue that a signal handler may put into

    def heard(number: int, frame: FrameType | None) -> None:
        if not queue.empty() and number == signal.SIGINT:
            raise KeyboardInterrupt
        queue.put(number)

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield queue
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
