"""What leaves the process besides requests: log lines, spans, and the headers that say who is calling.

All of it is redacted by allow-list: what is not known to be harmless is not shown.
"""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote, unquote_plus, urljoin, urlsplit

from eigenpal._version import __version__

logger: Final = logging.getLogger("eigenpal")

# Query names whose values help and can't hurt; all other values (tokens, searches, signatures) are hidden.
HARMLESS_QUERY: Final = frozenset(
    """batchId completedAfter completedBefore createdAfter createdBefore cursor expand from ids limit offset source
    sourceRef status to trigger type version wait_for_completion""".split()
)


def client_headers(service_name: str, header_prefix: str) -> dict[str, str]:
    """Return the headers that tell a service which client, language and system is calling."""
    system = f"{platform.system()}-{platform.machine()}".lower()
    implementation = platform.python_implementation()
    language = "python" if implementation == "CPython" else implementation.lower()
    runtime = f"{language}-{platform.python_version()}"
    return {
        "User-Agent": f"eigenpal-async-python/{__version__} ({service_name}; {runtime}; {system})",
        f"{header_prefix}-Sdk": "python",
        f"{header_prefix}-Sdk-Version": __version__,
        f"{header_prefix}-Sdk-Runtime": runtime,
        f"{header_prefix}-Sdk-Os": system,
    }


def shown_url(url: str, *, origin: str | None = None) -> str:
    """Return an address fit for logs and errors: query values by allow-list, no credentials.

    Args:
        url: The address.
        origin: Where the service lives; addresses elsewhere (signed downloads) lose their query altogether.
    """
    if "?" not in url and "@" not in url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(_shown_pair(pair) for pair in parts.query.split("&") if pair)
    if origin is not None and not url.startswith(f"{origin}/"):
        query = "…" if query else ""
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{query}" if query else "")


def shown_headers(headers: Mapping[str, str], url: str) -> Mapping[str, str]:
    """Return response headers fit for errors: where a redirect leads without what may be a signature.

    Args:
        headers: The headers, names in lower case.
        url: What was asked for; a redirect may be relative to it.
    """
    if "location" not in headers:
        return headers
    try:
        location = shown_url(urljoin(url, headers["location"]))
    except ValueError:
        location = "what is not an address"
    return {**headers, "location": location}


def _shown_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:  # a bare token, as some signed addresses have it
        return "REDACTED"
    return f"{name}={value}" if unquote_plus(name) in HARMLESS_QUERY else f"{quote(unquote_plus(name))}=REDACTED"


def tracing() -> bool:
    """Tell whether the application traces: only then OpenTelemetry is loaded, and only then a call pays for a span."""
    return "opentelemetry.trace" in sys.modules


@contextmanager
def span(name: str, method: str, url: str) -> Generator[Callable[[str, int], None]]:
    """Wrap one call, retries included, in an OpenTelemetry client span; yields a function that adds a number to it."""
    from opentelemetry.trace import SpanKind, get_tracer

    attributes: Mapping[str, str] = {"http.request.method": method, "url.full": url}
    tracer = get_tracer("eigenpal", __version__)
    with tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes) as current:
        yield current.set_attribute
