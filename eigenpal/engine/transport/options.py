"""What a user may choose about how bytes travel: trust, proxy, concurrency, an HTTP client of their own.

Plain data. Reading the environment belongs to `tls` and `proxies`, choosing a transport to `connections`.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import attrs

from eigenpal.errors import EigenpalInputError

if TYPE_CHECKING:
    import httpx


def _at_least_one(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        raise EigenpalInputError(f"{attribute.name} must be at least 1, not {value}")


@attrs.frozen
class TransportOptions:
    """How requests reach the server.

    Attributes:
        verify: True trusts the usual certificate authorities, False trusts anyone (never do that outside a test),
            a path is a PEM file or a directory of certificates to trust instead, an `ssl.SSLContext` is used as it is
            (the way to use a client certificate or the trust store of the system).
        proxy: Address of the proxy for all requests, such as "http://user:password@proxy.example:3128"; it wins over
            the environment.
        trust_env: Whether HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are obeyed.
        http2: Speak HTTP/2 where the server offers it. Needs the `h2` package.
        max_concurrency: How many requests are on the wire at once; the others wait in line.
        aiohttp: None uses aiohttp when it is installed and the event loop is asyncio; True insists, False never does.
        http_client: An `httpx.AsyncClient` (or `httpx2.AsyncClient`) of the user's own, with its proxies, mounts, hooks
            and trust; `verify`, `proxy`, `trust_env` and `http2` do not apply then. It is not closed with the client.
        transport: An `httpx.AsyncBaseTransport` (or the one of httpx2) of the user's own; the same holds.
    """

    verify: bool | str | ssl.SSLContext = True
    proxy: str | None = attrs.field(default=None, repr=False)  # may carry a password
    trust_env: bool = True
    http2: bool = False
    max_concurrency: int = attrs.field(default=100, validator=_at_least_one)
    aiohttp: bool | None = None
    http_client: httpx.AsyncClient | None = None
    transport: httpx.AsyncBaseTransport | None = None
