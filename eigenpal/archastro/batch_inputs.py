"""What batches of sessions and of routine runs take and give: one to start, what became of it; reading inputs."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from eigenpal.archastro.models.routine_runs import AgentRoutineRun, InvokeDelivery
from eigenpal.archastro.models.sessions import AgentSession
from eigenpal.archastro.waiting import succeeded
from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.keys import checked_key, split_key
from eigenpal.fanout.outcome import Outcome
from eigenpal.fanout.work import Job, Work

MARK: Final = "eigenpal_start"
"""Name in the metadata under which `run_many` finds again what it started."""


@attrs.frozen
class SessionRequest:
    """One session that `client.run_many` is to create, where instructions alone do not say enough.

    Attributes:
        instructions: The task.
        agent: Id of the agent; that of the batch unless given.
        key: What to call it; its index unless given.
        name: Name for people.
        metadata: Data of yours that is kept with it.
        max_runs_per_turn: Tool calls allowed in one turn.
        max_tokens: Budget of tokens over all turns.
        max_turns: Turns before the platform ends it.
        team: Id of a team.
        thread: Id of a thread.
        user: Id of the user it is attributed to.
    """

    instructions: str = attrs.field(repr=False)
    agent: str | None = attrs.field(default=None, kw_only=True)
    key: str | int | None = attrs.field(default=None, kw_only=True)
    name: str | None = attrs.field(default=None, kw_only=True)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=False)
    max_runs_per_turn: int | None = attrs.field(default=None, kw_only=True)
    max_tokens: int | None = attrs.field(default=None, kw_only=True)
    max_turns: int | None = attrs.field(default=None, kw_only=True)
    team: str | None = attrs.field(default=None, kw_only=True)
    thread: str | None = attrs.field(default=None, kw_only=True)
    user: str | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class RoutineRequest:
    """One run that `agent_routine_runs.run_many` is to start, where a message alone does not say enough.

    Attributes:
        message: What the agent is told.
        routine: Id or lookup key of the routine; that of the batch unless given.
        key: What to call it; its index unless given.
        metadata: Data of yours that is kept with the run.
        session_key: Names the session to go on in.
        thread_id: Thread that gets the output.
        user: Id of the user to act for.
        delivery: Where the output goes.
        participants: Symbolic names to agent ids.
    """

    message: str = attrs.field(repr=False)
    routine: str | None = attrs.field(default=None, kw_only=True)
    key: str | int | None = attrs.field(default=None, kw_only=True)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, kw_only=True, repr=False)
    session_key: str | None = attrs.field(default=None, kw_only=True)
    thread_id: str | None = attrs.field(default=None, kw_only=True)
    user: str | None = attrs.field(default=None, kw_only=True)
    delivery: InvokeDelivery | Mapping[str, Any] | None = attrs.field(default=None, kw_only=True)
    participants: Mapping[str, str] | None = attrs.field(default=None, kw_only=True)


_Session: TypeAlias = str | SessionRequest
_Routine: TypeAlias = str | RoutineRequest
SessionInputs: TypeAlias = (
    Iterable[_Session | tuple[str | int, _Session]]
    | AsyncIterable[_Session | tuple[str | int, _Session]]
    | Mapping[str, str]
    | Mapping[str, SessionRequest]
)
"""Inputs of `client.run_many`: an iterable or async iterable of them, or a mapping of keys to them."""
RoutineInputs: TypeAlias = (
    Iterable[_Routine | tuple[str | int, _Routine]]
    | AsyncIterable[_Routine | tuple[str | int, _Routine]]
    | Mapping[str, str]
    | Mapping[str, RoutineRequest]
)
"""Inputs of `agent_routine_runs.run_many`: an iterable or async iterable of them, or a mapping of keys to them."""


@attrs.frozen(kw_only=True, repr=False, eq=False)
class SessionOutcome(Outcome[AgentSession]):
    """What became of one input of `client.run_many`: a session, or an error. There is exactly one for each.

    `ok` says whether the session completed. One that failed is a session: it is in `session`, and `error` is None.
    """

    @property
    def session(self) -> AgentSession | None:
        """The session as it was when the wait for it was over; None when it was not created or did not end in time."""
        return self.value

    def result(self) -> AgentSession:
        """Return the session, or raise why it did not complete.

        Raises:
            EigenpalRunError: It failed or was cancelled; carries it as `run`.
            EigenpalError: Any other reason; what `error` has.
        """
        if self.error is not None:
            raise self.error
        assert self.value is not None, "an outcome without an error has a session"
        return succeeded("session", self.value)


@attrs.frozen(kw_only=True, repr=False, eq=False)
class RoutineRunOutcome(Outcome[AgentRoutineRun]):
    """What became of one input of `agent_routine_runs.run_many`: a run, or an error. There is exactly one for each.

    `ok` says whether the run completed. One that failed is a run: it is in `run`, and `error` is None.
    """

    @property
    def run(self) -> AgentRoutineRun | None:
        """The run in its last state; None when it was not started or did not end in time."""
        return self.value

    def result(self) -> AgentRoutineRun:
        """Return the completed run, or raise why there is none.

        Raises:
            EigenpalRunError: It failed, was skipped or cancelled; carries it as `run`.
            EigenpalError: Any other reason; what `error` has.
        """
        if self.error is not None:
            raise self.error
        assert self.value is not None, "an outcome without an error has a run"
        return succeeded("routine run", self.value)


@attrs.frozen(kw_only=True)
class Start:
    """What is to be started: where, and the members of the body without those that are None."""

    target: str
    members: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class BatchReader:
    """Reads inputs of a batch.

    Attributes:
        work: How they are done.
        request: What an input becomes: `SessionRequest` or `RoutineRequest`.
        content: Its member that a plain text stands for.
        target: Its member that says where it is started.
        given: Where those are started that do not say it.
    """

    work: Work[Any]
    request: type[SessionRequest | RoutineRequest]
    content: str
    target: str
    given: str | None

    def __call__(self, entry: Any, index: int) -> Job | Outcome[Any]:
        """Return the job for an input, or the outcome of one that can't be started."""
        key, entry = split_key(entry)
        named = str(index)
        try:
            request = self._request_of(entry)
            named = checked_key(key if key is not None else request.key, named)
            return Job(named, index, self.work, self._start(request))
        except EigenpalInputError as refused:
            return self.work.outcome(key=named, index=index, error=refused)

    def _request_of(self, entry: object) -> SessionRequest | RoutineRequest:
        if isinstance(entry, self.request):
            return entry
        if isinstance(entry, str):
            return self.request(entry)
        raise EigenpalInputError(
            f"an input must be the {self.content} as text, a {self.request.__name__}, or a pair of a key and one of "
            f"them, not {type(entry).__name__}"
        )

    def _start(self, request: SessionRequest | RoutineRequest) -> Start:
        members = attrs.asdict(request, recurse=False, filter=lambda _, value: value is not None)
        members.pop("key", None)
        target: object = members.pop(self.target, self.given)
        if not isinstance(target, str) or not target:
            raise EigenpalInputError(
                f"no {self.target}: give each input as {self.request.__name__}(..., {self.target}=...), or give "
                "run_many of the client one for all"
            )
        if not isinstance(members[self.content], str):
            raise EigenpalInputError(f"{self.content} must be text, not {type(members[self.content]).__name__}")
        metadata: object = members.get("metadata", {})
        if not isinstance(metadata, Mapping):
            raise EigenpalInputError(f"metadata must be a mapping, not {type(metadata).__name__}")
        if MARK in metadata:
            raise EigenpalInputError(f"metadata can't have {MARK!r}: run_many finds what it started again by it")
        return Start(target=target, members=members)


def marked(start: Start, token: str) -> dict[str, Any]:
    """Return the members of a body with a mark in the metadata."""
    return {**start.members, "metadata": {**start.members.get("metadata", {}), MARK: token}}
