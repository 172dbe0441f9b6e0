"""What a notebook and a terminal show of an answer: the telling members first, escaped, and never a megabyte."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.comparison.result import RunComparison
from eigenpal.engine.codec import structure
from eigenpal.engine.display import excerpt, json_excerpt, one_line
from eigenpal.engine.model import Model
from eigenpal.engine.secret import Secret
from eigenpal.models.agents import Agent, AgentEnvelope, AgentsPage
from eigenpal.models.runs import Run, RunAccepted, RunListItem, RunsPage
from eigenpal.models.source import DecryptedSecrets
from eigenpal.models.workflows import Workflow, WorkflowsPage
from tests.display.elements import elements_of

MEGABYTE = "x" * 1_000_000
HOSTILE = '</td><script>alert("x")</script>&amp;<img src=x onerror=alert(1)>'

ROW: dict[str, Any] = {
    "id": "exec_1",
    "type": "workflow",
    "finished": True,
    "timing": {"createdAt": "2026-11-22T04:30:00.120Z", "durationMs": 1234},
    "source": {"id": "wf_1", "name": "Extract invoice"},
    "trigger": {"type": "api"},
    "execution": {"status": "completed"},
    "error": None,
}
RUN = ROW | {"output": {"total": 5}, "files": [{"name": "a.pdf", "path": "output/a.pdf", "size": 3}]}
AGENT = {"id": "ag_1", "slug": "mail-sorter", "name": "Mail sorter", "createdAt": "2026-11-22T04:30:00.000Z"}
WORKFLOW = {"id": "wf_1", "createdAt": "2026-11-22T04:30:00.000Z", "name": "Extract invoice", "version": "1.0.0"}
OFFSETS = {"total": 134, "limit": 50, "offset": 0}
COMPARISON = {"status": "pass", "runId": "exec_1", "comparedWithRunId": "exec_2"}

ANSWERS: list[tuple[type[Model], dict[str, Any]]] = [
    (Run, RUN),
    (RunListItem, ROW),
    (RunAccepted, {"id": "exec_1", "type": "workflow", "finished": False}),
    (RunsPage, {"runs": [ROW, ROW], "nextCursor": "abc"}),
    (Agent, AGENT),
    (AgentEnvelope, {"agent": AGENT}),
    (AgentsPage, {"data": [AGENT], **OFFSETS}),
    (WorkflowsPage, {"data": [WORKFLOW], **OFFSETS}),
    (Workflow, WORKFLOW | {"yamlContent": "name: x\nsteps: []\n"}),
    (RunComparison, COMPARISON),
]
each_answer = pytest.mark.parametrize(("kind", "wire"), ANSWERS, ids=lambda value: getattr(value, "__name__", ""))


def html_of(kind: type[Model], wire: Any) -> str:
    html: str = structure(kind, wire)._repr_html_()
    return html


@each_answer
def test_every_answer_has_a_compact_table_in_a_notebook(kind: type[Model], wire: dict[str, Any]) -> None:
    html = html_of(kind, wire)
    assert {tag for tag, _ in elements_of(html)} <= {"div", "b", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert len(html) < 2500
    assert "background" not in html  # it lies on the page, be that light or dark


@pytest.mark.parametrize(
    ("kind", "wire", "shown"),
    [
        (
            Run,
            RUN,
            (
                "Run(id='exec_1', status='completed', type='workflow', source='Extract invoice', "
                "created_at=2026-11-22T04:30:00.120000+00:00, duration_ms=1234, "
                "output={'total': 5}, files=['output/a.pdf'])"
            ),
        ),
        (RunAccepted, ANSWERS[2][1], "RunAccepted(id='exec_1', type='workflow', finished=False)"),
        (RunsPage, {"runs": [ROW, ROW], "nextCursor": "abc"}, "RunsPage(runs=['exec_1', 'exec_1'], next_cursor='abc')"),
        (RunsPage, {"runs": [ROW] * 20}, "RunsPage(runs=<20 items>)"),
        (
            Agent,
            AGENT,
            "Agent(slug='mail-sorter', id='ag_1', name='Mail sorter', created_at=2026-11-22T04:30:00+00:00)",
        ),
        (AgentEnvelope, {"agent": AGENT}, "AgentEnvelope(agent='mail-sorter')"),
        (AgentsPage, {"data": [AGENT], **OFFSETS}, "AgentsPage(total=134, limit=50, offset=0, data=['mail-sorter'])"),
        (
            RunComparison,
            COMPARISON,
            "RunComparison(status='pass', run_id='exec_1', compared_with_run_id='exec_2')",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_repr_is_short_and_begins_with_what_tells_most(kind: type[Model], wire: Any, shown: str) -> None:
    assert repr(structure(kind, wire)) == shown


def test_the_table_of_a_run_shows_names_and_values() -> None:
    html = html_of(Run, RUN)
    assert '<td style="text-align:left">source</td><td style="text-align:left">Extract invoice</td>' in html
    assert '<td style="text-align:left">{&quot;total&quot;: 5}</td>' in html
    assert "2026-11-22 04:30:00+00:00" in html
    assert "output/a.pdf" in html
    assert "error" not in html  # what is not there takes no row


def test_a_page_is_a_table_with_a_row_for_each_item_and_no_empty_columns() -> None:
    html = html_of(RunsPage, {"runs": [ROW, ROW | {"id": "exec_2"}], "nextCursor": "abc"})
    assert "(2, and more)" in html
    assert [tag for tag, _ in elements_of(html)].count("tr") == 3
    assert "exec_2" in html
    assert ">error<" not in html
    assert "(1 of 134)" in html_of(AgentsPage, {"data": [AGENT], **OFFSETS})


def test_an_empty_page_says_so() -> None:
    assert html_of(RunsPage, {"runs": []}) == "<div><b>RunsPage</b> (0)</div>"


def test_a_long_page_is_cut_and_the_rest_is_counted() -> None:
    html = html_of(RunsPage, {"runs": [ROW] * 1000})
    assert [tag for tag, _ in elements_of(html)].count("tr") == 51
    assert "… 950 more" in html


@pytest.mark.parametrize(
    "output",
    [{"text": MEGABYTE}, {MEGABYTE: 1}, {str(number): MEGABYTE for number in range(20)}, {"a": list(range(200_000))}],
    ids=["text", "name", "many", "list"],
)
def test_an_output_of_megabytes_is_shown_by_its_beginning(output: Any) -> None:
    wire = RUN | {"output": output, "error": MEGABYTE}
    assert len(html_of(Run, wire)) < 5000
    assert len(repr(structure(Run, wire))) < 1000
    assert len(html_of(RunsPage, {"runs": [ROW | {"error": MEGABYTE}] * 50})) < 60_000


texts = st.text() | st.just(HOSTILE) | st.sampled_from(["\x1b[31m", "\u202e", "\ud800", "\n", "&lt;"])


@given(texts, st.recursive(texts, lambda inner: st.dictionaries(texts, inner, max_size=2), max_leaves=4))
def test_everything_in_a_notebook_is_escaped(text: str, value: Any) -> None:
    run = RUN | {"id": text, "error": text, "output": {text: value}, "execution": {"status": text}, "type": text}
    for kind, wire in ((Run, run), (RunsPage, {"runs": [run]}), (Agent, AGENT | {"slug": text})):
        html = html_of(kind, wire)
        assert {tag for tag, _ in elements_of(html)} <= {"div", "b", "p", "table", "thead", "tbody", "tr", "th", "td"}
        assert {name for _, attributes in elements_of(html) for name in attributes} <= {"style"}
        assert html.isprintable()
        assert html.encode()


@given(st.text(), st.integers(2, 50))
def test_a_line_is_cut_and_has_nothing_that_does_not_print(text: str, characters: int) -> None:
    line = one_line(text, characters)
    assert line.isprintable()
    if text.isprintable():
        assert line == (text if len(text) <= characters else text[: characters - 1] + "…")


def test_an_excerpt_reads_no_further_than_it_shows() -> None:
    class Endless(dict[str, Any]):
        def __len__(self) -> int:
            return 1

        def items(self) -> Any:
            for number in range(1000):
                assert number < 20, "read on after it had enough"
                yield str(number), number

    assert json_excerpt(Endless(), 30).startswith('{"0": 0, "1": 1')


def test_what_is_secret_stays_so() -> None:
    secrets = structure(DecryptedSecrets, {"plaintext": "hunter2", "secrets": {"SMTP_PASSWORD": "hunter2"}})
    assert "hunter2" not in secrets._repr_html_() + repr(secrets) + excerpt(Secret("hunter2"), 80)
    assert "SMTP_PASSWORD" in secrets._repr_html_()


def test_displays_are_loaded_when_a_notebook_asks() -> None:
    program = (
        "import sys; from eigenpal import AsyncEigenpalClient, RunAccepted; "
        "names = ('eigenpal.engine.display', 'eigenpal.comparison.rendering'); "
        "run = RunAccepted(id='exec_1', type='agent', finished=False); repr(run); "
        "assert not set(names) & set(sys.modules); run._repr_html_(); assert names[0] in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
