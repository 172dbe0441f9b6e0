# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The blocking client: options, resources, lifecycle. Wiring, no logic."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from eigenpal.client import AsyncEigenpalClient, T
from eigenpal.engine.raw import RawResponses
from eigenpal.engine.unset import UNSET, Unset
from eigenpal.models.runs import Run, StartedRun
from eigenpal.resources.starting import FileReferences
from eigenpal.resources.targets import Target
from eigenpal_sync._portal import BlockingIterator, Portal, caller_callback
from eigenpal_sync._portal_inputs import caller_inputs
from eigenpal_sync._twin import Twin, twin_of
from eigenpal_sync.resources.agents import Agents
from eigenpal_sync.resources.automations import Automations
from eigenpal_sync.resources.runs import Runs
from eigenpal_sync.resources.source import Source
from eigenpal_sync.resources.workflows import Workflows

if TYPE_CHECKING:
    import os

    import httpx

    from eigenpal.fanout.options import OnUnknown
    from eigenpal.fanout.progress import Progress
    from eigenpal.resources.batch_inputs import RunInputs, RunOutcome


class EigenpalClient(Twin[AsyncEigenpalClient]):
    """A client of the EigenPal API for code without `await`.

    Make one and keep it: it holds the connections. Close it with `with` or `close()`.

    Example:
        ```python
        with EigenpalClient() as client:
            run = client.run_and_wait("workflows.extract-invoice", {"invoice": Path("invoice.pdf")})
            print(run.output)
        ```
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout_seconds: float | None = 60.0,
        verify_ssl: bool | str | ssl.SSLContext = True,
        max_retries: int = 3,
        default_headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        http_client: httpx.AsyncClient | None = None,
        max_concurrency: int = 100,
        trigger: str | None = None,
        api_generation: str = "0.7",
        proxy: str | None = None,
        trust_env: bool = True,
        http2: bool = False,
    ) -> None:
        """Check the options; nothing is sent or opened yet.

        Args:
            api_key: The API key; the environment variable `EIGENPAL_API_KEY` unless given.
            base_url: Where the API lives, path prefix allowed; `EIGENPAL_BASE_URL` or the hosted service unless given.
            timeout_seconds: Bound on one request in seconds, retries apart; None for no bound. The time that the
                server is asked to hold a request (`wait_for_completion`) comes on top. Uploads and downloads may take
                longer as a whole; there it bounds each step.
            verify_ssl: False to trust any server, or the path of a CA bundle, or an `ssl.SSLContext`.
            max_retries: How often a request that failed in passing is sent again at most.
            default_headers: Headers to add to every request.
            transport: An httpx transport of yours that sends the requests.
            http_client: An `httpx.AsyncClient` of yours that sends the requests, with its proxies and certificates. It
                stays yours to close, as does `transport`.
            max_concurrency: Requests in flight at once; others wait their turn.
            trigger: What the service records as the trigger of runs, such as `"cli"`.
            api_generation: Generation of the API to speak.
            proxy: Address of a proxy for all requests; the environment (`HTTPS_PROXY`, `NO_PROXY`) unless given.
            trust_env: Whether proxies and certificate files may come from the environment.
            http2: Speak HTTP/2 over one connection; needs `pip install "httpx[http2]"`.

        Raises:
            EigenpalInputError: No API key, or an option that can't work; it is a `ValueError`.
        """
        self._async = AsyncEigenpalClient(
            api_key,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            verify_ssl=verify_ssl,
            max_retries=max_retries,
            default_headers=default_headers,
            transport=transport,
            http_client=http_client,
            max_concurrency=max_concurrency,
            trigger=trigger,
            api_generation=api_generation,
            proxy=proxy,
            trust_env=trust_env,
            http2=http2,
        )
        self._portal = Portal(self._async.aclose)

    @cached_property
    def runs(self) -> Runs:
        """Runs of workflows and agents."""
        return twin_of(Runs, self._async.runs, self._portal)

    @cached_property
    def agents(self) -> Agents:
        """Agents, their source files and releases."""
        return twin_of(Agents, self._async.agents, self._portal)

    @cached_property
    def automations(self) -> Automations:
        """Registry of automations."""
        return twin_of(Automations, self._async.automations, self._portal)

    @cached_property
    def source(self) -> Source:
        """The organisation's source repository."""
        return twin_of(Source, self._async.source, self._portal)

    @cached_property
    def workflows(self) -> Workflows:
        """Workflows and their released versions."""
        return twin_of(Workflows, self._async.workflows, self._portal)

    @property
    def with_raw_response(self) -> RawResponses:
        """This client with methods that return the HTTP answer too: status, headers, retries, elapsed, `parse()`."""
        return RawResponses(self)

    def run(
        self,
        target: Target,
        input: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        wait_for_completion: int | None = None,
        files: FileReferences | None = None,
        overrides: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> StartedRun:
        """Start a run of a workflow or an agent.

        It is started once: where a failure leaves open whether the server began, the error says so with
        `maybe_started=True`, and the request is not sent again.

        Args:
            target: `"workflows.<slug or id>"` or `"agents.<slug>"`, with `@<version>` if need be; or a mapping with
                `type`, `slug` or `id`, and `version`.
            input: Argument names to values. A value may be a file or a list of files: a `Path`, a file opened with
                `"rb"`, or `{"content": bytes, "filename": str, "mime_type": str}`. Files are streamed.
            version: Version to run; the latest unless given.
            wait_for_completion: Seconds (0 to 600) that the server may hold the request for the run to end.
            files: Files that the service already stores, by input name.
            overrides: `{"steps": {name: output}}`: steps that are not executed but have this output; workflows only.
            metadata: Data of yours that is kept with the run; `runs.get(..., expand="input")` has it.

        Returns:
            The run if it ended within `wait_for_completion`, else its receipt, whose `id` can be waited for.

        Raises:
            EigenpalInputError: An argument that can't be sent, or a file that can't be read.
            EigenpalValidationError: The server refused the input.
            EigenpalNotFoundError: No such target or version.
            EigenpalForbiddenError: The API trigger of the target is switched off.
        """
        return self._portal.wait(
            self._async.run,
            target,
            input,
            version=version,
            wait_for_completion=wait_for_completion,
            files=files,
            overrides=overrides,
            metadata=metadata,
        ).result()

    def rerun(self, run_id: str, *, version: str | None = None, wait_for_completion: int | None = None) -> StartedRun:
        """Start a new run with the stored input of another.

        Args:
            run_id: Id of the run to repeat.
            version: Version to run; `"original"` for the one of that run, the latest unless given.
            wait_for_completion: Seconds (0 to 600) that the server may hold the request for the run to end.

        Returns:
            The new run if it ended within `wait_for_completion`, else its receipt.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(
            self._async.rerun, run_id, version=version, wait_for_completion=wait_for_completion
        ).result()

    def run_and_wait(
        self,
        target: Target,
        input: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        files: FileReferences | None = None,
        overrides: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout_seconds: float | None = 300.0,
        poll_interval_seconds: float = 2.0,
        raise_on_failure: bool = False,
        cancel_on_timeout: bool = False,
        on_update: Callable[[Run], object] | None = None,
    ) -> Run:
        """Start a run and wait until it is over: `run` and `runs.wait` in one.

        Args:
            target: What to run, as in `run`.
            input: Argument names to values, files among them, as in `run`.
            version: Version to run; the latest unless given.
            files: Files that the service already stores, by input name.
            overrides: `{"steps": {name: output}}`: steps that are not executed but have this output; workflows only.
            metadata: Data of yours that is kept with the run.
            timeout_seconds: Bound on the wait in seconds, once the run is started; None for no bound.
            poll_interval_seconds: Longest pause between two looks, in seconds.
            raise_on_failure: Raise `EigenpalRunError` when the run failed, was cancelled or rejected.
            cancel_on_timeout: Ask the run to cancel when the time is up.
            on_update: Called with the run each time it is seen in a new status.

        Returns:
            The run with its output and files, or its error.

        Raises:
            EigenpalInputError: An argument that can't be sent, or a file that can't be read.
            EigenpalNotFoundError: No such target or version.
            EigenpalTimeoutError: The time is up; carries `run_id` and the last seen `run`.
            EigenpalRunError: With `raise_on_failure`, the run ended without success; carries `run`.
        """
        return self._portal.wait(
            self._async.run_and_wait,
            target,
            input,
            version=version,
            files=files,
            overrides=overrides,
            metadata=metadata,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            raise_on_failure=raise_on_failure,
            cancel_on_timeout=cancel_on_timeout,
            on_update=caller_callback(on_update),
        ).result()

    def run_many(
        self,
        target: Target | None,
        inputs: RunInputs,
        *,
        version: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        concurrency: int = 100,
        timeout_seconds: float | None = 3600.0,
        poll_interval_seconds: float = 2.0,
        ordered: bool = False,
        stop_on_failure: bool = False,
        cancel_running: bool = False,
        journal: str | os.PathLike[str] | None = None,
        on_unknown: OnUnknown = "raise",
        save_artifacts: str | os.PathLike[str] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        progress: bool = False,
    ) -> BlockingIterator[RunOutcome]:
        """Start a run for each of many inputs, wait for all of them, and iterate over what became of each.

        Inputs are taken one by one, as runs end: there may be millions. Each that is taken has exactly one outcome, and
        no failure stops another. A start whose answer was lost is looked for by a mark in the metadata of runs
        (`eigenpal_start`), never repeated blindly.

        With a journal, a batch outlives its process: run again with the same inputs, what has ended comes from the
        disk, what runs is waited for, and only the rest is started. Leaving the loop early ends the batch; `with`
        also waits until it has ended.

        Args:
            target: What to run, as in `run`; None when each input names its own.
            inputs: Any iterable of inputs, also one that is awaited, or a mapping of keys to them. An input is a
                mapping of argument names to values, files among them, or a `RunRequest`, or a pair of a key and one of
                these. Without a key, its index is the key.
            version: Version to run; the latest unless given.
            metadata: Data of yours that is kept with each run.
            concurrency: Runs under way at once.
            timeout_seconds: Bound on each input in seconds, from the first try to start it; None for none.
            poll_interval_seconds: Longest pause between two looks at a run, in seconds.
            ordered: Give outcomes in the order of the inputs instead of as they come.
            stop_on_failure: After the first outcome that is not ok, take no more inputs. What is under way still ends.
            cancel_running: Ask runs under way to cancel when the batch is left early, or stopped by `stop_on_failure`.
            journal: Path of a file (SQLite) that remembers the batch; made if need be, for one process at a time.
            on_unknown: What to do when it can't be told whether a run was started: `"raise"` ends the batch with an
                error, `"skip"` makes it the error of that input, `"rerun"` starts it, maybe a second time.
            save_artifacts: Folder in which the files of each run are stored, in a folder named for its key.
            on_progress: Called with a `Progress` on changes, at most ten times a second, and at the end.
            progress: Show a bar, with rich (extra `cli`) in a terminal, with tqdm (extra `notebook`) in a notebook.

        Raises:
            EigenpalInputError: An argument that can't work, or a journal that is in use or of another batch.

        Example:
            ```python
            inputs = {path.name: {"invoice": path} for path in folder.glob("*.pdf")}
            for outcome in client.run_many("workflows.extract-invoice", inputs, journal="invoices.db"):
                print(outcome.key, outcome.run.output if outcome.ok else outcome.error)
            ```
        """
        return self._portal.iterate(
            self._async.run_many,
            target,
            caller_inputs(inputs),
            version=version,
            metadata=metadata,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            poll_interval_seconds=poll_interval_seconds,
            ordered=ordered,
            stop_on_failure=stop_on_failure,
            cancel_running=cancel_running,
            journal=journal,
            on_unknown=on_unknown,
            save_artifacts=save_artifacts,
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
        """Send a request that this version has no method for, with the same key, retries and errors.

        Args:
            method: HTTP method. Anything but GET, HEAD, OPTIONS, PUT and DELETE is taken to start something.
            path: Path below `base_url`, beginning with a slash, such as `"/api/v1/agents"`.
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
