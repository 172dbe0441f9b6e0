"""A call before it becomes a request, as data; and how older generations of an API put the same call. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from eigenpal.engine.request import Operation
from eigenpal.errors import EigenpalUnsupportedError

T = TypeVar("T")


@attrs.frozen
class Json:
    """A body that is sent as it is given: any JSON."""

    value: Any = attrs.field(repr=False)


@attrs.frozen
class Form:
    """A body of text parts and file parts; texts that are None are left out."""

    texts: Mapping[str, str | None] = attrs.field(repr=False)
    files: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Envelope:
    """A body with arguments among which there may be files: JSON without any, multipart with them.

    Attributes:
        members: What goes beside the arguments; UNSET is left out.
        arguments: Argument names to values; top-level values may be files or lists of files.
        nested_in: Member of the JSON body that holds the arguments; None when they are the body.
        text_part: Part of the multipart body that holds the arguments that are no files, as JSON text.
        file_part: Name of the part of a file, with the argument's name in place of the braces.
    """

    members: Mapping[str, Any] = attrs.field(repr=False)
    arguments: Mapping[str, Any] = attrs.field(repr=False)
    nested_in: str | None = "input"
    text_part: str = "input"
    file_part: str = "files.{}"


Body = Mapping[str, Any] | Json | Form | Envelope
"""What a call sends: members by their Python names, or one of the special forms."""


@attrs.frozen
class Call:
    """The arguments of an operation."""

    path: tuple[str, ...] = ()
    query: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    body: Body | None = attrs.field(default=None, repr=False)
    extra: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)  # members by their wire names


def unchanged(value: T) -> T:
    """Return the value itself."""
    return value


@attrs.frozen(kw_only=True)
class Older:
    """How an older generation has an operation: where it is, how it is called, how its answer reads today."""

    path: str | None = None
    call: Callable[[Call], Call] = unchanged
    answer: Callable[[Any], Any] | None = None


@attrs.frozen(kw_only=True)
class Generation:
    """What one generation of an API has differently from today's.

    Attributes:
        older: Operation name to how it was; operations that are not named are as today.
        absent: Names of operations that it does not have, to what can be done instead.
        keeps_metadata: Whether what is started can carry metadata that is read back later.
    """

    older: Mapping[str, Older] = attrs.field(factory=dict[str, Older])
    absent: Mapping[str, str] = attrs.field(factory=dict[str, str])
    keeps_metadata: bool = True

    def translate(self, operation: Operation[T], call: Call) -> tuple[Operation[T], Call]:
        """Return the operation and its arguments as this generation has them.

        Raises:
            EigenpalUnsupportedError: This generation does not have it.
        """
        if (instead := self.absent.get(operation.name)) is not None:
            raise EigenpalUnsupportedError(f"{operation.name} is not in this generation of the API; {instead}")
        if (older := self.older.get(operation.name)) is None:
            return operation, call
        changed = attrs.evolve(operation, path=older.path or operation.path, answer=older.answer)
        return changed, older.call(call)
