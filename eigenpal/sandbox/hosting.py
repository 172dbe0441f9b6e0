"""What lives exactly as long as a server runs: the store, the blobs, the executor, the application on top of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from starlette.types import ASGIApp

from eigenpal.sandbox.admin import ADMIN_PLACE, AdminApi
from eigenpal.sandbox.api import Api, EigenpalApi, Emulator, Resources, authenticate
from eigenpal.sandbox.application import Application
from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.call import Services, Tenant
from eigenpal.sandbox.clock import Clock, milliseconds
from eigenpal.sandbox.database import Database
from eigenpal.sandbox.executor import Executor
from eigenpal.sandbox.faults import Faults
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.operations.generations import GENERATIONS
from eigenpal.sandbox.organisation import Organisation
from eigenpal.sandbox.page.api import PAGE_PLACES, PageApi
from eigenpal.sandbox.page.run_browser import RunBrowser
from eigenpal.sandbox.page.views import Sources
from eigenpal.sandbox.recording import Recorder
from eigenpal.sandbox.registry import Registry
from eigenpal.sandbox.reviews import Reviews
from eigenpal.sandbox.routing import Operation, Router
from eigenpal.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Settings:
    """What a sandbox keeps while its server stops and starts again."""

    registry: Registry
    generation: str
    emulators: Sequence[Emulator]
    tenant_of: Callable[[str], Tenant | None]
    faults: Faults
    recorder: Recorder
    ids: IdSource
    clock: Clock
    latency: Callable[[], float]
    max_body_bytes: int
    max_running: int
    writable_sources: bool

    def now(self) -> int:
        """Return the present moment in milliseconds since 1970."""
        return milliseconds(self.clock())


class Hosting:
    """One life of a server on a data folder.

    Args:
        settings: What outlives it.
        folder: The data folder; made when it isn't there.
        lasting: The folder outlives the server.
    """

    def __init__(self, settings: Settings, folder: Path, *, lasting: bool = True) -> None:
        self._settings = settings
        self._folder = folder
        self._lasting = lasting
        self._stopping = False
        self._database: Database | None = None
        self._reader: Database | None = None
        self._store: Store | None = None
        self._organisation: Organisation | None = None
        self._executor: Executor | None = None

    @property
    def store(self) -> Store:
        """The store.

        Raises:
            RuntimeError: The server is not running.
        """
        if self._store is None:
            raise RuntimeError("This sandbox is not running.")
        return self._store

    @property
    def organisation(self) -> Organisation:
        """Agents and source.

        Raises:
            RuntimeError: The server is not running.
        """
        if self._organisation is None:
            raise RuntimeError("This sandbox is not running.")
        return self._organisation

    async def open(self) -> ASGIApp:
        """Take up the state of the data folder and return the application."""
        settings = self._settings
        self._folder.mkdir(parents=True, exist_ok=True)
        blobs = BlobFolder(self._folder / "blobs")
        database = self._database = self._connect()
        store = self._store = Store(database)
        store.fail_interrupted(settings.now())
        organisation = self._organisation = Organisation.open(
            self._folder,
            database=database,
            blobs=blobs,
            registry=settings.registry,
            ids=settings.ids,
            now=settings.now,
            writable=settings.writable_sources,
        )
        blobs.keep_only(store.blobs() | organisation.source.blobs())
        settings.registry.date(lambda release_id: store.first_seen(release_id, settings.now()))
        self._executor = Executor(
            store=store,
            blobs=blobs,
            ids=settings.ids,
            clock=settings.clock,
            latency=settings.latency,
            max_running=settings.max_running,
            packages=organisation.packages,
        )
        services = Services(
            store=store,
            reviews=Reviews(database),
            blobs=blobs,
            registry=settings.registry,
            organisation=organisation,
            executor=self._executor,
            ids=settings.ids,
            clock=settings.clock,
            stopping=lambda: self._stopping,
        )
        resources = Resources(
            database=database,
            blobs=blobs,
            ids=settings.ids,
            clock=settings.clock,
            latency=settings.latency,
            stopping=lambda: self._stopping,
        )
        return Application(
            main=EigenpalApi(
                router=_router(settings.generation),
                services=services,
                tenant_of=settings.tenant_of,
            ),
            apis={emulator.prefix: await emulator.open(resources) for emulator in settings.emulators},
            own=self._own_apis(services),
            now=settings.now,
            stopping=lambda: self._stopping,
            faults=settings.faults,
            recorder=settings.recorder,
            max_body_bytes=settings.max_body_bytes,
        )

    def _connect(self) -> Database:
        return Database(self._folder / "sandbox.sqlite3", lasting=self._lasting)

    def _own_apis(self, services: Services) -> Mapping[str, Api]:
        """Return what the sandbox says about itself, by the first segment of its paths."""
        settings = self._settings
        reader = self._reader = self._connect()
        page = PageApi(Sources(Store(reader), RunBrowser(reader), settings.recorder, settings.now), services)
        admin = AdminApi(settings.faults, partial(authenticate, tenant_of=settings.tenant_of))
        return {**dict.fromkeys(PAGE_PLACES, page), ADMIN_PLACE: admin}

    async def end_work(self) -> None:
        """End the runs in flight."""
        self._stopping = True
        if self._executor is not None:
            await self._executor.stop()
        for emulator in self._settings.emulators:
            await emulator.end_work()

    async def close(self) -> None:
        """Close the database."""
        self._settings.registry.date(lambda _: self._settings.now())
        for database in (self._reader, self._database):
            if database is not None:
                database.close()


@cache
def _router(generation: str) -> Router[Operation]:
    return Router({"/api/v1": GENERATIONS[generation]})
