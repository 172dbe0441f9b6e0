"""Starting runs: one function behind every method that starts one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from eigenpal.engine.calls import Envelope
from eigenpal.engine.files import is_file
from eigenpal.engine.model import Model, model
from eigenpal.engine.session import Session
from eigenpal.engine.unset import UNSET
from eigenpal.errors import EigenpalInputError
from eigenpal.models.runs import StartedRun
from eigenpal.resources.operations import RUN

LONGEST_HOLD_SECONDS: Final = 600  # the service refuses more


@model
class FileReference(Model):
    """A file that the service already stores, given as input by its id."""

    file_id: str
    filename: str | None = None
    mime_type: str | None = None


FileReferences = Mapping[str, FileReference | Mapping[str, str] | Sequence[FileReference | Mapping[str, str]]]
"""Input name to one stored file, or to a list of them."""


async def start_run(
    session: Session,
    target: tuple[str, str | None],
    *,
    input: Mapping[str, Any] | None,
    files: FileReferences | None,
    overrides: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    wait_for_completion: int | None = None,
) -> StartedRun:
    """Start a run; arguments as in `client.run`, the target as it goes on the wire."""
    name, version = target
    arguments = _arguments(input)
    if files is not None and any(is_file(value) for value in arguments.values()):
        raise EigenpalInputError("files (by id) and files to upload can't go into one start; upload all, or none")
    members = {"target": name, "files": _given(files), "overrides": _given(overrides), "metadata": _given(metadata)}
    hold = checked_hold(wait_for_completion)
    query = {"version": version, "wait_for_completion": hold}
    return await session.call(RUN, query=query, body=Envelope(members=members, arguments=arguments), hold_seconds=hold)


def checked_hold(seconds: int | None) -> int | None:
    """Return the seconds the server may hold a request; refuse what the service would refuse."""
    if seconds is None or (type(seconds) is int and 0 <= seconds <= LONGEST_HOLD_SECONDS):
        return seconds
    raise EigenpalInputError(
        f"wait_for_completion must be a whole number of seconds from 0 to {LONGEST_HOLD_SECONDS}, not {seconds!r}; "
        f"for longer waits use run_and_wait"
    )


def _arguments(input: object) -> Mapping[str, Any]:
    if input is None:
        return {}
    if not isinstance(input, Mapping):
        raise EigenpalInputError(f"input must be a mapping of argument names to values, not {type(input).__name__}")
    arguments = cast("Mapping[object, Any]", input)
    if unnamed := [name for name in arguments if not isinstance(name, str)]:
        raise EigenpalInputError(f"input has the name {unnamed[0]!r}; names of arguments are strings")
    return cast("Mapping[str, Any]", arguments)


def _given(value: Any) -> Any:
    return UNSET if value is None else value
