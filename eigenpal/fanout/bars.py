"""A bar that shows progress: rich in a terminal, tqdm in a notebook. Both are extras, imported when they are needed."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.progress import Progress


class Bar(Protocol):
    """Something that shows progress."""

    def show(self, progress: Progress) -> None:
        """Show how far it is."""
        ...

    def close(self) -> None:
        """Leave the last state on the screen and stop drawing."""
        ...


def make_bar(noun: str) -> Bar:
    """Return a bar that fits where the program runs; nothing is drawn before it is shown something.

    Raises:
        EigenpalInputError: What draws it is not installed.
    """
    kind, extra = (TqdmBar, "notebook") if _in_notebook() else (RichBar, "cli")
    try:
        return kind(noun)
    except ImportError as problem:
        raise EigenpalInputError(
            f'progress=True needs {problem.name}: pip install "eigenpal[{extra}]", or give on_progress instead'
        ) from None


def _in_notebook() -> bool:
    """Tell whether a front end that shows HTML runs the program: a kernel, which the terminal's IPython has not."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def counts(progress: Progress) -> str:
    """Return the counts as a few words; what is zero is left out."""
    named = {"running": progress.running, "starting": progress.starting, "failed": progress.failed}
    return ", ".join(f"{count:,} {name}" for name, count in named.items() if count)


class RichBar:
    """A bar in a terminal; in a log file, one line at the end."""

    def __init__(self, noun: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Drawing

        self._drawing = Drawing(
            TextColumn(f"{noun}s"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f}/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
            console=Console(stderr=True),
        )
        self._task = self._drawing.add_task("", total=None, rate=0.0, counts="")

    def show(self, progress: Progress) -> None:
        """Draw it."""
        self._drawing.start()
        self._drawing.update(
            self._task,
            total=progress.total,
            completed=progress.done,
            rate=progress.rate,
            counts=counts(progress),
        )

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._drawing.stop()


class TqdmBar:
    """A bar in a notebook: a widget where widgets are installed, else text."""

    def __init__(self, noun: str) -> None:
        import tqdm

        self._noun = noun
        self._tqdm: Any = tqdm
        self._bar: Any = None

    def show(self, progress: Progress) -> None:
        """Draw it."""
        if self._bar is None:
            self._bar = self._made(progress.total)
        self._bar.n = progress.done
        self._bar.set_postfix_str(counts(progress), refresh=False)
        self._bar.refresh()

    def _made(self, total: int | None) -> Any:
        try:
            from tqdm.notebook import tqdm_notebook

            return tqdm_notebook(total=total, unit=self._noun)
        except ImportError:  # of the widgets
            return self._tqdm.tqdm(total=total, unit=self._noun)

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._bar is not None:
            self._bar.close()
