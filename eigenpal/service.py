"""The EigenPal service as data: its names, its addresses, how its errors look."""

from __future__ import annotations

from typing import Any, Final

from eigenpal.anyjson import list_of, object_of, text_of
from eigenpal.engine.service import ErrorBody, Service
from eigenpal.generations import GENERATIONS


def read_error(envelope: Any) -> ErrorBody:
    """Read an error envelope; also the bare `{error}` of two older operations, and anything else without failing."""
    members = object_of(envelope)
    first = object_of(next(iter(list_of(members.get("issues"))), None))
    message, field = text_of(first.get("message")), text_of(first.get("field"))
    detail = f"{field}: {message}" if message and field not in (None, "<root>") else message
    return ErrorBody(detail=detail or text_of(members.get("error")), request_id=text_of(members.get("requestId")))


EIGENPAL: Final = Service(
    name="EigenPal",
    key_variable="EIGENPAL_API_KEY",
    base_url_variable="EIGENPAL_BASE_URL",
    default_base_url="https://studio.eigenpal.com",
    generations=GENERATIONS,
    header_prefix="X-Eigenpal",
    retry_header="X-Eigenpal-Retry-Count",
    read_error=read_error,
)
