"""The one value that means "not given", where None means null."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, Literal


class Unset(enum.Enum):
    """Type of `UNSET`: an argument that was not given and is not sent, unlike None, which is sent as null."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET


def without_unset(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that were given; None among them is null, not absent."""
    return {name: value for name, value in members.items() if value is not UNSET}
