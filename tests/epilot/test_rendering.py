"""Actions for people: what goes where and what changes, as text and as HTML; nothing in them acts by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from eigenpal.engine.codec import structure
from eigenpal.epilot import Execution, PendingAction, PreviewChange, PreviewValue, ToolPreview
from eigenpal.epilot.approvals import ApprovalRequest
from tests.display.elements import elements_of
from tests.spec.strategies import Instances, document

SCHEMAS = document("epilot")["components"]["schemas"]
EXAMPLE: Any = SCHEMAS["ExecutionResponse"]["examples"][0]
ACTION: PendingAction = structure(PendingAction, EXAMPLE["pending_action"])
HARMLESS = {"div", "b", "p", "table", "thead", "tbody", "tr", "th", "td"}

TEXT = """\
Update contact: Store the new phone number (entity.update)
  Letter of 3 May (email e1) -> A. Beispiel (contact c7)
  ~ Phone: +49 30 0 -> +49 30 1
  · certainty: high
  Why: The sender asks for the change"""


def test_an_action_says_what_goes_where_which_fields_change_and_why() -> None:
    assert str(ACTION) == ACTION.to_text() == TEXT
    assert str(ACTION.preview) == TEXT.replace(
        "Update contact: Store the new phone number (entity.update)", "Update contact"
    )
    execution: Execution = structure(Execution, EXAMPLE)
    assert str(ApprovalRequest(execution, ACTION)) == TEXT


def test_the_table_of_a_notebook_says_the_same() -> None:
    html = ACTION._repr_html_()
    for text in ("Update contact", "Letter of 3 May (email e1) -&gt; A. Beispiel (contact c7)", "Phone", "certainty"):
        assert text in html
    assert {tag for tag, _ in elements_of(html)} <= HARMLESS
    assert ACTION.preview is not None
    assert "<b>Update contact</b>" in ACTION.preview._repr_html_()


VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"type": "text", "value": "a\nb"}, r"a\nb"),
    "number": ({"type": "number", "value": 0}, "0"),
    "true": ({"type": "boolean", "value": True}, "yes"),
    "false": ({"type": "boolean", "value": False}, "no"),
    "list": ({"type": "list", "values": ["a", "b"]}, "a, b"),
    "empty list": ({"type": "list", "values": []}, "(nothing)"),
    "entity": ({"type": "entity", "id": "c7", "name": "A. Beispiel", "schema": "contact"}, "A. Beispiel (contact c7)"),
    "nameless entity": ({"type": "entity", "id": "c7"}, "c7"),
    "badge": ({"type": "badge", "value": "high", "color": "success"}, "high"),
    "new type": ({"type": "money", "value": {"amount": 3}}, '{"amount": 3}'),
    "new type without value": ({"type": "money", "name": "3 EUR"}, "3 EUR"),
    "nothing": ({"type": "text"}, "(nothing)"),
    "null": ({"type": "text", "value": None}, "(nothing)"),
    "empty": ({"type": "text", "value": ""}, "(nothing)"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_each_kind_of_value_is_shown_as_people_read_it(kind: str) -> None:
    wire, text = VALUES[kind]
    preview = ToolPreview(metadata={"value": structure(PreviewValue, wire)})
    assert preview.to_text() == f"An action\n  · value: {text}"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [("a", "b", "~ f: a -> b"), (None, "b", "+ f: (nothing) -> b"), ("a", None, "- f: a -> (nothing)")],
)
def test_a_sign_tells_what_a_change_does(before: str | None, after: str | None, line: str) -> None:
    change = PreviewChange(
        field="f",
        from_value=PreviewValue(type="text", value=before),
        to_value=None if after is None else PreviewValue(type="text", value=after),
    )
    assert ToolPreview(changes=[change]).to_text().splitlines()[1].strip() == line


def test_an_action_without_a_preview_shows_what_the_tool_would_get() -> None:
    action = PendingAction(tool="entity.update", input={"phone": "1", "tags": ["a"]})
    assert str(action) == 'Call a tool (entity.update)\n  · phone: 1\n  · tags: ["a"]'
    assert str(PendingAction()) == "Call a tool"


def test_long_actions_are_cut_where_asked() -> None:
    metadata = {f"n{number}": PreviewValue(type="number", value=number) for number in range(5)}
    preview = ToolPreview(metadata=metadata, summary="x" * 1000)
    assert "  · n1: 1\n  … 3 more\n  Why: xxx" in preview.to_text(limit=2)
    assert "… 3 more" in preview.to_html(limit=2)
    assert max(map(len, preview.to_text().splitlines())) < 420
    assert "more" not in preview.to_text(limit=None)


@pytest.mark.parametrize("place", ["verb", "name", "label", "value", "summary", "description", "tool"])
def test_nothing_that_a_stranger_wrote_acts_by_itself(place: str) -> None:
    evil = '<script>alert(1)</script><a href="javascript:x">\x1b[31m\u202e\r\nApproved'
    texts = dict.fromkeys(("verb", "name", "label", "value", "summary", "description", "tool"), "fine") | {place: evil}
    wire = {
        "tool": texts["tool"],
        "description": texts["description"],
        "preview": {
            "action": {"type": "send", "verb": texts["verb"]},
            "target": {"type": "email", "name": texts["name"], "url": "javascript:alert(1)"},
            "changes": [{"label": texts["label"], "to": {"type": "text", "value": texts["value"]}}],
            "summary": texts["summary"],
        },
    }
    action: PendingAction = structure(PendingAction, wire)
    assert {tag for tag, _ in elements_of(action._repr_html_())} <= HARMLESS
    for text in (str(action), action._repr_html_()):
        assert all(sign.isprintable() or sign == "\n" for sign in text)
        assert "\nApproved" not in text


@settings(max_examples=60, deadline=None)
@given(wire=Instances(lambda: SCHEMAS).named("PendingAction"))
def test_whatever_the_service_sends_can_be_shown(wire: Any) -> None:
    action: PendingAction = structure(PendingAction, wire)
    assert {tag for tag, _ in elements_of(action._repr_html_())} <= HARMLESS
    rows = len((wire.get("preview") or {}).get("changes", [])) + 1
    assert len(str(action).splitlines()) >= min(rows, 1)
    assert all(sign.isprintable() or sign == "\n" for sign in str(action))
