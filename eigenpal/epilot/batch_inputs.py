"""What a batch of executions takes and gives: one execution to start, what became of it; reading inputs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

import attrs

from eigenpal.epilot.models.agents import ExecutionMode
from eigenpal.epilot.models.executions import Execution, ExecutionInput
from eigenpal.epilot.waiting import succeeded
from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.keys import checked_key, split_key
from eigenpal.fanout.outcome import Outcome
from eigenpal.fanout.work import Job, Work

MARK: Final = "eigenpal_start"
"""Name in the `custom_data` of an execution's input under which `run_many` finds again what it started."""


@attrs.frozen
class ExecutionRequest:
    """One execution that `run_many` is to start, where an input alone does not say enough.

    Attributes:
        input: What to work on, as in `agents.execute`.
        agent_id: The agent; that of the batch unless given.
        key: What to call it; its index unless given.
        parameters: Values for the parameters that the agent takes.
        execution_mode_override: When a human is asked, for this execution alone.
        timeout_ms: How long the execution may take at the service, in milliseconds.
    """

    input: ExecutionInput | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    agent_id: str | None = attrs.field(default=None, kw_only=True)
    key: str | int | None = attrs.field(default=None, kw_only=True)
    parameters: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=False)
    execution_mode_override: ExecutionMode | str | None = attrs.field(default=None, kw_only=True)
    timeout_ms: int | None = attrs.field(default=None, kw_only=True)


_Input: TypeAlias = Mapping[str, Any] | ExecutionInput | ExecutionRequest
ExecutionInputs: TypeAlias = (
    Iterable[_Input | tuple[str | int, _Input]]
    | AsyncIterable[_Input | tuple[str | int, _Input]]
    | Mapping[str, Mapping[str, Any]]
    | Mapping[str, ExecutionInput]
    | Mapping[str, ExecutionRequest]
)
"""The inputs of `run_many`: an iterable or async iterable of them, or a mapping of keys to them."""


@attrs.frozen(kw_only=True, repr=False, eq=False)
class ExecutionOutcome(Outcome[Execution]):
    """What became of one input of `run_many`: an execution, or an error. There is exactly one for each input.

    `ok` says whether the execution completed. One that failed is an execution: it is in `execution`, `error` is None.
    """

    @property
    def execution(self) -> Execution | None:
        """The execution in its last state; None when it was not started or did not end in time."""
        return self.value

    @property
    def execution_id(self) -> str | None:
        """Id of the execution; None when none was started."""
        return self.id

    def result(self) -> Execution:
        """Return the completed execution, or raise why there is none.

        Raises:
            EigenpalRunError: The execution failed or was cancelled; carries it as `run`.
            EigenpalError: Any other reason; what `error` has.
        """
        if self.error is not None:
            raise self.error
        assert self.value is not None, "an outcome without an error has an execution"
        return succeeded(self.value)


@attrs.frozen(kw_only=True)
class Start:
    """An execution to start, as it goes on the wire."""

    agent_id: str
    input: Mapping[str, Any] = attrs.field(repr=False)
    parameters: Mapping[str, Any] | None = attrs.field(repr=False)
    execution_mode_override: str | None
    timeout_ms: int | None


@attrs.frozen(kw_only=True)
class ExecutionReader:
    """Reads inputs of a batch.

    Attributes:
        work: How executions are done.
        agent_id: Agent of those that name none.
    """

    work: Work[Execution]
    agent_id: str | None

    def __call__(self, entry: Any, index: int) -> Job | ExecutionOutcome:
        """Return the job for an input, or the outcome of one that can't be started."""
        key, entry = split_key(entry)
        named = str(index)
        try:
            request = entry if isinstance(entry, ExecutionRequest) else ExecutionRequest(entry)
            named = checked_key(key if key is not None else request.key, named)
            return Job(named, index, self.work, self._start(request))
        except EigenpalInputError as refused:
            return ExecutionOutcome(key=named, index=index, error=refused)

    def _start(self, request: ExecutionRequest) -> Start:
        agent_id = request.agent_id if request.agent_id is not None else self.agent_id
        if agent_id is None:
            raise EigenpalInputError(
                "no agent: give each input as ExecutionRequest(..., agent_id=...), or give the client's run_many one"
            )
        mode = request.execution_mode_override
        return Start(
            agent_id=agent_id,
            input=_checked_input(request.input),
            parameters=request.parameters,
            execution_mode_override=None if mode is None else str(mode),
            timeout_ms=request.timeout_ms,
        )


def _checked_input(given: object) -> Mapping[str, Any]:
    members = given.to_dict() if isinstance(given, ExecutionInput) else {} if given is None else given
    if not isinstance(members, Mapping):
        raise EigenpalInputError(
            f"an input must be a mapping, an ExecutionInput, an ExecutionRequest, or a pair of a key and one of them, "
            f"not {type(given).__name__}"
        )
    data: object = cast("Mapping[str, Any]", members).get("custom_data") or {}
    if not isinstance(data, Mapping):
        raise EigenpalInputError(f"custom_data must be a mapping, not {type(data).__name__}")
    if MARK in data:
        raise EigenpalInputError(f"custom_data can't have {MARK!r}: run_many finds its executions again by it")
    return cast("Mapping[str, Any]", members)
