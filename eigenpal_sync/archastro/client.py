# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The blocking client of ArchAstro: options, resources, lifecycle. Wiring, no logic."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from eigenpal.archastro.batch_inputs import SessionInputs, SessionOutcome
from eigenpal.archastro.client import AsyncArchAstroClient, T
from eigenpal.archastro.waiting import Until
from eigenpal.engine.credentials import Token
from eigenpal.engine.raw import RawResponses
from eigenpal.engine.unset import UNSET, Unset
from eigenpal.fanout.options import OnUnknown
from eigenpal.fanout.progress import Progress
from eigenpal_sync._portal import BlockingIterator, Portal, caller_callback
from eigenpal_sync._twin import Twin, twin_of
from eigenpal_sync.archastro.resources.agent_routine_runs import AgentRoutineRuns
from eigenpal_sync.archastro.resources.agent_routines import AgentRoutines
from eigenpal_sync.archastro.resources.agent_sessions import AgentSessions

if TYPE_CHECKING:
    import httpx


class ArchAstroClient(Twin[AsyncArchAstroClient]):
    """A client of the ArchAstro API for code without `await`.

    Make one and keep it: it holds the connections. Close it with `with` or `close()`.

    Example:
        ```python
        with ArchAstroClient() as client:
            session = client.agent_sessions.create(agent="agi_1", instructions="Count the open tickets.")
            print((client.agent_sessions.wait(session.id)).result)
        ```
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        access_token: Token | None = None,
        base_url: str | None = None,
        timeout_seconds: float | None = 60.0,
        verify_ssl: bool | str | ssl.SSLContext = True,
        max_retries: int = 3,
        default_headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        http_client: httpx.AsyncClient | None = None,
        max_concurrency: int = 100,
        proxy: str | None = None,
        trust_env: bool = True,
        http2: bool = False,
    ) -> None:
        """Check the options; nothing is sent or opened yet.

        There are three ways in: a secret key alone, a publishable key with the token of a user, and the token of a
        system user alone.

        Args:
            api_key: A secret key (`sk_...`) or a publishable one (`pk_...`); the environment variable
                `ARCHASTRO_API_KEY` or `ARCHASTRO_PUBLISHABLE_KEY` unless given.
            access_token: The token of a user or of a system user (`sat_...`): a text, a function (async or not) that is
                asked for it before every request, or a `TokenProvider` such as `RefreshingToken`, which is also asked
                to renew one that was refused. `ARCHASTRO_ACCESS_TOKEN` unless given.
            base_url: Where the API lives, path prefix allowed; `ARCHASTRO_PLATFORM_BASE_URL` or the hosted service
                unless given.
            timeout_seconds: Bound on one request in seconds, retries apart; None for no bound. Streams have bounds of
                their own.
            verify_ssl: False to trust any server, or the path of a CA bundle, or an `ssl.SSLContext`.
            max_retries: How often a request that failed in passing is sent again at most.
            default_headers: Headers to add to every request.
            transport: An httpx transport of yours that sends the requests.
            http_client: An `httpx.AsyncClient` of yours that sends the requests, with its proxies and certificates. It
                stays yours to close, as does `transport`.
            max_concurrency: Requests in flight at once, open streams among them; others wait their turn.
            proxy: Address of a proxy for all requests; the environment (`HTTPS_PROXY`, `NO_PROXY`) unless given.
            trust_env: Whether proxies and certificate files may come from the environment.
            http2: Speak HTTP/2 over one connection; needs `pip install "httpx[http2]"`.

        Raises:
            EigenpalInputError: None of the three ways in, or an option that can't work; it is a `ValueError`.
        """
        self._async = AsyncArchAstroClient(
            api_key,
            access_token=access_token,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            verify_ssl=verify_ssl,
            max_retries=max_retries,
            default_headers=default_headers,
            transport=transport,
            http_client=http_client,
            max_concurrency=max_concurrency,
            proxy=proxy,
            trust_env=trust_env,
            http2=http2,
        )
        self._portal = Portal(self._async.aclose)

    @cached_property
    def agent_sessions(self) -> AgentSessions:
        """Durable tasks given to agents."""
        return twin_of(AgentSessions, self._async.agent_sessions, self._portal)

    @cached_property
    def agent_routines(self) -> AgentRoutines:
        """Reusable handlers of agents, fired by an event, a schedule or a call."""
        return twin_of(AgentRoutines, self._async.agent_routines, self._portal)

    @cached_property
    def agent_routine_runs(self) -> AgentRoutineRuns:
        """Runs of routines."""
        return twin_of(AgentRoutineRuns, self._async.agent_routine_runs, self._portal)

    @property
    def with_raw_response(self) -> RawResponses:
        """This client with methods that return the HTTP answer too: status, headers, retries, elapsed, `parse()`."""
        return RawResponses(self)

    def run_many(
        self,
        agent: str | None,
        inputs: SessionInputs,
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
        on_progress: Callable[[Progress], object] | None = None,
        progress: bool = False,
    ) -> BlockingIterator[SessionOutcome]:
        """Give an agent many tasks, each a session of its own, wait for all, and iterate over what became of each.

        Inputs are taken one by one, as sessions end: there may be millions. Each that is taken has exactly one outcome,
        and with a journal the batch outlives its process. A start whose answer was lost is looked for by a mark in the
        metadata (`eigenpal_start`), never repeated blindly.

        Args:
            agent: Id of the agent; None when each input names its own.
            inputs: Any iterable of inputs, also one that is awaited, or a mapping of keys to them. An input is
                the instructions, or a `SessionRequest`, or a pair of a key and one of these.
            until: `"human"` takes a session that waits for a message as not ok; `"end"` waits on for it.
            concurrency: Sessions under way at once.
            timeout_seconds: Bound on each input in seconds, from the first try to start it; None for none.
            poll_interval_seconds: Longest pause between two looks at a session, in seconds.
            ordered: Give outcomes in the order of the inputs instead of as they come.
            stop_on_failure: After the first outcome that is not ok, take no more inputs. What is under way still ends.
            cancel_running: Cancel sessions under way when the batch is left early.
            journal: Path of a file (SQLite) that remembers the batch; made if need be, for one process at a time.
            on_unknown: What to do when it can't be told whether a session was started: `"raise"` ends the batch with an
                error, `"skip"` makes it the error of that input, `"rerun"` starts it, maybe a second time.
            on_progress: Called with a `Progress` on changes, at most ten times a second, and at the end.
            progress: Show a bar, with rich (extra `cli`) in a terminal, with tqdm (extra `notebook`) in a notebook.

        Raises:
            EigenpalInputError: An argument that can't work, or a journal that is in use or of another batch.
        """
        return self._portal.iterate(
            self._async.run_many,
            agent,
            inputs,
            until=until,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            ordered=ordered,
            stop_on_failure=stop_on_failure,
            cancel_running=cancel_running,
            journal=journal,
            on_unknown=on_unknown,
            on_progress=caller_callback(on_progress),
            progress=progress,
        )

    @overload
    def request(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, json: Any = UNSET, cast_to: type[T]
    ) -> T: ...
    @overload
    def request(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, json: Any = UNSET, cast_to: Any = Any
    ) -> Any: ...
    def request(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, json: Any = UNSET, cast_to: Any = Any
    ) -> Any:
        """Send a request that this version has no method for, with the same credentials, retries and errors.

        Args:
            method: HTTP method. Anything but GET, HEAD, OPTIONS, PUT and DELETE is taken to start something.
            path: Path below `base_url`, beginning with a slash, such as `"/api/v1/trajectories/trj_1"`.
            query: Query arguments by their wire names.
            json: Body to send as JSON.
            cast_to: A model of this package to decode the answer to; the parsed JSON unless given. None ignores it.

        Returns:
            The decoded answer.

        Raises:
            EigenpalInputError: A path that is none.
        """
        return self._portal.wait(self._async.request, method, path, query=query, json=json, cast_to=cast_to).result()

    def with_options(
        self,
        *,
        timeout_seconds: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        default_headers: Mapping[str, str] | Unset = UNSET,
    ) -> Self:
        """Return a copy with some options changed. It is cheap: it shares the connections, and closing one closes both.

        Args:
            timeout_seconds: Bound on one request in seconds; None for no bound.
            max_retries: How often a request that failed in passing is sent again at most.
            default_headers: Headers to add to those of this client.

        Raises:
            EigenpalInputError: An option that can't work.
        """
        return twin_of(
            type(self),
            self._async.with_options(
                timeout_seconds=timeout_seconds, max_retries=max_retries, default_headers=default_headers
            ),
            self._portal,
        )

    def close(self) -> None:
        """Close the connections. It may be called twice; using the client afterwards raises `EigenpalUsageError`."""
        self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
