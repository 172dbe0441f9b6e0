"""The public API is what api.txt says; a change of a signature is a change of that file, and is reviewed."""

from __future__ import annotations

import difflib

from tests.architecture.snapshot import SNAPSHOT, text


def test_the_public_api_is_as_recorded() -> None:
    recorded = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    changes = difflib.unified_diff(recorded, text().splitlines(), "recorded", "now", lineterm="", n=0)
    assert list(changes) == [], "if this change is wanted: python -m tests.architecture.snapshot"
