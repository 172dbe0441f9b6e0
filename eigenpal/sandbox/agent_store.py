"""What the sandbox keeps of agents that the API created or changed, and of their email aliases. All their SQL is here.

Rows are as a tenant left them; what an agent looks like with its function and its source is the catalogue's business.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from eigenpal.sandbox.database import Database, columns, marks

_SCHEMA = """
CREATE TABLE IF NOT EXISTS agents (
    tenant TEXT NOT NULL, key TEXT NOT NULL, slug TEXT NOT NULL, created_here INTEGER NOT NULL, name TEXT,
    description TEXT, config TEXT, archived INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE TABLE IF NOT EXISTS email_aliases (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, agent_id TEXT NOT NULL,
    address TEXT NOT NULL, label TEXT, status TEXT NOT NULL, allowlist TEXT NOT NULL,
    require_sender_auth INTEGER NOT NULL, reply_config TEXT NOT NULL, UNIQUE (tenant, address)
);
"""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent that was created over the API, or what the API changed of one that is a function.

    Attributes:
        key: The slug in the form in which slugs are compared.
        created_here: Whether it was created over the API, and so exists without a function.
        name: None to leave it to the function; so are the next two.
        config: JSON text.
    """

    tenant: str
    key: str
    slug: str
    created_here: bool
    name: str | None
    description: str | None
    config: str | None
    archived: bool
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class AliasRow:
    """An address that belongs to an agent; allowlist and reply settings are JSON texts."""

    id: str
    tenant: str
    agent_id: str
    address: str
    label: str | None
    status: str
    allowlist: str
    require_sender_auth: bool
    reply_config: str


_AGENT_COLUMNS, _ALIAS_COLUMNS = columns(AgentRow), columns(AliasRow)


class AgentStore:
    """The agents and aliases of one sandbox.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    def put(self, agent: AgentRow) -> None:
        """Keep an agent, in place of an earlier state of it."""
        values = astuple(agent)
        self._database.execute(f"INSERT OR REPLACE INTO agents ({_AGENT_COLUMNS}) VALUES ({marks(values)})", values)

    def get(self, tenant: str, key: str) -> AgentRow | None:
        """Return what is kept of an agent, None for nothing."""
        sql = f"SELECT {_AGENT_COLUMNS} FROM agents WHERE tenant = ? AND key = ?"
        return next(iter(self._agents(sql, tenant, key)), None)

    def all(self, tenant: str) -> list[AgentRow]:
        """Return all agents of a tenant that anything is kept of."""
        return self._agents(f"SELECT {_AGENT_COLUMNS} FROM agents WHERE tenant = ?", tenant)

    def _agents(self, sql: str, *values: str) -> list[AgentRow]:
        created, archived = _at(_AGENT_COLUMNS, "created_here"), _at(_AGENT_COLUMNS, "archived")
        rows = [list(row) for row in self._database.fetch(sql, values)]
        for row in rows:
            row[created], row[archived] = bool(row[created]), bool(row[archived])
        return [AgentRow(*row) for row in rows]

    # Email aliases

    def put_alias(self, alias: AliasRow) -> None:
        """Keep an alias, in place of an earlier state of it."""
        values = astuple(alias)
        assignments = ", ".join(f"{column} = excluded.{column}" for column in _ALIAS_COLUMNS.split(", "))
        self._database.execute(
            f"INSERT INTO email_aliases ({_ALIAS_COLUMNS}) VALUES ({marks(values)}) "
            f"ON CONFLICT (id) DO UPDATE SET {assignments}",
            values,
        )

    def aliases(self, tenant: str, agent_id: str | None = None) -> list[AliasRow]:
        """Return the aliases of a tenant, or of one agent, oldest first."""
        sql = f"SELECT {_ALIAS_COLUMNS} FROM email_aliases WHERE tenant = ? AND agent_id = coalesce(?, agent_id)"
        rows = [list(row) for row in self._database.fetch(f"{sql} ORDER BY sequence", (tenant, agent_id))]
        flag = _at(_ALIAS_COLUMNS, "require_sender_auth")
        for row in rows:
            row[flag] = bool(row[flag])
        return [AliasRow(*row) for row in rows]

    def delete_alias(self, alias_id: str) -> None:
        """Forget an alias."""
        self._database.execute("DELETE FROM email_aliases WHERE id = ?", (alias_id,))


def _at(column_list: str, column: str) -> int:
    return column_list.split(", ").index(column)
