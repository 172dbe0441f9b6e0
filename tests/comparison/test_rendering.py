"""A comparison for people: what the text says; its HTML is escaped and of bounded size whatever was compared."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.comparison.result import RunComparison
from tests.comparison.runs import agent_run, compared, named, step, workflow_run
from tests.display.elements import elements_of

HOSTILE = '</td><script>alert("x")</script>&amp;<img src=x onerror=alert(1)>\x1b[31m\u202e\ud800\n'
ELEMENTS = {"div", "b", "p", "table", "tbody", "tr", "td"}


@pytest.fixture
def workflows() -> RunComparison:
    """A comparison with a bit of everything that workflow runs can differ in."""
    reference = workflow_run("exec_1", step("read", {"a": 1, "b": [1, 2]}), step("mail", None), step("same", 1))
    return compared(
        reference, workflow_run("exec_2", step("read", {"a": 2, "b": [1]}), step("new", 1), step("same", 1))
    )


def test_the_text_of_workflow_runs_goes_step_by_step(workflows: RunComparison) -> None:
    assert str(workflows) == workflows.to_text()
    assert workflows.to_text().splitlines() == [
        "fail: exec_2 against exec_1",
        "  ! read: success -> success",
        "  ~ $.a: 1 -> 2",
        "  - $.b[1]: 2",
        "  ! mail: success -> missing",
        "  = same: success -> success",
        "  ! new: missing -> success",
    ]


def test_the_text_of_agent_runs_goes_place_by_place_and_file_by_file() -> None:
    expected = {"output": {"a": "x", "b": {"c": None}}, "files": named(["a.pdf"])}
    run = agent_run("exec_2", output={"a": "ü", "d": True}, files=["b.pdf"])
    assert compared(agent_run("exec_1", expected=expected), run).to_text().splitlines() == [
        "fail: exec_2 against what was expected of exec_1",
        '  ~ $.a: "x" -> "ü"',
        '  - $.b: {"c": null}',
        "  + $.d: true",
        "  - file a.pdf",
        "  + file b.pdf",
    ]


def test_a_pass_says_so_in_one_line() -> None:
    run = agent_run("exec_1", output={"a": 1})
    assert compared(run, agent_run("exec_2", output={"a": 1}), baseline=True).to_text() == "pass: exec_2 against exec_1"


def test_the_html_says_what_the_text_says(workflows: RunComparison) -> None:
    cells: list[str] = []

    class Cells(HTMLParser):
        def handle_data(self, data: str) -> None:
            cells.append(data)

    Cells().feed(workflows.to_html())
    for line in workflows.to_text().splitlines()[1:]:
        sign, _, rest = line.strip().partition(" ")
        assert {sign, *rest.split(": ", 1)} <= set(cells)


def test_long_lists_of_differences_are_cut_and_the_rest_is_counted() -> None:
    reference = workflow_run("r", step("a", list(range(1000))))
    comparison = compared(reference, workflow_run("o", step("a", list(range(1, 1001)))))
    assert comparison.to_text().splitlines()[-1] == "  … 901 more"
    assert len(comparison.to_text(limit=None).splitlines()) == 1002
    assert comparison.to_html().count("<tr>") == 100
    assert "… 901 more" in comparison.to_html()
    assert comparison.to_html(limit=None).count("<tr>") == 1001
    assert "more" not in comparison.to_html(limit=None)


@pytest.mark.parametrize(
    "value",
    ["x" * 5_000_000, ["x" * 1000] * 1000, {"k" * 1_000_000: 1}, {"a": {"b": list(range(200_000))}}],
    ids=["text", "list", "name", "nested"],
)
def test_values_of_megabytes_are_shown_by_their_beginning(value: Any) -> None:
    comparison = compared(workflow_run("r", step("a", value)), workflow_run("o", step("a", {"x": value})))
    assert len(comparison.to_html()) < 100_000
    assert len(comparison.to_text()) < 100_000
    assert len(repr(comparison)) < 1000


def test_the_deepest_values_can_be_shown() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    comparison = compared(workflow_run("r", step("a", deep)), workflow_run("o", step("a", 1)))
    assert len(comparison.to_html()) < 1000


texts = st.text() | st.just(HOSTILE) | st.sampled_from(["<", "&", '"', "'>", "-->", "]]>"])
documents = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


@given(documents, documents, texts, texts)
def test_everything_in_the_html_is_escaped(expected: Any, actual: Any, name: str, status: str) -> None:
    workflows = compared(
        workflow_run(name, step(name, expected, status)), workflow_run(name, step(name, actual, status))
    )
    agents = compared(
        agent_run(name, expected={"output": {name: expected}, "files": named([name, "a"])}),
        agent_run(name, output={name: actual}, files=[name, status]),
    )
    for comparison in (workflows, agents):
        html = comparison.to_html()
        assert {tag for tag, _ in elements_of(html)} <= ELEMENTS
        assert {name for _, attributes in elements_of(html) for name in attributes} <= {"style"}
        assert html.encode()  # no half characters
        assert html.isprintable()
        assert all(line.isprintable() for line in comparison.to_text().split("\n"))
