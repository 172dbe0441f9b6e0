"""Which proxy, if any, a request goes through: an explicit one, or what the environment says.

The variables mean what they mean to httpx users. Credentials of a proxy appear in no repr and no error.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import sys
from collections.abc import Mapping
from urllib.parse import unquote

import attrs

from eigenpal.engine.transport.address import DEFAULT_PORTS, Origin
from eigenpal.errors import EigenpalInputError

_PROXY_PORTS = {**DEFAULT_PORTS, "socks5": 1080, "socks5h": 1080}


@attrs.frozen
class Proxy:
    """A proxy server.

    Attributes:
        scheme: "http", "https", "socks5" or "socks5h".
        host: Name or IP address.
        port: TCP port.
        username: None when the address carried no credentials.
        password: Empty when only a name was given.
    """

    scheme: str
    host: str
    port: int
    username: str | None = attrs.field(default=None, repr=False)
    password: str = attrs.field(default="", repr=False)

    @property
    def url(self) -> str:
        """The address without credentials, safe to show."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def authorization(self) -> str | None:
        """Value of the Proxy-Authorization header."""
        if self.username is None:
            return None
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


def parse_proxy(address: str, *, named: str) -> Proxy:
    """Read the address of a proxy; without a scheme it is taken as http.

    Raises:
        EigenpalInputError: It is not the address of a proxy. The message repeats nothing of it but its scheme.
    """
    scheme, found, rest = address.strip().partition("://")
    if not found:
        scheme, rest = "http", scheme
    scheme = scheme.lower()
    if scheme not in _PROXY_PORTS:
        raise EigenpalInputError(
            f"{named} has the scheme {scheme!r}; use http, https, socks5 or socks5h, as in http://proxy.example:3128."
        )
    for mark in "/?#":
        rest = rest.partition(mark)[0]
    credentials, at, place = rest.rpartition("@")
    if place.startswith("["):
        host, _, tail = place[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise EigenpalInputError(f"{named} names no host and port; write it as in http://proxy.example:3128.")
    username, _, password = credentials.partition(":")
    return Proxy(
        scheme,
        host,
        int(port) if port else _PROXY_PORTS[scheme],
        unquote(username) if at else None,
        unquote(password),
    )


@attrs.frozen
class Exemption:
    """One entry of NO_PROXY: what must be equal for a request to go straight to its server."""

    scheme: str | None
    host: str
    port: int | None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    subdomains_only: bool

    @classmethod
    def parse(cls, entry: str) -> Exemption:
        """Read `name`, `.name`, `*.name`, an address or network, each with an optional scheme and port."""
        scheme, found, rest = entry.partition("://")
        if not found:
            scheme, rest = "", entry
        host, port = rest, None
        network = _network(rest.strip("[]"))
        if network is None:
            if rest.startswith("["):
                host, _, tail = rest[1:].partition("]")
                digits = tail.removeprefix(":")
            else:
                host, _, digits = rest.partition(":")
            port = int(digits) if digits.isascii() and digits.isdigit() else None
            network = _network(host)
        subdomains_only = host.startswith((".", "*."))
        return cls(
            None if scheme.lower() in ("", "all") else scheme.lower(),
            host.removeprefix("*").lstrip(".").lower(),
            port,
            network,
            subdomains_only,
        )

    def covers(self, origin: Origin) -> bool:
        if self.scheme is not None and self.scheme != origin.scheme:
            return False
        if self.port is not None and self.port != origin.port:
            return False
        if self.network is not None:
            address = _address(origin.host)
            return address is not None and address.version == self.network.version and address in self.network
        host = origin.host.lower().rstrip(".")
        return host.endswith("." + self.host) or (host == self.host and not self.subdomains_only)


class ProxyMap:
    """Answers, for each origin, which proxy its requests go through."""

    def __init__(self, proxies: Mapping[str, Proxy], exemptions: tuple[Exemption, ...] = ()) -> None:
        self._proxies = proxies
        self._exemptions = exemptions

    def proxy_for(self, origin: Origin) -> Proxy | None:
        proxy = self._proxies.get(origin.scheme) or self._proxies.get("all")
        if proxy is None or any(exemption.covers(origin) for exemption in self._exemptions):
            return None
        return proxy

    @property
    def uses_socks(self) -> bool:
        return any(proxy.is_socks for proxy in self._proxies.values())


def proxy_map(proxy: str | None, *, trust_env: bool) -> ProxyMap:
    """Return the proxies in force: the explicit one alone, else the environment's if it is trusted.

    Raises:
        EigenpalInputError: An address is not one of a proxy.
    """
    if proxy is not None:
        return ProxyMap({"all": parse_proxy(proxy, named="proxy")})
    if not trust_env:
        return ProxyMap({})
    settings = _settings()
    entries = [entry.strip() for entry in settings.get("no", "").split(",")]
    if "*" in entries:
        return ProxyMap({})
    proxies = {
        scheme: parse_proxy(settings[scheme], named=f"{scheme.upper()}_PROXY")
        for scheme in ("http", "https", "all")
        if settings.get(scheme)
    }
    return ProxyMap(proxies, tuple(Exemption.parse(entry) for entry in entries if entry) if proxies else ())


def _settings() -> Mapping[str, str]:
    """Proxy settings by scheme, and the exemptions under "no"."""
    if sys.platform in ("darwin", "win32"):  # these also keep proxies in their system settings
        from urllib.request import getproxies  # costs 30 ms to import, hence not used elsewhere

        return getproxies()
    found: dict[str, str] = {}
    # Lower case wins over upper case, and an empty lower-case variable switches the upper-case one off.
    for name in sorted(os.environ, key=str.islower):
        if name.lower().endswith("_proxy"):
            found[name.lower().removesuffix("_proxy")] = os.environ[name]
    if "REQUEST_METHOD" in os.environ and "http_proxy" not in os.environ:
        found.pop("http", None)  # in a CGI program HTTP_PROXY is a header the visitor sent
    return found


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
