"""Refusals that mean something else than they say: the service answers 400 to much that is no bad input.

Only calls that a refusal can't have changed anything by are here; each is one method of a namespace.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from eigenpal.anyjson import object_of
from eigenpal.engine.session import Session
from eigenpal.epilot.models.executions import Execution
from eigenpal.epilot.operations import CANCEL_EXECUTION, DELETE_AGENT, GET_EXECUTION
from eigenpal.errors import EigenpalNotFoundError, EigenpalValidationError

_MISSING: Final = ("notfound", "not found", "no such", "does not exist", "doesn't exist")


@contextmanager
def missing_is_not_found() -> Generator[None]:
    """Raise `EigenpalNotFoundError` for a 400 whose text says that there is no such agent."""
    try:
        yield
    except EigenpalValidationError as refusal:
        said = " ".join(str(text) for text in object_of(refusal.envelope).values()).lower()
        if not any(phrase in said for phrase in _MISSING):
            raise
        missing = EigenpalNotFoundError(refusal.message)
        vars(missing).update(vars(refusal))
        raise missing from None


async def delete_agent(session: Session, agent_id: str) -> None:
    """Delete an agent; that it is gone when the request is sent again means that the first one got through."""
    try:
        with missing_is_not_found():
            await session.call(DELETE_AGENT, agent_id)
    except EigenpalNotFoundError as missing:
        if not missing.retries_taken:
            raise


async def cancel_execution(session: Session, execution_id: str) -> Execution:
    """Cancel an execution and return it; one that is over already is returned as it is."""
    try:
        return await session.call(CANCEL_EXECUTION, execution_id)
    except EigenpalValidationError:
        seen = await session.call(GET_EXECUTION, execution_id)
        if not seen.is_terminal:
            raise
        return seen
