"""The keys of inputs: taken off the front of an input, and checked; the journal finds inputs again by them. Pure."""

from __future__ import annotations

from typing import Any, Final, cast

from eigenpal.errors import EigenpalInputError

LONGEST_KEY_CHARACTERS: Final = 1000  # far above any id or path, far below what belongs into an input


def split_key(entry: Any) -> tuple[Any, Any]:
    """Return the key and the rest of an entry; None as the key of one that has no key in front of it."""
    found: Any = entry
    is_pair = isinstance(found, tuple) and len(found) == 2  # pyright: ignore[reportUnknownArgumentType] - of anything
    return cast("tuple[Any, Any]", found) if is_pair else (None, entry)


def checked_key(key: object, default: str) -> str:
    """Return a key as text, the default where there is none.

    Raises:
        EigenpalInputError: It can't be a key.
    """
    if key is None:
        return default
    if type(key) is int:
        return str(key)
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY_CHARACTERS:
        raise EigenpalInputError(
            f"a key must be a text of 1 to {LONGEST_KEY_CHARACTERS} characters, or a whole number, not {key!r:.100}"
        )
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in key):
        raise EigenpalInputError(f"the key {key!r:.100} has characters that can't be stored")
    return key
