# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""Several services as one: clients of different services side by side, and batches with the work of all of them.

Stands on top of the clients. How a service does its work is said by that service, not here.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from eigenpal.archastro.waiting import Until
from eigenpal.epilot.approvals import ApprovalRequest, Decision
from eigenpal.fanout.options import OnUnknown
from eigenpal.fanout.progress import Progress
from eigenpal.services import AsyncServices, ServiceOutcome, ServiceRequests
from eigenpal_sync._portal import BlockingIterator, caller_callback
from eigenpal_sync._portal_inputs import caller_inputs
from eigenpal_sync._twin import Twin, asyncs_of, portal_of
from eigenpal_sync.archastro.client import ArchAstroClient
from eigenpal_sync.client import EigenpalClient
from eigenpal_sync.epilot.client import EpilotClient


class Services(Twin[AsyncServices]):
    """Clients of different services side by side, for batches that mix their work.

    The clients stay yours: to use by themselves, and to close.

    Example:
        ```python
        with EigenpalClient() as eigenpal, EpilotClient() as epilot:
            requests = [
                RunRequest({"invoice": Path("invoice.pdf")}, target="workflows.extract-invoice"),
                ExecutionRequest({"entity_id": "e1"}, agent_id="skill:email-categorizer"),
            ]
            for outcome in Services(eigenpal, epilot).run_many(requests):
                print(outcome.key, outcome.value.result if outcome.ok else outcome.error)
        ```
    """

    def __init__(self, *clients: EigenpalClient | ArchAstroClient | EpilotClient) -> None:
        """Check the clients; nothing is sent or opened yet.

        Args:
            clients: One or more clients, each of another service.

        Raises:
            EigenpalInputError: None is given, two are of one service, or one is no such client.
        """
        self._async = AsyncServices(*asyncs_of(type(self), clients))
        self._portal = portal_of(clients[0])
        self._clients = clients  # one that is forgotten is closed

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
    ) -> BlockingIterator[ServiceOutcome]:
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
        return self._portal.iterate(
            self._async.run_many,
            caller_inputs(requests),
            until=until,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            ordered=ordered,
            stop_on_failure=stop_on_failure,
            cancel_running=cancel_running,
            journal=journal,
            on_unknown=on_unknown,
            on_approval=caller_callback(on_approval),
            save_artifacts=save_artifacts,
            on_progress=caller_callback(on_progress),
            progress=progress,
        )
