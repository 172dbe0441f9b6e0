"""The ArchAstro service as data: its names, its address, its keys and tokens, how its errors look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eigenpal.anyjson import list_of, object_of, text_of
from eigenpal.engine.calls import Generation, unchanged
from eigenpal.engine.credentials import Credentials, Token, given_or_set
from eigenpal.engine.service import ErrorBody, Service
from eigenpal.errors import EigenpalInputError

KEY_VARIABLE: Final = "ARCHASTRO_API_KEY"
PUBLISHABLE_KEY_VARIABLE: Final = "ARCHASTRO_PUBLISHABLE_KEY"
TOKEN_VARIABLE: Final = "ARCHASTRO_ACCESS_TOKEN"  # noqa: S105 - a name, no credential

KEY_HEADER: Final = "X-Archastro-Api-Key"
PUBLISHABLE: Final = "pk_"  # names an app, and needs a user's token beside it
SYSTEM_USER: Final = "sat_"  # the token of a system user, which stands alone


def read_error(envelope: Any) -> ErrorBody:
    """Read either of the two error envelopes, and anything else without failing."""
    members = object_of(envelope)
    nested = object_of(members.get("error"))
    word = text_of(members.get("error"))
    fields = [field for field in map(object_of, list_of(nested.get("fields"))) if field]
    message = text_of(nested.get("message")) or text_of(members.get("message")) or word
    code = text_of(nested.get("code")) or text_of(nested.get("type")) or word
    named = [f"{field['field']} {field['message']}" for field in fields if {"field", "message"} <= field.keys()]
    detail = message or code
    if named:
        detail = f"{detail}: {', '.join(named)}" if detail else ", ".join(named)
    return ErrorBody(detail=detail, code=code, issues=fields)


ARCHASTRO: Final = Service(
    name="ArchAstro",
    base_url_variable="ARCHASTRO_PLATFORM_BASE_URL",
    default_base_url="https://platform.archastro.ai",
    generations={"v1": Generation()},
    header_prefix="X-Eigenpal",
    retry_header="X-Eigenpal-Retry-Count",
    read_error=read_error,
    advice={
        401: "Check the key and the token: a token may have expired.",
        402: "The plan of the account lacks what running agents needs.",
        403: "Check that the key names an app, and that the resource belongs to it.",
        404: "Check the id, and that the key can see it.",
    },
    wire_name=unchanged,
    sequences="brackets",
)


def credentials(api_key: str | None, access_token: Token | None) -> Credentials:
    """Return what a client signs its requests with, if it is one of the three ways in.

    A secret key alone; a publishable key with the token of a user; the token of a system user alone. What was given is
    completed from the environment, never mixed with another way in.

    Raises:
        EigenpalInputError: None of the three.
    """
    key = "" if api_key is None else _key(api_key)
    token: Token | None = access_token
    if api_key is None and token is None:
        key, token = _from_environment()
    elif api_key is None and not _stands_alone(token):
        key = given_or_set("api_key", None, PUBLISHABLE_KEY_VARIABLE)
    elif key.startswith(PUBLISHABLE) and token is None:
        token = given_or_set("access_token", None, TOKEN_VARIABLE) or None
    _check(key, token)
    headers: Mapping[str, str] = {KEY_HEADER: key} if key else {}
    return Credentials.of(headers, token, name="access_token")


def _key(api_key: str) -> str:
    if not (key := given_or_set("api_key", api_key, KEY_VARIABLE)):
        raise EigenpalInputError("api_key is empty; give a secret key (sk_...) or a publishable one (pk_...)")
    return key


def _from_environment() -> tuple[str, str | None]:
    """Return the first whole way in that the environment has."""
    key = given_or_set("api_key", None, KEY_VARIABLE)
    publishable = given_or_set("api_key", None, PUBLISHABLE_KEY_VARIABLE)
    token = given_or_set("access_token", None, TOKEN_VARIABLE) or None
    if key and not key.startswith(PUBLISHABLE):
        return key, None
    return ("", token) if _stands_alone(token) else (key or publishable, token)


def _stands_alone(token: Token | None) -> bool:
    return isinstance(token, str) and token.strip().startswith(SYSTEM_USER)


def _check(key: str, token: Token | None) -> None:
    if not key and token is None:
        raise EigenpalInputError(
            f"no credentials: give api_key='sk_...', or api_key='pk_...' with access_token=..., or "
            f"access_token='sat_...'; or set {KEY_VARIABLE}, {PUBLISHABLE_KEY_VARIABLE} and {TOKEN_VARIABLE}, or "
            f"{TOKEN_VARIABLE}"
        )
    if key.startswith(PUBLISHABLE) and token is None:
        raise EigenpalInputError(
            f"a publishable key (pk_...) needs the token of a user: give access_token=..., or set {TOKEN_VARIABLE}"
        )
    if key and _stands_alone(token):
        raise EigenpalInputError("the token of a system user (sat_...) stands alone: leave api_key out")
    if key and not key.startswith(PUBLISHABLE) and token is not None:
        raise EigenpalInputError(
            "a secret key stands alone: leave access_token out, or give a publishable key (pk_...)"
        )
    if not key and isinstance(token, str) and not _stands_alone(token):
        raise EigenpalInputError(
            f"the token of a user needs the publishable key of its app: give api_key='pk_...', or set "
            f"{PUBLISHABLE_KEY_VARIABLE}"
        )
