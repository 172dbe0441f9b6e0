"""Who may do what with a routine or a run: access lists, as they are read and as they are changed."""

from __future__ import annotations

from enum import StrEnum

from eigenpal.archastro.models.wire import WireModel
from eigenpal.engine.model import model


class AclPrincipalType(StrEnum):
    """Kind of whom a grant is for."""

    USER = "user"
    TEAM = "team"
    ORG = "org"
    ORG_ROLE = "org_role"
    AGENT = "agent"
    EVERYONE = "everyone"


@model
class AclGrant(WireModel):
    """What someone may do.

    Attributes:
        principal_type: Kind of whom it is for.
        principal: Id; `"admin"`, `"member"` or `"viewer"` for `org_role`; None for `everyone`.
        actions: What they may do, such as `"read"` and `"invoke"`.
    """

    principal_type: AclPrincipalType | str
    principal: str | None = None
    actions: list[str]


@model
class AclRemoveTarget(WireModel):
    """Whose grants are taken away."""

    principal_type: AclPrincipalType | str
    principal: str | None = None


@model
class Acl(WireModel):
    """An access list. Answers fill `grants`; a change gives `grants`, which replace all, or `add` and `remove`."""

    grants: list[AclGrant] | None = None
    add: list[AclGrant] | None = None
    remove: list[AclRemoveTarget] | None = None
