"""The options of a client: arguments, then the environment, then defaults; checked once, before anything is sent."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final, Self
from urllib.parse import urlsplit

import attrs

from eigenpal.engine.credentials import Credentials
from eigenpal.engine.headers import checked_headers, header_value
from eigenpal.engine.service import Service
from eigenpal.errors import EigenpalInputError

DEFAULT_TIMEOUT_SECONDS: Final = 60.0
DEFAULT_MAX_RETRIES: Final = 3
DEFAULT_MAX_CONCURRENCY: Final = (
    100  # what one process can hold open nearly anywhere; file descriptors are 256 on macOS
)
DEFAULT_MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024  # decoded JSON; far above any real answer, far below memory


class EigenpalInsecureWarning(UserWarning):
    """The key travels unencrypted, or the server's identity is not checked."""


@attrs.frozen(kw_only=True)
class ClientOptions:
    """Everything a client was told, complete and checked.

    Attributes:
        credentials: What says who is calling.
        base_url: Where the service lives, without a trailing slash; may carry a path prefix.
        timeout_seconds: Bound on one request, retries apart; None for no bound.
        max_retries: How often a request is sent again at most.
        default_headers: Headers added to every request.
        trigger: What the service records as the trigger of runs.
        api_generation: Generation of the API to speak.
        max_response_bytes: Largest decoded JSON answer that is accepted.
    """

    credentials: Credentials
    base_url: str
    timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS
    max_retries: int = DEFAULT_MAX_RETRIES
    default_headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)  # users put credentials here
    trigger: str | None = None
    api_generation: str = ""
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES

    @classmethod
    def resolve(
        cls,
        service: Service,
        *,
        credentials: Credentials,
        base_url: str | None,
        timeout_seconds: float | None,
        max_retries: int,
        default_headers: Mapping[str, str] | None,
        trigger: str | None = None,
        api_generation: str | None = None,
    ) -> Self:
        """Take what was given, fill in the environment and the defaults, and check all of it.

        Raises:
            EigenpalInputError: An option that can't work; the message names it.
        """
        address = base_url or os.environ.get(service.base_url_variable) or service.default_base_url
        generation = next(iter(service.generations)) if api_generation is None else api_generation
        if generation not in service.generations:
            known = ", ".join(repr(one) for one in service.generations)
            raise EigenpalInputError(f"api_generation={api_generation!r} is not known; this version speaks {known}")
        return cls(
            credentials=credentials,
            base_url=_checked_base_url(address),
            timeout_seconds=checked_timeout(timeout_seconds),
            max_retries=_checked_retries(max_retries),
            default_headers=checked_headers(default_headers),
            trigger=None if trigger is None else header_value("trigger", trigger),
            api_generation=generation,
        )

    def replaced(self, **changes: Any) -> Self:
        """Return a copy with some options changed (those that are not UNSET), checked like new ones."""
        checks: dict[str, Callable[[Any], Any]] = {
            "timeout_seconds": checked_timeout,
            "max_retries": _checked_retries,
            "default_headers": lambda headers: {**self.default_headers, **checked_headers(headers)},
        }
        return attrs.evolve(self, **{name: checks[name](value) for name, value in changes.items()})


def checked_timeout(seconds: object, name: str = "timeout_seconds") -> float | None:
    """Return a timeout that makes sense: above 0 and not NaN, or None for no bound."""
    if seconds is None or seconds == math.inf:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise EigenpalInputError(f"{name} must be a number of seconds above 0, or None for no bound; got {seconds!r}")
    return float(seconds)


def _checked_retries(count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise EigenpalInputError(f"max_retries must be a whole number, 0 or more; got {count!r}")
    return count


def _checked_base_url(address: object) -> str:
    if not isinstance(address, str):
        raise EigenpalInputError(f"base_url must be a string, not {type(address).__name__}")
    url = address.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise EigenpalInputError(
            "base_url must be an address such as 'https://host' or 'http://localhost:3000/prefix' (ASCII only)"
        )
    if parts.username is not None or parts.password is not None:
        raise EigenpalInputError("base_url must not carry a user name or password; they have arguments of their own")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise EigenpalInputError(f"base_url must end before any '?' or '#'; give {url.split('?')[0].split('#')[0]!r}")
    if parts.scheme == "http" and not is_loopback(host):
        warnings.warn(
            f"base_url {url!r} is plain http: the API key travels unencrypted. Use https.",
            EigenpalInsecureWarning,
            stacklevel=5,  # the caller of a client's constructor
        )
    return url.rstrip("/")


def warn_unverified(verify_ssl: object) -> None:
    """Warn when servers are not made to prove who they are."""
    if verify_ssl is False:
        warnings.warn(
            "verify_ssl=False: the server's identity is not checked, so anyone on the way can read the API key. "
            "For a private certificate authority give verify_ssl='path/to/ca.pem'.",
            EigenpalInsecureWarning,
            stacklevel=4,
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
