"""Starting an execution: what it may be given, and how long the service may hold the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from eigenpal.engine.model import Model
from eigenpal.engine.session import Session
from eigenpal.epilot.models.executions import Execution
from eigenpal.epilot.operations import EXECUTE_AGENT
from eigenpal.errors import EigenpalInputError

DEFAULT_TIMEOUT_MS: Final = 30_000
LONGEST_TIMEOUT_MS: Final = 300_000


async def execute_agent(
    session: Session,
    agent_id: str,
    *,
    input: object,
    parameters: object,
    callback_url: str | None,
    timeout_ms: int | None,
    **members: Any,
) -> Execution:
    """Check what is given, start the execution and return it as it stands; arguments as in `agents.execute`."""
    body = {
        "input": _members("input", input),
        "parameters": _members("parameters", parameters),
        "callback_url": _address(callback_url),
        "timeout_ms": _limit(timeout_ms),
        **members,
    }
    hold_seconds = (timeout_ms or DEFAULT_TIMEOUT_MS) / 1000  # it may answer only once the execution is over
    return await session.call(EXECUTE_AGENT, agent_id, body=body, hold_seconds=hold_seconds)


def _members(name: str, value: object) -> object:
    if value is not None and not isinstance(value, Mapping | Model):
        raise EigenpalInputError(f"{name} must be a mapping of names to values, not {type(value).__name__}")
    return value  # pyright: ignore[reportUnknownVariableType] - any JSON


def _limit(timeout_ms: object) -> object:
    if timeout_ms is None:
        return None
    if isinstance(timeout_ms, bool) or not isinstance(timeout_ms, int) or not 0 < timeout_ms <= LONGEST_TIMEOUT_MS:
        raise EigenpalInputError(
            f"timeout_ms must be a whole number of milliseconds from 1 to {LONGEST_TIMEOUT_MS}; got {timeout_ms!r}"
        )
    return timeout_ms


def _address(url: object) -> object:
    if url is None:
        return None
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise EigenpalInputError("callback_url must be an address such as 'https://host/path'")
    return url
