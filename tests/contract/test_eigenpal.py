"""The sandbox against the whole description of the EigenPal API, with things in it: every answer is one it declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal import EigenpalClient
from eigenpal.sandbox import RunContext, Sandbox
from tests.contract.contracts import FailureGroup, Served, bounded, keeps_its_word, operations

OPERATIONS = operations("eigenpal.openapi.yaml")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A sandbox with runs of every end, agents, files, feedback and secrets."""
    with Sandbox(seed=1) as sandbox, EigenpalClient(sandbox.api_key, base_url=sandbox.url) as client:
        _register(sandbox)
        yield _filled(client, sandbox)


def _register(sandbox: Sandbox) -> None:
    @sandbox.workflow("report", steps=["read", "write"])
    def report(context: RunContext) -> dict[str, Any]:
        with context.step("read") as step:
            step.output = {"words": 3}
        context.write_artifact("report.csv", "a,b\n1,2\n", step="write")
        context.add_usage(input_tokens=10, llm_calls=1)
        return {"total": 3}

    @sandbox.workflow("broken")
    def broken(context: RunContext) -> dict[str, Any]:
        raise ValueError("no such luck")

    @sandbox.agent("sorter", model="small")
    def sorter(context: RunContext) -> dict[str, Any]:
        context.trace({"type": "turn", "text": "sorted"})
        context.write_artifact("sorted.txt", "a\nb\n")
        return {"sorted": True}


def _filled(client: EigenpalClient, sandbox: Sandbox) -> Served:
    targets = ["workflows.report", "workflows.broken", "agents.sorter"]
    document = {"content": b"some text", "filename": "notes.txt"}
    runs = [client.run_and_wait(target, {"document": document, "deep": {"a": [1]}}).id for target in targets]
    made = client.agents.create(name="Clerk", slug="clerk")
    alias = client.agents.email_triggers.create_alias("clerk", alias="clerk")
    client.runs.feedback.update(runs[0], body="too short", rating="fail")
    client.runs.expected.copy_output(runs[0], output_file_name="report.csv", expected_name="wanted.csv")
    named = {"sourcePath": "agents/clerk", "secretName": "TOKEN"}
    sealed = client.source.encrypt_secrets({**named, "plaintext": "abc"}).to_dict()
    known: dict[str, list[Any]] = {
        "id": [*runs, "report", "broken"],
        "agentId": ["sorter", "clerk", made.agent.id],
        "emailId": [alias.email.id],
        "automation": ["sorter", "report"],
        "path": ["output/report.csv", "output/sorted.txt", "trace.jsonl", "agents/sorter/agent.yaml", "agent.yaml"],
        "filename": ["wanted.csv"],
        "packageRef": ["agents.sorter@1.0.0", "workflows.report@1.0.0"],
        "packagePath": ["agents/sorter", "workflows/report"],
        "version": ["1.0.0", "latest"],
        "target": targets,
        "wait_for_completion": [0, 5],
    }
    bodies: dict[str, list[Any]] = {
        "run": [{"target": target, "input": {"document": "text"}} for target in targets],
        "agents.create": [{"name": "Another", "slug": slug} for slug in ("other", "another", "third")],
        "agents.email_triggers.create_alias": [{"alias": name} for name in ("post", "mail", "inbox")],
        "agents.email_triggers.update": [{"enabled": True}],
        "agents.email_triggers.update_alias": [{"label": "Post"}],
        "runs.feedback.update": [{"rating": "pass"}, {"body": None, "status": "resolved"}],
        "runs.expected.copy_output": [{"outputFileName": "report.csv", "expectedName": "copy.csv"}],
        "runs.expected.rename": [{"name": "renamed.csv"}],
        "source.encrypt_secrets": [{**named, "plaintext": "abc"}],
        "source.decrypt_secrets": [{**named, "encrypted": sealed["encrypted"]}],
    }
    return Served(sandbox.url, {"Authorization": f"Bearer {sandbox.api_key}"}, known, bodies)


@pytest.mark.parametrize("operation", OPERATIONS)
@bounded
@given(data=st.data())
def test_what_the_description_allows_is_answered_as_it_says(
    operation: Any, data: st.DataObject, served: Served
) -> None:
    keeps_its_word(operation, data, served, valid=True)


@pytest.mark.parametrize("operation", OPERATIONS)
@bounded
@given(data=st.data())
def test_what_it_does_not_allow_is_refused_as_it_says(operation: Any, data: st.DataObject, served: Served) -> None:
    keeps_its_word(operation, data, served, valid=False)


@pytest.mark.parametrize(
    "fault",
    [{"status": 418}, {"status": 500}, {"kind": "html"}, {"body": {"agents": "none"}}],
    ids=["a status that is not declared", "a failure of the server", "another type", "another shape"],
)
@bounded
@given(data=st.data())
def test_a_broken_promise_is_noticed(fault: dict[str, Any], data: st.DataObject) -> None:
    """These tests can fail: the faults of the sandbox see to it."""
    with Sandbox() as sandbox:
        sandbox.faults.add(times=None, **fault)
        served = Served(sandbox.url, {"Authorization": f"Bearer {sandbox.api_key}"}, {}, {})
        (listing,) = (case.values[0] for case in OPERATIONS if case.id == "agents.list")
        with pytest.raises(FailureGroup):
            keeps_its_word(listing, data, served, valid=True)
