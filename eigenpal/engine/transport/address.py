"""Cutting an absolute URL into where to connect and what to ask for, without changing a byte of the latter."""

from __future__ import annotations

import functools
import re
from typing import Final

import attrs

from eigenpal.engine.transport.port import TransportFailure

DEFAULT_PORTS = {"http": 80, "https": 443}

_ABSOLUTE: Final = re.compile(r"(.*?)://([^/?#]*)([^#]*)", re.DOTALL)


@attrs.frozen
class Origin:
    """Where a connection goes.

    Attributes:
        scheme: "http" or "https".
        host: Name or IP address to connect to, IPv6 without brackets, names in ASCII.
        port: TCP port.
        host_header: Value of the `Host` header.
    """

    scheme: str
    host: str
    port: int
    host_header: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}"


def split_url(url: str) -> tuple[Origin, str]:
    """Return the origin of an absolute URL and its request target, byte for byte as given.

    A fragment is left out, since it is never sent; so are credentials in front of the host.

    Raises:
        TransportFailure: The URL is not one that can be sent.
    """
    if (found := _ABSOLUTE.match(url)) is None:
        raise _unsendable("the address is not absolute")
    scheme, authority, target = found.groups()
    return _origin(scheme, authority), target if target.startswith("/") else f"/{target}"


@functools.lru_cache(maxsize=256)
def _origin(scheme: str, authority: str) -> Origin:
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise _unsendable("the address is neither http nor https")
    host, port = _host_and_port(authority.rpartition("@")[2])
    if not host:
        raise _unsendable("the address has no host")
    if not host.isascii():
        host = _ascii_host(host)
    if not _can_exist(host):
        raise TransportFailure("dns", sent=False, detail=f"a host can't be named {host}")
    shown = f"[{host}]" if ":" in host else host
    if port is None or port == DEFAULT_PORTS[scheme]:
        return Origin(scheme, host, DEFAULT_PORTS[scheme], shown)
    return Origin(scheme, host, port, f"{shown}:{port}")


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, closed, rest = authority[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise _unsendable("the address has a broken IPv6 host")
        digits = rest[1:]
    else:
        host, _, digits = authority.partition(":")
    if not digits:
        return host, None
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) < 65536):
        raise _unsendable("the address has a port that is not a number from 1 to 65535")
    return host, int(digits)


def _can_exist(host: str) -> bool:
    # What is longer makes the encoder of names fail, in a way that differs between event loops.
    return ":" in host or all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))


def _ascii_host(host: str) -> str:
    import idna  # comes with httpx; only international names need it

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise _unsendable("the host name of the address is not a valid international name") from None


def _unsendable(detail: str) -> TransportFailure:
    return TransportFailure("protocol", sent=False, detail=detail)
