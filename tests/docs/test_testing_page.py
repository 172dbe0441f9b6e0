"""What docs/testing.md shows of the example project is what is in it, word for word; its own tests run it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT

PAGE = Path("docs/testing.md")
_TITLED = re.compile(r'^``` \{\.python title="([^"]+)"\}\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_the_page_shows_the_example_project_as_it_is() -> None:
    excerpts = _TITLED.findall((ROOT / PAGE).read_text(encoding="utf-8"))

    assert len(excerpts) >= 5
    for title, text in excerpts:
        source = (ROOT / "examples" / "user_project" / title).read_text(encoding="utf-8")
        assert text in source, f"{title} has no such lines:\n{text}"
