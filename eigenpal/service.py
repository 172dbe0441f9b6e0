"""The EigenPal service as data: its names, its addresses, its key, how its errors look."""

from __future__ import annotations

from typing import Any, Final

from eigenpal.anyjson import list_of, object_of, text_of
from eigenpal.engine.credentials import Credentials, bearer, given_or_set
from eigenpal.engine.service import ErrorBody, Service
from eigenpal.errors import EigenpalInputError
from eigenpal.generations import GENERATIONS


def read_error(envelope: Any) -> ErrorBody:
    """Read an error envelope; also the bare `{error}` of two older operations, and anything else without failing."""
    members = object_of(envelope)
    first = object_of(next(iter(list_of(members.get("issues"))), None))
    message, field = text_of(first.get("message")), text_of(first.get("field"))
    detail = f"{field}: {message}" if message and field not in (None, "<root>") else message
    return ErrorBody(
        detail=detail or text_of(members.get("error")),
        code=text_of(first.get("code")),
        issues=[issue for issue in map(object_of, list_of(members.get("issues"))) if issue],
        request_id=text_of(members.get("requestId")),
    )


KEY_VARIABLE: Final = "EIGENPAL_API_KEY"

EIGENPAL: Final = Service(
    name="EigenPal",
    base_url_variable="EIGENPAL_BASE_URL",
    default_base_url="https://studio.eigenpal.com",
    generations=GENERATIONS,
    header_prefix="X-Eigenpal",
    retry_header="X-Eigenpal-Retry-Count",
    read_error=read_error,
    advice={
        403: "Check the scopes of the API key, and that the API trigger of the target is switched on.",
    },
)


def credentials(api_key: str | None) -> Credentials:
    """Return what a client signs its requests with: the key given, or that of the environment.

    Raises:
        EigenpalInputError: There is none, or it can't be sent.
    """
    if not (key := given_or_set("api_key", api_key, KEY_VARIABLE)):
        raise EigenpalInputError(f"no API key: give api_key=..., or set the environment variable {KEY_VARIABLE}")
    return Credentials.of(bearer(key))
