"""`Sandbox`: what users start, register functions with and assert on. Wiring; the parts do the work."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread

from eigenpal.sandbox.archastro.emulator import ArchAstroEmulator
from eigenpal.sandbox.call import Tenant
from eigenpal.sandbox.clock import Clock, milliseconds, wall_clock
from eigenpal.sandbox.context import ArtifactData
from eigenpal.sandbox.data_folder import DataFolder
from eigenpal.sandbox.defining import Defining, Definition
from eigenpal.sandbox.download_tokens import make_token
from eigenpal.sandbox.epilot.emulator import EpilotEmulator
from eigenpal.sandbox.faults import Faults
from eigenpal.sandbox.hosting import Hosting, Settings
from eigenpal.sandbox.ids import IdSource, derived_id
from eigenpal.sandbox.invoices import extract_invoice
from eigenpal.sandbox.keys import Keys
from eigenpal.sandbox.loading import LoadedFiles
from eigenpal.sandbox.operations.generations import GENERATIONS, Generation
from eigenpal.sandbox.organisation import Organisation
from eigenpal.sandbox.recording import Recorder
from eigenpal.sandbox.registry import Registry
from eigenpal.sandbox.rows import FileRow
from eigenpal.sandbox.server import ServerThread
from eigenpal.sandbox.source import Source
from eigenpal.sandbox.store import Store
from eigenpal.sandbox.stubs import Stub, split_target

MAX_BODY_BYTES = 4 * 1024**3  # uploads go to disk, so only the disk bounds them; above this it is surely a mistake
MAX_RUNNING = 1000  # functions that wait cost little; tests of queueing set it to 1
DEFAULT_TENANT = "default"
DAYS_OF_A_LINK = 7  # nothing public says how long links in mails work


class Sandbox(Defining):
    """The API on this machine: a real server on 127.0.0.1 whose workflows are Python functions.

    Args:
        port: Port to listen on; 0 for a free one.
        data: Folder that keeps runs and files over restarts; a temporary one, deleted at stop, unless given.
        api_key: Key that clients send; a random one unless given, which a data folder keeps over restarts.
        run_latency: Seconds every run stays in `running` before its function begins; may be changed at any time.
        seed: Makes the ids of runs, files and steps repeatable.
        clock: Returns the present moment; the wall clock unless given. `ManualClock` is one that a test moves.
        max_body_bytes: Larger requests are refused with 413.
        max_running: How many runs execute at once; the others wait as `pending`.
        writable_sources: Let the API write agents' files, as servers did before Git held them.
        generation: The generation of the API that the server speaks: `0.7`, or `0.6` to play an older server.

    Raises:
        ValueError: An option can't be used, or the data folder's file of keys is no such file.

    Attributes:
        requests: The latest requests the server got.
        faults: Plans what is to go wrong.
        run_latency: As above.
        source: Pushes source files of agents, and archives agents.
        archastro: ArchAstro's sessions and routines, on the same server.
        epilot: epilot's AI agents, on the same server.

    Example:
        with Sandbox() as sandbox:
            client = EigenpalClient(api_key=sandbox.api_key, base_url=sandbox.url)
    """

    def __init__(
        self,
        *,
        port: int = 0,
        data: Path | str | None = None,
        api_key: str | None = None,
        run_latency: float = 0.0,
        seed: int | None = None,
        clock: Clock | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_running: int = MAX_RUNNING,
        writable_sources: bool = False,
        generation: Generation = "0.7",
    ) -> None:
        if generation not in GENERATIONS:
            raise ValueError(f"There is no generation {generation!r} of the API; choose {' or '.join(GENERATIONS)}.")
        self.requests: Recorder = Recorder()
        self.faults: Faults = Faults()
        self.run_latency = run_latency
        self._port = port
        self._data = None if data is None else Path(data)
        now = clock or wall_clock
        self._registry = Registry(lambda _: milliseconds(now()))
        self._keys = Keys(None if self._data is None else self._data / "keys.json")
        self._tenants: dict[str, Tenant] = {}
        here, key, tenant_of = lambda: self.url, lambda: self.api_key, self._tenants.get
        self.archastro: ArchAstroEmulator = ArchAstroEmulator(here, key, tenant_of)
        self.epilot: EpilotEmulator = EpilotEmulator(here, key, tenant_of)
        self._settings = Settings(
            registry=self._registry,
            generation=generation,
            emulators=(self.archastro, self.epilot),
            tenant_of=self._tenants.get,
            faults=self.faults,
            recorder=self.requests,
            ids=IdSource(seed),
            clock=now,
            latency=lambda: self.run_latency,
            max_body_bytes=max_body_bytes,
            max_running=max_running,
            writable_sources=writable_sources,
        )
        self.source: Source = Source(self._organisation, self._settings.now)
        self._folder: DataFolder | None = None
        self._api_key = self.add_key(DEFAULT_TENANT, api_key)
        self._server: ServerThread | None = None
        self._hosting: Hosting | None = None
        self._loaded: dict[tuple[Path, ...], LoadedFiles] = {}
        self._temporary: Path | None = None
        self._remove_temporary: Callable[[], object] = lambda: None
        invoice = {"invoice": {"type": "file", "description": "The invoice, a PDF or a text file."}}
        self.workflow("extract-invoice", inputs=invoice, steps=extract_invoice.STEPS)(extract_invoice.run)

    # Life

    def start(self) -> None:
        """Start the server; it answers when this returns.

        Raises:
            RuntimeError: It is running already.
            OSError: The port or the data folder can't be had.
        """
        if self._server is not None:
            raise RuntimeError("This sandbox is running already.")
        folder = self._data
        if folder is None:
            folder = self._temporary = Path(tempfile.mkdtemp(prefix="eigenpal-sandbox-"))
            # Also when the process ends without a stop, as notebooks do.
            self._remove_temporary = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            self._folder = DataFolder(folder)
            self._folder.open()
            self._keys.save()
            self._hosting = Hosting(self._settings, folder, lasting=self._data is not None)
            self._server = ServerThread(
                self._hosting, host="127.0.0.1", port=self._port, refuse=self.faults.refuses_connection
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server; runs in flight fail. Safe to call when it isn't running."""
        server, self._server, self._hosting = self._server, None, None
        if server is not None:
            server.stop()
        if self._folder is not None:
            self._folder.close()
        self._temporary = self._folder = None
        self._remove_temporary()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await anyio.to_thread.run_sync(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)

    @property
    def url(self) -> str:
        """Base URL for clients, such as `http://127.0.0.1:49152`.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        if self._server is None:
            raise RuntimeError("This sandbox is not running; use it in a with block or call start().")
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def api_key(self) -> str:
        """The API key of the first tenant."""
        return self._api_key

    @property
    def data_folder(self) -> Path | None:
        """The folder that holds runs and files; None when it is a temporary one and the sandbox is not running."""
        return self._data or self._temporary

    def add_key(self, tenant: str, api_key: str | None = None) -> str:
        """Add an API key; runs of different tenants are kept apart.

        Args:
            tenant: Whose key; any name. The key that every sandbox begins with belongs to `default`.
            api_key: The key; a random one unless given. A data folder keeps random ones: the first call for a tenant
                returns the same key after a restart, and so does the second.

        Returns:
            The key.

        Raises:
            ValueError: The key has characters that no header can carry.
        """
        key = api_key or self._keys.take(tenant)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("An API key is made of printable ASCII characters without spaces.")
        user = {"id": derived_id("user", tenant), "name": tenant, "email": f"{tenant}@sandbox.local"}
        self._tenants[key] = Tenant(tenant, user)
        if self._folder is not None:
            self._keys.save()
        return key

    # Workflows and agents

    def define(self, definition: Definition) -> None:
        """Take what `workflow` or `agent` defined; it can be started at once."""
        self._registry.define(definition)

    def stub(
        self,
        target: str,
        output: Mapping[str, Any] | None = None,
        *,
        version: str = "1.0.0",
        error: str | None = None,
        artifacts: Mapping[str, ArtifactData] | None = None,
    ) -> Stub:
        """Define a workflow or agent that ends every run the same way, in place of one of that name.

        Args:
            target: Slug of a workflow, or a target such as `agents.triage`.
            output: Output of the runs.
            version: Three numbers.
            error: Fails the runs with this text instead.
            artifacts: Artifacts that each run writes first, by name.

        Returns:
            The stub; its `calls` say what the runs were started with.

        Raises:
            ValueError: The target or version can't be used.
        """
        stub = Stub(output, error=error, artifacts=artifacts or {})
        kind, slug = split_target(target)
        self.define(Definition(kind=kind, slug=slug, function=stub, version=version, description="A stub."))
        return stub

    def load(self, *paths: Path | str) -> LoadedFiles:
        """Define what Python files define with `workflow` and `agent` of `eigenpal.sandbox`.

        Loading the same files again puts what they define now in place of what they defined before.

        Args:
            paths: The files; they run as trusted code, with their folders on `sys.path`.

        Returns:
            The files as they are loaded: what they define, whether they have changed, and a way to load them again.

        Raises:
            WorkflowFileError: One of them can't be loaded; nothing has changed.
        """
        whole = tuple(Path(path).resolve() for path in paths)
        files = self._loaded.get(whole) or LoadedFiles(whole, self._registry.replace)
        files.load()
        self._loaded[whole] = files
        return files

    def annotate(
        self,
        run_id: str,
        *,
        batch_id: str | None = None,
        example: str | None = None,
        example_id: str | None = None,
        score: float | None = None,
        passed: bool | None = None,
        annotation: str | None = None,
    ) -> None:
        """Put on a run what an evaluation would: no operation of the API sets these members, yet lists filter by them.

        Args:
            run_id: The run.
            batch_id: Experiment batch.
            example: Label of the evaluation example.
            example_id: Id of the evaluation example.
            score: Score of the evaluation.
            passed: Verdict of the evaluation.
            annotation: Note on the run.

        Raises:
            RuntimeError: The sandbox is not running.
            KeyError: It has no such run.
        """
        store = self._store()
        if store.run(run_id) is None:
            raise KeyError(run_id)
        store.update_run(
            run_id,
            batch_id=batch_id,
            example=example,
            example_id=example_id,
            score=score,
            passed=passed,
            annotation=annotation,
        )

    def files(self, run_id: str) -> Sequence[FileRow]:
        """Return the files of a run with their ids, inputs included; the API shows ids nowhere but in uploads.

        Args:
            run_id: The run; one that doesn't exist has no files.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        return self._store().files(run_id)

    def download_token(self, run_id: str, *, valid_seconds: float = DAYS_OF_A_LINK * 86_400) -> str:
        """Return a token as a mail about an agent run would carry it: it fetches the zip of that run without a key.

        Args:
            run_id: The run; `runs.artifacts.download_zip(run_id, token=...)` takes the token.
            valid_seconds: For how long.

        Raises:
            RuntimeError: The sandbox is not running.
            KeyError: It has no such run.
        """
        if self._store().run(run_id) is None:
            raise KeyError(run_id)
        expires_at = self._settings.now() + round(valid_seconds * 1000)
        return make_token(self._organisation().vault, run_id, max(0, expires_at))

    def _store(self) -> Store:
        if self._hosting is None:
            raise RuntimeError("This sandbox is not running.")
        return self._hosting.store

    def _organisation(self) -> Organisation:
        if self._hosting is None:
            raise RuntimeError("This sandbox is not running.")
        return self._hosting.organisation

    def __repr__(self) -> str:
        state = f"running at {self.url}" if self._server is not None else "stopped"
        return f"<Sandbox {state}, data={'temporary' if self._data is None else str(self._data)!r}>"
