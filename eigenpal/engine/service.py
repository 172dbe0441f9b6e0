"""What sets one service apart from another, as data: names, addresses, credentials, how its errors look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import attrs

from eigenpal.engine.model import camel_case

if TYPE_CHECKING:
    from eigenpal.engine.calls import Generation


@attrs.frozen
class ErrorBody:
    """What a service's error envelope says.

    Attributes:
        detail: One text for humans.
        code: Name of the problem for programs.
        issues: The single problems, one mapping each, with `field` and `message` where the service has them.
        request_id: The id to quote.
    """

    detail: str | None = None
    code: str | None = None
    issues: Sequence[Mapping[str, Any]] = ()
    request_id: str | None = None


@attrs.frozen(kw_only=True)
class Service:
    """One service as the engine sees it.

    Attributes:
        name: Name for messages and the User-Agent.
        base_url_variable: Environment variable with the address, used when no address is given.
        default_base_url: Address of the hosted service.
        generations: The API generations that the client can speak, and what the older ones have differently.
        header_prefix: Prefix of the telemetry headers, such as `X-Eigenpal-Sdk`.
        retry_header: Header that carries how many tries came before this one.
        read_error: Decoded error body to what it says.
        advice: What to do about an error status, where the general advice does not fit this service.
        wire_name: Python argument name to wire name, for names that the operation does not spell out.
        sequences: How a list is written in a query: joined with commas, or one `name[]` for each item.
    """

    name: str
    base_url_variable: str
    default_base_url: str
    generations: Mapping[str, Generation]
    header_prefix: str
    retry_header: str
    read_error: Callable[[Any], ErrorBody]
    advice: Mapping[int, str] = attrs.field(factory=dict[int, str])
    wire_name: Callable[[str], str] = camel_case
    sequences: Literal["commas", "brackets"] = "commas"
