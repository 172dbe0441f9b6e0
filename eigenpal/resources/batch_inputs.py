"""What a batch of runs takes and gives: one run to start, and what became of it; and reading the first from inputs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

import attrs

from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.keys import checked_key, split_key
from eigenpal.fanout.outcome import Outcome
from eigenpal.fanout.work import Job, Work
from eigenpal.models.runs import Run
from eigenpal.resources.starting import FileReferences
from eigenpal.resources.targets import Target, wire_target
from eigenpal.waiting.runs import succeeded

MARK: Final = "eigenpal_start"
"""Name in the metadata of a run under which `run_many` finds again what it started."""


@attrs.frozen
class RunRequest:
    """One run that `run_many` is to start, where an input alone does not say enough.

    Attributes:
        input: Argument names to values, files among them, as in `client.run`.
        target: What to run; the target of the batch unless given.
        key: What to call it; its index unless given.
        version: Version to run; that of the batch unless given.
        files: Files that the service already stores, by input name.
        overrides: `{"steps": {name: output}}`: steps that are not executed but have this output; workflows only.
        metadata: Data of yours that is kept with the run, on top of that of the batch.
    """

    input: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    target: Target | None = attrs.field(default=None, kw_only=True)
    key: str | int | None = attrs.field(default=None, kw_only=True)
    version: str | None = attrs.field(default=None, kw_only=True)
    files: FileReferences | None = attrs.field(default=None, kw_only=True)
    overrides: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=False)


RunInput: TypeAlias = Mapping[str, Any] | RunRequest | tuple[str | int, Mapping[str, Any] | RunRequest]
"""One input of `run_many`: arguments, or a `RunRequest`, or either with a key in front of it."""

RunInputs: TypeAlias = (
    Iterable[RunInput] | AsyncIterable[RunInput] | Mapping[str, Mapping[str, Any]] | Mapping[str, RunRequest]
)
"""The inputs of `run_many`: an iterable or async iterable of them, or a mapping of keys to them."""


@attrs.frozen(kw_only=True, repr=False, eq=False)
class RunOutcome(Outcome[Run]):
    """What became of one input of `run_many`: a run, or an error. There is exactly one for each input.

    `ok` says whether the run completed. A run that failed is a run: it is in `run`, and `error` is None.
    """

    @property
    def run(self) -> Run | None:
        """The run in its last state; None when it was not started or did not end in time."""
        return self.value

    @property
    def run_id(self) -> str | None:
        """Id of the run; None when none was started."""
        return self.id

    def result(self) -> Run:
        """Return the completed run, or raise why there is none.

        Raises:
            EigenpalRunError: The run failed, was cancelled or rejected; carries `run`.
            EigenpalError: Any other reason; what `error` has.
        """
        if self.error is not None:
            raise self.error
        assert self.value is not None, "an outcome without an error has a run"
        return succeeded(self.value)


@attrs.frozen(kw_only=True)
class Start:
    """A run to start, as it goes on the wire."""

    target: tuple[str, str | None]
    input: Mapping[str, Any] | None = attrs.field(repr=False)
    files: FileReferences | None = attrs.field(repr=False)
    overrides: Mapping[str, Any] | None = attrs.field(repr=False)
    metadata: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class RunReader:
    """Reads inputs of a batch.

    Attributes:
        work: How runs are done.
        target: Target of those that name none, as it goes on the wire.
        version: Version of those that name none.
        metadata: Metadata of all.

    Raises:
        EigenpalInputError: The metadata can't be sent.
    """

    work: Work[Run]
    target: Target | None
    version: str | None
    metadata: Mapping[str, Any] | None

    def __attrs_post_init__(self) -> None:
        _checked_metadata(self.metadata)

    def __call__(self, entry: Any, index: int) -> Job | RunOutcome:
        """Return the job for an input, or the outcome of one that can't be started."""
        key, entry = split_key(entry)
        named = str(index)
        try:
            request = entry if isinstance(entry, RunRequest) else RunRequest(_checked_input(entry))
            named = checked_key(key if key is not None else request.key, named)
            return Job(named, index, self.work, self._start(request))
        except EigenpalInputError as refused:
            return RunOutcome(key=named, index=index, error=refused)

    def _start(self, request: RunRequest) -> Start:
        target = request.target if request.target is not None else self.target
        if target is None:
            raise EigenpalInputError(
                "no target: give each input as RunRequest(..., target=...), or give the client's run_many one for all"
            )
        # A target with its own version keeps it: that of the batch is for those that name none.
        own_version = request.version if request.version is not None or request.target is not None else self.version
        return Start(
            target=wire_target(target, own_version),
            input=request.input,
            files=request.files,
            overrides=request.overrides,
            metadata={**(self.metadata or {}), **_checked_metadata(request.metadata)},
        )


def _checked_input(entry: object) -> Mapping[str, Any]:
    if isinstance(entry, Mapping):
        return cast("Mapping[str, Any]", entry)
    raise EigenpalInputError(
        f"an input must be a mapping of argument names to values, a RunRequest, or a pair of a key and one of them, "
        f"not {type(entry).__name__}"
    )


def _checked_metadata(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from anywhere
        raise EigenpalInputError(f"metadata must be a mapping, not {type(metadata).__name__}")
    if MARK in metadata:
        raise EigenpalInputError(f"metadata can't have {MARK!r}: run_many finds its runs again by it")
    return metadata
