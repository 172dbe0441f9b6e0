"""The elements of a fragment of HTML as a browser would see them, and that they are closed in order."""

from __future__ import annotations

from html.parser import HTMLParser


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def elements_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return every element with its attributes, in order."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser.found
