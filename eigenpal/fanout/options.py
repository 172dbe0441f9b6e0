"""How a batch is to be worked off, checked before anything happens."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import anyio
import attrs

from eigenpal.engine.options import checked_timeout
from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.progress import Progress

OnUnknown: TypeAlias = Literal["raise", "rerun", "skip"]
"""What to do about an input of which it can't be told whether it was started."""


def _path(value: Any) -> Path | None:
    if value is None:
        return None
    try:
        return Path(os.fsdecode(value))
    except TypeError:
        raise EigenpalInputError(f"a path must be text or a Path, not {type(value).__name__}") from None


def _concurrency(_: object, __: object, value: object) -> None:
    if type(value) is not int or value < 1:
        raise EigenpalInputError(f"concurrency must be a whole number above 0, not {value!r}")


def _on_unknown(_: object, __: object, value: object) -> None:
    if value not in get_args(OnUnknown):
        raise EigenpalInputError(f"on_unknown must be one of {', '.join(get_args(OnUnknown))}, not {value!r}")


def _callback(_: object, __: object, value: Any) -> None:
    if value is not None and not callable(value):
        raise EigenpalInputError(f"on_progress must be a function, not {type(value).__name__}")


@attrs.frozen(kw_only=True)
class Options:
    """How a batch is worked off; the arguments of `client.run_many` that are the same for every service.

    Attributes:
        noun: What one piece of work is called, such as `run`.
        identity: What this batch is, in words that are the same whenever it is run again; kept in the journal.
        timeout_seconds: Bound on each input, from the first try to start it.
        sleep: Seam for tests; awaits that many seconds.
        clock: Seam for tests; monotonic seconds, which move as `sleep` sleeps.
    """

    noun: str
    identity: str
    concurrency: int = attrs.field(default=100, validator=_concurrency)
    timeout_seconds: float | None = attrs.field(default=None, converter=checked_timeout)
    ordered: bool = False
    stop_on_failure: bool = False
    cancel_running: bool = False
    on_unknown: OnUnknown = attrs.field(default="raise", validator=_on_unknown)
    journal: Path | None = attrs.field(default=None, converter=_path)
    save_artifacts: Path | None = attrs.field(default=None, converter=_path)
    on_progress: Callable[[Progress], object] | None = attrs.field(default=None, validator=_callback)
    progress: bool = False
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    clock: Callable[[], float] = time.monotonic
