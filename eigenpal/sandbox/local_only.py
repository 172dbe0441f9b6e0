"""Who may see what the sandbox says about itself: someone at this machine, by a name of this machine.

The page and the admin routes show more than an API key does, so being able to connect is not enough.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from starlette.requests import Request

from eigenpal.sandbox.problems import Problem

# Only a proxy sends these, and behind a proxy everyone seems to be on this machine.
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def require_local(request: Request[Any]) -> None:
    """Let a request pass that comes from this machine.

    The name it was sent to must be one of the machine too: a page elsewhere can let its own name point to 127.0.0.1,
    and the browser would then let that page read what is answered.

    Raises:
        Problem: 403, it came from elsewhere, through a proxy, or under another name.
    """
    if request.client is None or not _is_loopback(request.client.host):
        raise Problem(403, "This is shown on the machine of the sandbox only.")
    if any(name in request.headers for name in _PROXY_HEADERS):
        raise Problem(403, "This is not shown through a proxy.")
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _is_loopback(_without_port(hosts[0])):
        raise Problem(
            403, "This is shown under a name of this machine only.", hint="Use http://127.0.0.1 or localhost."
        )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
