"""Reading JSON request bodies member by member: each has its type, and a wrong one raises the 400 that names it.

Knows nothing of what the members mean.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from eigenpal.sandbox.call import Call
from eigenpal.sandbox.json_values import is_list, is_object
from eigenpal.sandbox.multipart import read_json
from eigenpal.sandbox.problems import Problem, invalid

MAX_TEXT = 10_000  # characters of a name, a label, a description: far above any real one
MAX_ITEMS = 1000  # entries of a list: far above any real one, and a bound to the work of one request
MAX_OBJECT_BYTES = 256 * 1024  # of a free-form object, written as JSON
MAX_DEPTH = 100  # of a free-form object; an answer nests it a little deeper, and must still be writable


class Members:
    """The members of one JSON object.

    Args:
        value: The object as it came.
        field: Where it came from, for errors.

    Raises:
        Problem: 400, it is no object.
    """

    def __init__(self, value: object, field: str = "body") -> None:
        if not is_object(value):
            raise invalid("<root>" if field == "body" else field, "This must be a JSON object.")
        self._members: Mapping[str, Any] = value
        self._field = field

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def only(self, known: Collection[str]) -> None:
        """Refuse members that the request must not have.

        Raises:
            Problem: 400, there is one.
        """
        for name in self._members:
            if name not in known:
                raise invalid(self.path(name), "This member is not known.", hint=f"Use {', '.join(known)}.")

    def path(self, name: str) -> str:
        """Return the path of a member, as errors name it."""
        return f"{self._field}.{name}"

    def required_text(self, name: str, *, limit: int = MAX_TEXT) -> str:
        """Return a text that must be there and must not be blank.

        Args:
            name: The member.
            limit: How many characters it may have.

        Raises:
            Problem: 400, it is absent, blank, too long or no text.
        """
        text = self.text(name, limit=limit)
        if text is None or not text.strip():
            raise invalid(self.path(name), "A text is required here.", code="required")
        return text

    def text(self, name: str, *, limit: int = MAX_TEXT) -> str | None:
        """Return a text, None when it is absent.

        Args:
            name: The member.
            limit: How many characters it may have.

        Raises:
            Problem: 400, it is too long or no text.
        """
        if name not in self._members:
            return None
        value = self._members[name]
        if not isinstance(value, str):
            raise invalid(self.path(name), "This must be a text.")
        if len(value) > limit:
            raise invalid(self.path(name), f"This text has more than {limit} characters.")
        return encodable(value, self.path(name))

    def text_or_null(self, name: str) -> str | None:
        """Return a text, None when it is null or absent; `in` tells these two apart.

        Raises:
            Problem: 400, it is too long or neither text nor null.
        """
        return None if self._members.get(name) is None else self.text(name)

    def flag(self, name: str) -> bool | None:
        """Return true or false, None when it is absent.

        Raises:
            Problem: 400, it is neither.
        """
        value = self._members.get(name)
        if name in self._members and not isinstance(value, bool):
            raise invalid(self.path(name), "This must be true or false.")
        return value

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return one of several words, None when it is absent.

        Raises:
            Problem: 400, it is none of them.
        """
        text = self.text(name)
        if text is not None and text not in choices:
            raise invalid(self.path(name), f"{text!r} is not one of {', '.join(choices)}.")
        return text

    def free_object(self, name: str) -> dict[str, Any] | None:
        """Return an object of any content within bounds, None when it is absent.

        Raises:
            Problem: 400, it is no object, too large or too deep.
        """
        if name not in self._members:
            return None
        value = self._members[name]
        if not is_object(value):
            raise invalid(self.path(name), "This must be a JSON object.")
        if _deeper_than(value, MAX_DEPTH):
            raise invalid(self.path(name), f"This object is more than {MAX_DEPTH} levels deep.")
        if len(json.dumps(value)) > MAX_OBJECT_BYTES:
            raise invalid(self.path(name), f"This object has more than {MAX_OBJECT_BYTES} bytes as JSON.")
        return value

    def any_json(self, name: str) -> Any:
        """Return a value of any kind; None when it is null or absent.

        Raises:
            Problem: 400, it is too deep.
        """
        value = self._members.get(name)
        if _deeper_than(value, MAX_DEPTH):
            raise invalid(self.path(name), f"This value is more than {MAX_DEPTH} levels deep.")
        return value

    def items(self, name: str) -> list[Any] | None:
        """Return a list, None when it is absent.

        Raises:
            Problem: 400, it is no list or too long.
        """
        if name not in self._members:
            return None
        value = self._members[name]
        if not is_list(value):
            raise invalid(self.path(name), "This must be a list.")
        if len(value) > MAX_ITEMS:
            raise invalid(self.path(name), f"This list has more than {MAX_ITEMS} items.")
        return value

    def objects(self, name: str) -> Iterator[Members]:
        """Yield the objects of a list; none when it is absent.

        Raises:
            Problem: 400, it is no list of objects or too long.
        """
        for index, item in enumerate(self.items(name) or ()):
            yield Members(item, f"{self.path(name)}[{index}]")

    def inner(self, name: str) -> Members:
        """Return the members of an object that must be there.

        Raises:
            Problem: 400, it is absent or no object.
        """
        if name not in self._members:
            raise invalid(self.path(name), "An object is required here.", code="required")
        return Members(self._members[name], self.path(name))


async def read_members(call: Call) -> Members:
    """Return the members of a request's JSON body.

    Raises:
        Problem: 400, it isn't a JSON object; 413, it is too large; 415, it is of another media type.
    """
    media_type = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("", "application/json") and not media_type.endswith("+json"):
        message = f"A body of type {media_type} is not understood here."
        raise Problem(415, message, field="header.content-type", hint="Send application/json.")
    return Members(await read_json(call.request.stream()))


def encodable(text: str, field: str) -> str:
    """Return a text that can be kept.

    Args:
        text: The text.
        field: Where it came from, for the error.

    Raises:
        Problem: 400, it has half of a surrogate pair, which JSON can write and UTF-8 can't.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid(field, "This text has half of a surrogate pair.") from None
    return text


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        level = [
            inner
            for one in level
            if is_object(one) or is_list(one)
            for inner in (one.values() if is_object(one) else one)
        ]
        if not level:
            return False
    return True
