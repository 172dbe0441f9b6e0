"""Reads pages as a browser would, with the standard library: the texts of elements, and the tables."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "link", "input", "br", "rect", "path"}


class Page(HTMLParser):
    """A page that was parsed.

    Attributes:
        rows: The texts of the cells of every row of every table body.
        texts: What is shown, piece by piece.
        tags: Names of all elements.
        links: Where links lead.
        attributes: Names of all attributes.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.unclosed: list[str] = []
        self._in_body = False
        self.feed(html)
        self.close()
        assert self.unclosed == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]
        if tag not in _VOID:
            self.unclosed.append(tag)
        if tag == "tbody":
            self._in_body = True
        elif tag == "tr" and self._in_body:
            self.rows.append([])
        elif tag in ("td", "th") and self._in_body:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.unclosed.pop() == tag
        if tag == "tbody":
            self._in_body = False

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._in_body and {"td", "th"} & set(self.unclosed):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        """All that is shown, spaces as one."""
        return " ".join("".join(self.texts).split())

    def column(self, number: int) -> list[str]:
        """Return the texts of one column, spaces as one."""
        return [" ".join(row[number].split()) for row in self.rows]
