"""What the clients of all services have in common besides their signatures: a session, copies of it, how they show.

No method of the public API is here: those stand in the client of each service, where the blocking twin is read from.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

from eigenpal.engine.calls import Json
from eigenpal.engine.credentials import Credentials
from eigenpal.engine.options import ClientOptions, warn_unverified
from eigenpal.engine.request import untyped
from eigenpal.engine.service import Service
from eigenpal.engine.session import Session
from eigenpal.engine.transport import Connections, TransportOptions
from eigenpal.engine.unset import UNSET, without_unset

if TYPE_CHECKING:
    import httpx


class ServiceClient:
    """A client of some service: a session, and nothing else that could differ between a client and its copies."""

    _session: Session

    def _open(
        self,
        service: Service,
        credentials: Credentials,
        *,
        base_url: str | None,
        timeout_seconds: float | None,
        verify_ssl: bool | str | ssl.SSLContext,
        max_retries: int,
        default_headers: Mapping[str, str] | None,
        transport: httpx.AsyncBaseTransport | None,
        http_client: httpx.AsyncClient | None,
        max_concurrency: int,
        proxy: str | None,
        trust_env: bool,
        http2: bool,
        trigger: str | None = None,
        api_generation: str | None = None,
    ) -> None:
        """Check the options of a constructor and keep them; called by it directly, since warnings name its caller."""
        options = ClientOptions.resolve(
            service,
            credentials=credentials,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            max_retries=max_retries,
            default_headers=default_headers,
            trigger=trigger,
            api_generation=api_generation,
        )
        connections = Connections(
            TransportOptions(
                verify=verify_ssl,
                proxy=proxy,
                trust_env=trust_env,
                http2=http2,
                max_concurrency=max_concurrency,
                http_client=http_client,
                transport=transport,
            )
        )
        warn_unverified(verify_ssl)
        self._session = Session(service, options, connections)

    def _changed(self, **changes: Any) -> Self:
        """Return a copy with some options changed (those that are not UNSET), on the same connections."""
        copy = object.__new__(type(self))
        copy._session = self._session.with_options(**without_unset(changes))
        return copy

    async def _send(self, method: str, path: str, *, query: Mapping[str, Any] | None, json: Any, cast_to: Any) -> Any:
        """Send a request that the SDK does not name; arguments as in the clients' `request`."""
        operation = untyped(method, path, query=query, returns=cast_to)
        return await self._session.call(operation, query=query, body=None if json is UNSET else Json(json))

    def __repr__(self) -> str:
        options, service = self._session.options, self._session.service
        shown = {
            "base_url": repr(options.base_url),
            "timeout_seconds": options.timeout_seconds,
            "max_retries": options.max_retries,
        }
        if len(service.generations) > 1:
            shown["api_generation"] = repr(options.api_generation)
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in shown.items())})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} can't be pickled: make one in each process, it reads its key again")


def session_of(client: ServiceClient) -> Session:
    """Return the session of a client, for what is built on several of them."""
    return client._session  # pyright: ignore[reportPrivateUsage] - the one way to it for other modules
