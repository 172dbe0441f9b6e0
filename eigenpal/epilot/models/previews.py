"""What an agent wants to do, ready for the eyes of who has to allow it: what goes where, and which fields change."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

import attrs

from eigenpal.engine.model import model
from eigenpal.epilot.models.wire import EpilotModel


class PreviewActionType(StrEnum):
    """What kind of action it is."""

    MOVE = "move"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    APPLY = "apply"
    SEND = "send"
    LINK = "link"
    UNLINK = "unlink"
    BATCH_APPROVAL = "batch_approval"


class PreviewValueType(StrEnum):
    """How a value is to be shown."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    ENTITY = "entity"
    BADGE = "badge"


class BadgeColor(StrEnum):
    """What a badge wants to say by its colour."""

    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    INFO = "info"


@model
class PreviewAction(EpilotModel):
    """What is done, as a kind and in words."""

    type: PreviewActionType | str
    verb: str


@model
class PreviewEntity(EpilotModel):
    """A thing that an action comes from or works on, such as an inbox, an e-mail or a contact."""

    repr_members: ClassVar[tuple[str, ...]] = ("name", "type", "id")

    type: str | None = None
    id: str | None = None
    name: str | None = None
    schema: str | None = None
    icon: str | None = None
    url: str | None = None


@model
class PreviewValue(EpilotModel):
    """A value to be shown; which of its members it has depends on `type`.

    Attributes:
        type: How it is shown.
        value: Text, number, boolean or badge; any JSON.
        values: The texts of a list.
        id: Id of an entity.
        name: Name of an entity.
        schema: Schema of an entity.
        color: Colour of a badge.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("value", "values", "name", "id")

    type: PreviewValueType | str
    value: Any = None
    values: list[str] | None = None
    id: str | None = None
    name: str | None = None
    schema: str | None = None
    color: BadgeColor | str | None = None


@model
class PreviewChange(EpilotModel):
    """One field that changes. On the wire the two values are `from` and `to`; the first is a word of Python.

    Attributes:
        field: Name of the field.
        label: Name of the field for people.
        from_value: What it is now.
        to_value: What it is to be.
    """

    field: str | None = None
    label: str | None = None
    from_value: PreviewValue | None = attrs.field(default=None, metadata={"wire": "from"})
    to_value: PreviewValue | None = attrs.field(default=None, metadata={"wire": "to"})


@model
class ToolPreview(EpilotModel):
    """An action for the eyes of a human. `str(...)` shows it as text, a notebook as a table.

    Attributes:
        action: What is done.
        source: Where it comes from.
        target: What it works on, or where it goes.
        changes: The fields that change.
        metadata: More values to show, by name.
        summary: Why the agent proposes it.
    """

    action: PreviewAction | None = None
    source: PreviewEntity | None = None
    target: PreviewEntity | None = None
    changes: list[PreviewChange] = attrs.field(factory=list[PreviewChange])
    metadata: dict[str, PreviewValue] | None = None
    summary: str | None = None

    def to_text(self, *, limit: int | None = 100) -> str:
        """Return the action as lines for people; long values are shown by their beginning.

        Args:
            limit: Changes and values at most; None for all.
        """
        from eigenpal.epilot.rendering import preview_as_text

        return preview_as_text(self, limit)

    def to_html(self, *, limit: int | None = 100) -> str:
        """Return the action as a fragment of HTML, everything in it escaped; long values by their beginning.

        Args:
            limit: Changes and values at most; None for all.
        """
        from eigenpal.epilot.rendering import preview_as_html

        return preview_as_html(self, limit)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return self.to_text()


@model
class PendingAction(EpilotModel):
    """A tool call that waits for a human. `str(...)` shows it as text, a notebook as a table.

    Attributes:
        tool: Id of the tool.
        input: What the tool would get.
        description: What it would do, in words.
        preview: What it would do, in detail; None where the tool has no preview.
    """

    repr_members: ClassVar[tuple[str, ...]] = ("tool", "description", "input")

    tool: str | None = None
    input: dict[str, Any] | None = None
    description: str | None = None
    preview: ToolPreview | None = None

    def to_text(self, *, limit: int | None = 100) -> str:
        """Return the action as lines for people; without a preview, with what the tool would get.

        Args:
            limit: Changes and values at most; None for all.
        """
        from eigenpal.epilot.rendering import action_as_text

        return action_as_text(self, limit)

    def to_html(self, *, limit: int | None = 100) -> str:
        """Return the action as a fragment of HTML, everything in it escaped.

        Args:
            limit: Changes and values at most; None for all.
        """
        from eigenpal.epilot.rendering import action_as_html

        return action_as_html(self, limit)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return self.to_text()
