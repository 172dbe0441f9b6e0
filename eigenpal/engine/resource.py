"""What every namespace of an API is made of: a session, and one call for each method."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from eigenpal.engine.downloads import read_all, save
from eigenpal.engine.request import Operation
from eigenpal.engine.session import Session


class Resource:
    """One namespace of an API; its methods name an operation and their arguments, and the session does the rest."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._call = session.call

    async def _bytes(self, operation: Operation[bytes], *path: str, query: Mapping[str, Any] | None = None) -> bytes:
        """Return the whole body of a download."""
        return await self._session.download(operation, *path, query=query, read=read_all)

    async def _save(
        self,
        operation: Operation[bytes],
        *path: str,
        to: str | os.PathLike[str],
        query: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Path:
        """Store the body of a download; the other options are those of `downloads.save`."""
        session = self._session

        def opened(headers: Mapping[str, str]) -> AbstractAsyncContextManager[Any]:
            return session.stream(operation, *path, query=query, headers=headers)

        return await save(
            opened,
            to,
            source=f"{session.options.base_url} {operation.name} {path} {query}",
            max_resumes=session.options.max_retries,
            sleep=session.policy.sleep,
            **options,
        )
