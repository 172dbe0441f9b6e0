"""What surrounds runs and lives as long as a server: agents, their source, the catalogue of both, the vault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from eigenpal.sandbox.agent_store import AgentStore
from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.catalogue import Catalogue
from eigenpal.sandbox.database import Database
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.packages import Packages
from eigenpal.sandbox.registry import Registry
from eigenpal.sandbox.repository import Repository
from eigenpal.sandbox.source_store import SourceStore
from eigenpal.sandbox.usage_store import UsageStore
from eigenpal.sandbox.vault import Vault, open_vault


@dataclass(frozen=True, slots=True)
class Organisation:
    """Agents and source of every tenant of one sandbox.

    Attributes:
        agents: What the API created and changed.
        source: What was committed.
        catalogue: What can be run.
        repository: Takes commits.
        packages: Reads them.
        usage: How much is used.
        vault: Seals secrets.
        writable: Whether the API writes agents' files, as servers did before Git held them.
    """

    agents: AgentStore
    source: SourceStore
    catalogue: Catalogue
    repository: Repository
    packages: Packages
    usage: UsageStore
    vault: Vault
    writable: bool

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        database: Database,
        blobs: BlobFolder,
        registry: Registry,
        ids: IdSource,
        now: Callable[[], int],
        writable: bool,
    ) -> Self:
        """Take up what a data folder holds."""
        agents, source = AgentStore(database), SourceStore(database)
        catalogue = Catalogue(registry, agents, source)
        return cls(
            agents=agents,
            source=source,
            catalogue=catalogue,
            repository=Repository(source, blobs, ids, now),
            packages=Packages(catalogue, source, blobs),
            usage=UsageStore(database),
            vault=open_vault(folder / "secrets.key"),
            writable=writable,
        )
