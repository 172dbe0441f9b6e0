"""Several services as one: clients of different services side by side, and batches with the work of all of them.

Stands on top of the clients. How a service does its work is said by that service, not here.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeAlias

import attrs

from eigenpal.archastro.batch_inputs import RoutineRequest, RoutineRunOutcome, SessionOutcome, SessionRequest
from eigenpal.archastro.batches import session_part
from eigenpal.archastro.client import AsyncArchAstroClient
from eigenpal.archastro.waiting import Until
from eigenpal.client import AsyncEigenpalClient
from eigenpal.engine.service_client import ServiceClient, session_of
from eigenpal.engine.session import Session
from eigenpal.epilot.approvals import ApprovalRequest, Decider, Decision
from eigenpal.epilot.batch_inputs import ExecutionOutcome, ExecutionRequest
from eigenpal.epilot.batches import execution_part
from eigenpal.epilot.client import AsyncEpilotClient
from eigenpal.errors import EigenpalInputError
from eigenpal.fanout.mixed import Part, RefusedOutcome, mixed_outcomes
from eigenpal.fanout.options import OnUnknown
from eigenpal.fanout.outcomes import Outcomes
from eigenpal.fanout.progress import Progress
from eigenpal.resources.batch_inputs import RunOutcome, RunRequest
from eigenpal.resources.batch_runs import run_part
from eigenpal.waiting.polling import checked_times

ServiceRequest: TypeAlias = RunRequest | SessionRequest | RoutineRequest | ExecutionRequest
"""One piece of work for a service; its class says which."""

ServiceRequests: TypeAlias = (
    Iterable[ServiceRequest | tuple[str | int, ServiceRequest]]
    | AsyncIterable[ServiceRequest | tuple[str | int, ServiceRequest]]
    | Mapping[str, ServiceRequest]
)
"""Requests of `AsyncServices.run_many`: an iterable or async iterable of them, or a mapping of keys to them."""

ServiceOutcome: TypeAlias = RunOutcome | SessionOutcome | RoutineRunOutcome | ExecutionOutcome | RefusedOutcome
"""What became of a request: the outcome that `run_many` of its own client would give, or of one that none takes."""


@attrs.frozen(kw_only=True)
class _Ways:
    """What there is to say about how work is done, on whichever service."""

    interval: float
    until: Until
    on_approval: Decider | None


_PARTS: Final[Mapping[type[ServiceClient], Callable[[Session, _Ways], Part]]] = {
    AsyncEigenpalClient: lambda session, ways: run_part(session, ways.interval),
    AsyncArchAstroClient: lambda session, ways: session_part(session, ways.interval, ways.until),
    AsyncEpilotClient: lambda session, ways: execution_part(session, ways.interval, ways.on_approval),
}


class AsyncServices:
    """Clients of different services side by side, for batches that mix their work.

    The clients stay yours: to use by themselves, and to close.

    Example:
        ```python
        async with AsyncEigenpalClient() as eigenpal, AsyncEpilotClient() as epilot:
            requests = [
                RunRequest({"invoice": Path("invoice.pdf")}, target="workflows.extract-invoice"),
                ExecutionRequest({"entity_id": "e1"}, agent_id="skill:email-categorizer"),
            ]
            async for outcome in AsyncServices(eigenpal, epilot).run_many(requests):
                print(outcome.key, outcome.value.result if outcome.ok else outcome.error)
        ```
    """

    def __init__(self, *clients: AsyncEigenpalClient | AsyncArchAstroClient | AsyncEpilotClient) -> None:
        """Check the clients; nothing is sent or opened yet.

        Args:
            clients: One or more clients, each of another service.

        Raises:
            EigenpalInputError: None is given, two are of one service, or one is no such client.
        """
        self._parts: dict[type[ServiceClient], tuple[Session, Callable[[Session, _Ways], Part]]] = {}
        for client in clients:
            kind = next((kind for kind in _PARTS if isinstance(client, kind)), None)
            if kind is None:
                named = ", ".join(kind.__name__ for kind in _PARTS)
                raise EigenpalInputError(f"AsyncServices takes clients ({named}), not {type(client).__name__}")
            session = session_of(client)
            if kind in self._parts:
                raise EigenpalInputError(
                    f"two clients of {session.service.name}: it can't be told which of them a request is for"
                )
            self._parts[kind] = session, _PARTS[kind]
        if not self._parts:
            raise EigenpalInputError("no clients: give one or more, each of another service")

    def run_many(
        self,
        requests: ServiceRequests,
        *,
        until: Until = "human",
        concurrency: int = 100,
        timeout_seconds: float | None = 3600.0,
        poll_interval_seconds: float = 2.0,
        ordered: bool = False,
        stop_on_failure: bool = False,
        cancel_running: bool = False,
        journal: str | os.PathLike[str] | None = None,
        on_unknown: OnUnknown = "raise",
        on_approval: Callable[[ApprovalRequest], Decision | Awaitable[Decision | None] | None] | None = None,
        save_artifacts: str | os.PathLike[str] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        progress: bool = False,
    ) -> Outcomes[ServiceOutcome]:
        """Start each of many requests on its service, wait for all, and iterate over what became of each.

        It is `run_many` of the clients for work of all of them at once, with one journal and one count: requests are
        taken one by one, each that is taken has exactly one outcome, and with a journal the batch outlives its process.
        A start whose answer was lost is looked for by its mark, never repeated blindly.

        Args:
            requests: Any iterable of requests, also one that is awaited, or a mapping of keys to them. A request is a
                `RunRequest`, `SessionRequest`, `RoutineRequest` or `ExecutionRequest` that names its target, or a pair
                of a key and one of these. Each goes to the client of its service.
            until: `"human"` takes a session that waits for a message as not ok; `"end"` waits on for it.
            concurrency: Requests under way at once, over all services.
            timeout_seconds: Bound on each request in seconds, from the first try to start it; None for none.
            poll_interval_seconds: Longest pause between two looks at what was started, in seconds.
            ordered: Give outcomes in the order of the requests instead of as they come.
            stop_on_failure: After the first outcome that is not ok, take no more requests. What is under way ends.
            cancel_running: Cancel what is under way when the batch is left early, or stopped by `stop_on_failure`;
                routine runs can't be cancelled.
            journal: Path of a file (SQLite) that remembers the batch; made if need be, for one process at a time.
            on_unknown: What to do when it can't be told whether a request was started: `"raise"` ends the batch with an
                error, `"skip"` makes it the error of that request, `"rerun"` starts it, maybe a second time.
            on_approval: Decides on each action that an execution wants to take, as in `executions.wait`. Without it,
                the batch waits until somebody else has decided.
            save_artifacts: Folder in which the files of each run are stored, in a folder named for its key.
            on_progress: Called with a `Progress` on changes, at most ten times a second, and at the end.
            progress: Show a bar, with rich (extra `cli`) in a terminal, with tqdm (extra `notebook`) in a notebook.

        Raises:
            EigenpalInputError: An argument that can't work, or a journal that is in use or of another batch.
        """
        timeout, interval = checked_times(timeout_seconds, poll_interval_seconds)
        ways = _Ways(interval=interval, until=until, on_approval=on_approval)
        return mixed_outcomes(
            [part_of(session, ways) for session, part_of in self._parts.values()],
            requests,
            concurrency=concurrency,
            timeout_seconds=timeout,
            ordered=ordered,
            stop_on_failure=stop_on_failure,
            cancel_running=cancel_running,
            journal=journal,
            on_unknown=on_unknown,
            save_artifacts=save_artifacts,
            on_progress=on_progress,
            progress=progress,
        )
