"""The epilot service as data: its names, its address, its token, how its errors look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eigenpal.anyjson import object_of, text_of
from eigenpal.engine.calls import Generation, unchanged
from eigenpal.engine.credentials import Credentials, Token, given_or_set
from eigenpal.engine.headers import header_value
from eigenpal.engine.service import ErrorBody, Service
from eigenpal.errors import EigenpalInputError

TOKEN_VARIABLE: Final = "EPILOT_TOKEN"  # noqa: S105 - a name, no credential
ORGANISATION_HEADER: Final = "X-Epilot-Org-Id"


def read_error(envelope: Any) -> ErrorBody:
    """Read an error envelope, of which every member may be missing, and anything else without failing."""
    members = object_of(envelope)
    code, message = text_of(members.get("error")), text_of(members.get("message"))
    return ErrorBody(detail=message or code, code=code)


EPILOT: Final = Service(
    name="epilot",
    base_url_variable="EPILOT_BASE_URL",
    default_base_url="https://ai-agents.sls.epilot.io",
    generations={"3": Generation()},
    header_prefix="X-Eigenpal",
    retry_header="X-Eigenpal-Retry-Count",
    read_error=read_error,
    advice={
        401: "Check the token: it may have expired or be revoked.",
        403: "Check the roles of the token.",
        404: "Check the id, and that the organisation of the token has it.",
        429: "The quota of the organisation is used up for this minute; send fewer requests, or raise max_retries.",
    },
    wire_name=unchanged,
)


def credentials(token: Token | None, org_id: str | None) -> Credentials:
    """Return what a client signs its requests with: the token given, or that of the environment.

    Raises:
        EigenpalInputError: There is none, or it can't be sent.
    """
    if token is None and not (token := given_or_set("token", None, TOKEN_VARIABLE)):
        raise EigenpalInputError(f"no token: give token=..., or set the environment variable {TOKEN_VARIABLE}")
    organisation: Mapping[str, str] = {}
    if org_id is not None:
        organisation = {ORGANISATION_HEADER: header_value("org_id", org_id)}
    return Credentials.of(organisation, token)
