"""What sets one service apart from another, as data: names, addresses, credentials, how its errors look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from eigenpal.engine.model import camel_case

if TYPE_CHECKING:
    from eigenpal.engine.calls import Generation


def bearer(secret: str) -> Mapping[str, str]:
    """Return the header that carries a key as a bearer token."""
    return {"Authorization": f"Bearer {secret}"}


@attrs.frozen
class ErrorBody:
    """What a service's error envelope says: one text for humans, and the id to quote."""

    detail: str | None = None
    request_id: str | None = None


@attrs.frozen(kw_only=True)
class Service:
    """One service as the engine sees it.

    Attributes:
        name: Name for messages and the User-Agent.
        key_variable: Environment variable with the key, used when no key is given.
        base_url_variable: Environment variable with the address, used when no address is given.
        default_base_url: Address of the hosted service.
        generations: The API generations that the client can speak, and what the older ones have differently.
        header_prefix: Prefix of the telemetry headers, such as `X-Eigenpal-Sdk`.
        retry_header: Header that carries how many tries came before this one.
        authorize: Key to the headers that carry it.
        read_error: Decoded error body to what it says.
        wire_name: Python argument name to wire name, for names that the operation does not spell out.
        sequences: How a list is written in a query: joined with commas, or one `name[]` for each item.
    """

    name: str
    key_variable: str
    base_url_variable: str
    default_base_url: str
    generations: Mapping[str, Generation]
    header_prefix: str
    retry_header: str
    read_error: Callable[[Any], ErrorBody]
    authorize: Callable[[str], Mapping[str, str]] = bearer
    wire_name: Callable[[str], str] = camel_case
    sequences: Literal["commas", "brackets"] = "commas"
