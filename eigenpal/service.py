"""The EigenPal service as data: its names, its addresses, how its errors look."""

from __future__ import annotations

from typing import Any, Final

from eigenpal.engine.service import ErrorBody, Service


def read_error(envelope: Any) -> ErrorBody:
    """Read an error envelope; also the bare `{error}` of two older operations, and anything else without failing."""
    if not isinstance(envelope, dict):
        return ErrorBody()
    issues: Any = envelope.get("issues")
    first: Any = issues[0] if isinstance(issues, list) and issues else None
    detail: Any = envelope.get("error") or envelope.get("message")
    if isinstance(first, dict):
        message, field = first.get("message"), first.get("field")
        detail = f"{field}: {message}" if field and field != "<root>" else message
    request_id: Any = envelope.get("requestId")
    return ErrorBody(
        detail=detail if isinstance(detail, str) else None,
        request_id=request_id if isinstance(request_id, str) else None,
    )


EIGENPAL: Final = Service(
    name="EigenPal",
    key_variable="EIGENPAL_API_KEY",
    base_url_variable="EIGENPAL_BASE_URL",
    default_base_url="https://studio.eigenpal.com",
    generations=("0.7",),
    header_prefix="X-Eigenpal",
    retry_header="X-Eigenpal-Retry-Count",
    read_error=read_error,
)
