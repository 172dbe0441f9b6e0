"""Operation + arguments -> request. Pure functions: no network, no clock, no files.

The only place where values become parts of an address or a header, so the only place that has to keep them there.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import quote, unquote, urlsplit

import attrs

from eigenpal.engine.model import snake_case, timestamp
from eigenpal.engine.service import Service
from eigenpal.engine.unset import UNSET
from eigenpal.errors import EigenpalInputError

T = TypeVar("T")

_PLAIN: Final = re.compile(r"[0-9A-Za-z_~-][0-9A-Za-z_.~-]*")  # what ids are made of; encoding leaves it as it is
_UNENCODED: Final = re.compile(r"[^\x21-\x7e]+")
_PLACEHOLDER: Final = re.compile(r"\{(\w+)(\*?)\}")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")  # half of a pair: Python has it, UTF-8 does not
_UNSENDABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # those, controls and line ends
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_DOT_SEGMENTS: Final = frozenset({".", ".."})


class Repeat(enum.Enum):
    """What sending a request twice does."""

    HARMLESS = "harmless"  # reads, and writes that end in the same state: may be sent again after any failure
    STARTS = "starts"  # starts something each time: sent again only when it surely did not arrive
    KEYED = "keyed"  # starts something, once for the key in it: may be sent again, and may have started it all the same

    @property
    def may_start(self) -> bool:
        """Whether a request whose answer was lost may have started something."""
        return self is not Repeat.HARMLESS

    @property
    def is_safe(self) -> bool:
        """Whether the request may be sent again after any failure in passing."""
        return self is not Repeat.STARTS


@attrs.frozen
class _PathParts:
    """A path template taken apart: the text it begins with; then each placeholder and the text behind it."""

    begin: str
    placeholders: Sequence[tuple[str, Callable[[str, object], str], str]]

    @classmethod
    def of(cls, path: str) -> _PathParts:
        begin, *parts = _PLACEHOLDER.split(path)
        encoders = [encode_path if star else encode_segment for star in parts[1::3]]
        return cls(begin, list(zip(map(snake_case, parts[::3]), encoders, parts[2::3], strict=True)))


@attrs.frozen(kw_only=True)
class Operation(Generic[T]):
    """One operation of a service as data.

    Attributes:
        name: Dotted name, as users call it.
        method: HTTP method.
        path: Path template; `{id}` is one segment, `{path*}` keeps the slashes between segments.
        returns: What the answer decodes to; None where it has no body.
        repeat: What sending it twice does.
        query_names: Wire names of query arguments, where the naming rule of the service does not give them; with `[]`
            for those whose single values are written like lists of one.
        removes: Whether it removes what its path names: a 404 to a repeated try then means that an earlier try did it.
        additive: Query lists that ask for more when filled, so that an empty one simply is not sent. For all others an
            empty list is refused: a filter that filters nothing would match everything.
        nullable: Members of the body that are sent as null when they are None; others that are None are not sent.
        confidential: Whether the answer holds secrets, which no error may quote.
        answer: Turns the JSON of an older generation's answer into today's; None for today's.
    """

    name: str
    method: str
    path: str
    returns: Any = None
    repeat: Repeat = Repeat.HARMLESS
    removes: bool = False
    query_names: Mapping[str, str] = attrs.field(factory=dict[str, str])
    additive: AbstractSet[str] = frozenset()
    nullable: AbstractSet[str] = frozenset()
    confidential: bool = False
    answer: Callable[[Any], Any] | None = None
    _parts: _PathParts = attrs.field(
        default=attrs.Factory(lambda self: _PathParts.of(self.path), takes_self=True), init=False, eq=False, repr=False
    )

    def fill_path(self, values: Sequence[str]) -> str:
        """Return the path with its placeholders filled.

        Raises:
            EigenpalInputError: A value that is empty, a dot segment, or has control characters.
        """
        path = self._parts.begin
        for (name, encode, literal), value in zip(self._parts.placeholders, values, strict=True):
            path += encode(name, value) + literal
        return path

    def fill_query(self, service: Service, values: Mapping[str, Any]) -> str:
        """Return the query string for Python-named values; those that are None or UNSET are left out."""
        given = [(name, value) for name, value in values.items() if value is not None and value is not UNSET]
        return "&".join(
            [
                f"{quote(wire_name, safe='[]')}={quote(text, safe='')}"
                for name, value in given
                for wire_name, text in self._query_pairs(service, name, value)
            ]
        )

    def fill_body(self, service: Service, members: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body for Python-named members, on top of members that have their wire names already.

        Raises:
            EigenpalInputError: What should be a mapping of members is none.
        """
        if not isinstance(extra, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - what a user gave
            raise EigenpalInputError(f"body must be a mapping of wire names to values, not {type(extra).__name__}")
        given = {
            service.wire_name(name): value
            for name, value in members.items()
            if value is not UNSET and (value is not None or name in self.nullable)
        }
        return {**extra, **given}

    def _query_pairs(self, service: Service, name: str, value: Any) -> Iterator[tuple[str, str]]:
        wire_name = self.query_names.get(name) or service.wire_name(name)
        if not isinstance(value, Sequence | AbstractSet) or isinstance(value, str | bytes):
            yield wire_name, query_text(name, value)
            return
        texts = [query_text(name, item) for item in cast("Iterable[object]", value)]
        if not texts and name not in self.additive:
            raise EigenpalInputError(f"{name} is an empty list, which would match everything; leave it out instead")
        if not all(texts):
            raise EigenpalInputError(f"{name} has an empty item, which would match everything; leave it out instead")
        if service.sequences == "brackets":
            bracketed = wire_name if wire_name.endswith("[]") else f"{wire_name}[]"
            yield from ((bracketed, text) for text in texts)
        elif torn := [text for text in texts if "," in text]:
            raise EigenpalInputError(f"{name} has the item {torn[0]!r}, whose comma would make it several items")
        elif texts:
            yield wire_name, ",".join(texts)


def query_text(name: str, value: object) -> str:
    """Return one query value as text."""
    match value:
        case bool():
            return "true" if value else "false"
        case enum.Enum() if value is not UNSET:
            return str(value.value)
        case str() if _SURROGATE.search(value):
            raise EigenpalInputError(f"{name} has half of a surrogate pair, which is no character: {value!r}")
        case str() | int() | float():
            return str(value)
        case date():
            return timestamp(value)
        case _:
            raise EigenpalInputError(f"{name} can't be a {type(value).__name__}; give a string, number or timestamp")


def encode_segment(name: str, value: object) -> str:
    """Return a value as exactly one path segment: nothing in it can end the segment or climb out of it."""
    if not isinstance(value, str):
        raise EigenpalInputError(f"{name} must be a string, not {type(value).__name__}")
    if _PLAIN.fullmatch(value):
        return value
    if not value:
        raise EigenpalInputError(f"{name} is empty")
    # Encoding alone is not enough: some proxies decode %2F (or decode twice) before they resolve dot segments.
    if not _DOT_SEGMENTS.isdisjoint(re.split(r"[/\\]", unquote(unquote(value)))):
        raise EigenpalInputError(f"{name} must not have '.' or '..' as a segment: {value!r} would name another path")
    if _UNSENDABLE.search(value):
        raise EigenpalInputError(f"{name} has line breaks or control characters: {value!r}")
    return quote(value, safe="")


def encode_path(name: str, value: object) -> str:
    """Return a relative path with its slashes kept and each segment encoded on its own."""
    if not isinstance(value, str):
        raise EigenpalInputError(f"{name} must be a string, not {type(value).__name__}")
    return "/".join(
        encode_segment(f"{name} {value!r}: a segment" if "/" in value else name, part) for part in value.split("/")
    )


def sendable(url: str) -> str:
    """Return an address that a server gave, with what it should have percent-encoded and did not; the rest untouched.

    Raises:
        ValueError: It is no address.
    """
    parts = urlsplit(url)
    path, query = (_UNENCODED.sub(lambda found: quote(found[0], safe=""), text) for text in (parts.path, parts.query))
    return parts._replace(path=path, query=query, fragment="").geturl()


def untyped(method: str, path: str, *, query: Mapping[str, Any] | None, returns: Any) -> Operation[Any]:
    """Return an operation that the SDK does not name: one request to a literal path, its query names sent as they are.

    A method that is not idempotent by definition is taken to start something, and so not repeated lightly.

    Raises:
        EigenpalInputError: A method or path that can't be one.
    """
    verb = method.upper()
    if not verb.isascii() or not verb.isalpha():
        raise EigenpalInputError(f"{method!r} is not an HTTP method")
    if not path.startswith("/") or "?" in path or "#" in path or _UNSENDABLE.search(path):
        raise EigenpalInputError(f"path must begin with '/' and have no '?', '#' or control characters; got {path!r}")
    if not _DOT_SEGMENTS.isdisjoint(re.split(r"[/\\]", unquote(unquote(path)))):
        raise EigenpalInputError(f"path must not have '.' or '..' as a segment: {path!r} would name another path")
    return Operation(
        name=f"request {verb}",
        method=verb,
        path=quote(path, safe="/%:@!$&'()*+,;="),
        returns=returns,
        repeat=Repeat.HARMLESS if verb in IDEMPOTENT_METHODS else Repeat.STARTS,
        query_names={name: name for name in query or {}},
    )
