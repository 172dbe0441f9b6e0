"""Programs written for the official Python client of this generation run unchanged."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import eigenpal
from eigenpal import EigenpalClient, EigenpalError
from tests.spec.calling import attribute
from tests.spec.document import operations
from tests.spec.strategies import description
from tests.surface.scripted import RECEIPT, RUN, blocking

CALLS = {operation.id: operation.official_call for operation in operations(description())} | {
    name: description()["x-client-helpers"][name]["signature"]
    for name in description()["x-client-helpers"]["surfaceWithoutOwnEndpoint"]
}
ERRORS = description()["x-error-mapping"]["python"]


@pytest.fixture
def client() -> Iterator[EigenpalClient]:
    made, _ = blocking()
    with made:
        yield made


@pytest.mark.parametrize("name", CALLS)
def test_every_call_of_the_official_client_is_one_of_ours(name: str, client: EigenpalClient) -> None:
    """The same arguments by the same names, in the same order where they are positional, needed where they were."""
    dotted, given = arguments_of(CALLS[name])
    signature = inspect.signature(attribute(client, dotted.removeprefix("client.")))
    ours = list(signature.parameters.values())
    for position, argument in enumerate([*given.posonlyargs, *given.args]):
        assert ours[position].name == argument.arg
        assert ours[position].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    for argument in given.kwonlyargs:
        assert argument.arg in signature.parameters
    needed = {a.arg for a, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None}
    needed |= {a.arg for a in given.args[: len(given.args) - len(given.defaults)]}
    assert {p.name for p in ours if p.default is inspect.Parameter.empty} <= needed


def arguments_of(call: str) -> tuple[str, ast.arguments]:
    """Return the name and the arguments of a call as the description writes it: `runs.get(run_id, *, expand=None)`."""
    name, _, rest = call.partition(", also ")[0].partition("(")
    function = ast.parse(f"lambda {rest.rstrip(')')}: 0", mode="eval").body
    assert isinstance(function, ast.Lambda)
    return name, function.args


def test_the_constructor_takes_what_the_official_one_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIGENPAL_API_KEY", "eig_live_key")
    monkeypatch.setenv("EIGENPAL_BASE_URL", "http://127.0.0.1:9/")
    with EigenpalClient() as client:
        assert "http://127.0.0.1:9" in repr(client)
    accepted = inspect.signature(EigenpalClient).parameters
    for name, default in description()["x-environment"]["constructor"].items():
        assert accepted[name].default == default
    monkeypatch.delenv("EIGENPAL_API_KEY")
    with pytest.raises(ValueError, match="EIGENPAL_API_KEY"):
        EigenpalClient()


@pytest.mark.parametrize("name", sorted({name for name in ERRORS.values() if name.isidentifier()}))
def test_every_error_of_the_official_client_can_be_imported_and_is_one_family(name: str) -> None:
    kind = getattr(importlib.import_module("eigenpal"), name)
    assert issubclass(kind, EigenpalError)
    assert name in eigenpal.__all__


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_errors_have_the_attributes_of_the_official_ones(status: int) -> None:
    issue = {"field": "body.input", "message": "is wrong", "code": "invalid_value", "severity": "error"}
    answer = httpx.Response(status, json={"issues": [issue], "requestId": "req_1"}, headers={"retry-after": "7"})
    made, _ = blocking(answer, max_retries=0)
    kind = getattr(eigenpal, ERRORS["5xx" if status == 500 else str(status)])
    with made as client, pytest.raises(kind) as caught:
        client.runs.get("exec_1")
    error = caught.value
    assert (error.status, error.request_id, error.envelope["issues"]) == (status, "req_1", [issue])
    assert "is wrong" in str(error)
    assert error.issues[0]["field"] == "body.input"
    assert error.retry_after == 7


def test_a_run_is_started_read_and_its_files_fetched_as_documented(tmp_path: Path) -> None:
    (tmp_path / "contract.pdf").write_bytes(b"%PDF-1.7")
    file = {"name": "report.pdf", "path": "output/report.pdf"}
    pdf = httpx.Response(200, content=b"%PDF", headers={"content-type": "application/pdf"})
    made, script = blocking(RECEIPT, {**RUN, "files": [file]}, pdf)
    with made as client:
        started = client.run(
            "workflows.invoice-intake@1.4.0", input={"contract": tmp_path / "contract.pdf", "language": "en"}
        )
        run = client.runs.get(started.id, expand=["usage", "execution"])
        assert run["finished"]
        content = [client.runs.artifacts.download(run["id"], file["path"]) for file in run["files"]]
    assert content == [b"%PDF"]
    assert script.sent[0].query == {"version": "1.4.0"}
    assert script.sent[0].body["target"] == b"workflows.invoice-intake"
    assert script.sent[0].body["files.contract"] == b"%PDF-1.7"
    assert script.sent[1].query == {"expand": "usage,execution"}


@pytest.mark.parametrize(
    ("target", "name", "version"),
    [
        ("workflows.invoice-intake", "workflows.invoice-intake", None),
        ("workflows.invoice-intake@latest", "workflows.invoice-intake", None),
        ("agents.mail-sorter@0.3.x", "agents.mail-sorter", "0.3.x"),
        ({"type": "workflow", "slug": "invoice-intake"}, "workflows.invoice-intake", None),
        ({"type": "workflow", "id": "wf_7Qh2mXc9LrT4vB1sKpZ0e"}, "workflows.wf_7Qh2mXc9LrT4vB1sKpZ0e", None),
        ({"type": "workflow", "slug": "finance/intake", "version": "1.4.0"}, "workflows.finance.intake", "1.4.0"),
        ({"type": "agent", "slug": "mail-sorter", "version": "latest"}, "agents.mail-sorter", None),
    ],
)
def test_every_way_to_write_a_target_is_understood(target: Any, name: str, version: str | None) -> None:
    made, script = blocking(RECEIPT)
    with made as client:
        client.run(target, {"subject": "Invoice 17"})
    assert script.sent[0].body == {"target": name, "input": {"subject": "Invoice 17"}}
    assert script.sent[0].query == ({"version": version} if version else {})


def test_results_are_read_by_items_as_the_documentation_does() -> None:
    made, _ = blocking(RECEIPT, RUN, {"runs": [RUN], "nextCursor": None})
    with made as client:
        result = client.workflows.executions.run_and_wait(
            "invoice-intake", {"language": "en"}, timeout_seconds=30.0, poll_interval_seconds=0.01
        )
        assert result["finished"]
        assert (result["id"], result["status"], result["error"]) == ("exec_1", "completed", None)
        assert result["output"]["total"] == 118.5
        assert result.get("missing", "nothing") == "nothing"
        assert dict(result)["output"] == RUN["output"]
        page = client.runs.list(status=["failed", "cancelled"], from_date="now()-7d", limit=20)
        assert [run["execution"]["status"] for run in page["runs"]] == ["completed"]
        assert page.next_cursor is None


def test_attributes_of_results_are_read_as_the_generated_models_have_them() -> None:
    made, _ = blocking(RUN)
    with made as client:
        run = client.runs.get("exec_1")
    assert (run.execution.status, run.timing.duration_ms, run.source.name) == ("completed", 450, "invoice-intake")
    assert run.to_dict() == RUN


BODIES: dict[str, tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]] = {
    "agents.email_triggers.update": (("a",), {"enabled": True}, {"trigger": {}}),
    "agents.email_triggers.create_alias": (("a",), {"email": "a@b.example", "newMember": 1}, {"email": {}}),
    "agents.email_triggers.update_alias": (("a", "aea_1"), {"label": None, "allowlist": []}, {"email": {}}),
    "source.encrypt_secrets": ((), {"sourcePath": "a", "secretName": "A", "plaintext": "p"}, {"encrypted": None}),
    "source.decrypt_secrets": ((), {"executionId": "exec_1", "secrets": []}, {"plaintext": "p"}),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_given_as_one_dict_is_sent_as_it_is(name: str) -> None:
    path, body, answer = BODIES[name]
    made, script = blocking(answer)
    with made as client:
        attribute(client, name)(*path, body)
        attribute(client, name)(*path, body=body)
    assert [sent.body for sent in script.sent] == [body, body]


def test_every_call_that_takes_a_dict_in_the_official_client_is_among_them() -> None:
    assert {name for name, call in CALLS.items() if "body)" in call} == set(BODIES)


def test_a_named_argument_goes_on_top_of_a_dict() -> None:
    made, script = blocking({"email": {}})
    with made as client:
        client.agents.email_triggers.create_alias("a", {"email": "old@b.example"}, email="new@b.example", label="New")
    assert script.sent[0].body == {"email": "new@b.example", "label": "New"}


@pytest.mark.parametrize(
    "file",
    [b"%PDF", {"content": b"%PDF", "filename": "a.pdf", "mime_type": "application/pdf"}],
    ids=["bytes", "mapping"],
)
def test_files_for_uploads_come_as_bytes_or_mappings(file: Any) -> None:
    made, script = blocking(httpx.Response(201, json={"id": "file_1", "name": "a.pdf"}))
    with made as client:
        assert client.runs.files.upload("exec_1", file, filename="a.pdf", mime_type="application/pdf").id == "file_1"
        assert client.runs.expected.upload("exec_1", file, filename="a.pdf", name="b.pdf").name == "a.pdf"
    assert script.sent[0].body == {"file": b"%PDF"}
    assert script.sent[1].body == {"file": b"%PDF", "name": b"b.pdf"}


def test_comparing_gives_the_documented_members() -> None:
    steps = {**RUN, "execution": {"status": "completed", "steps": [{"stepName": "extract", "outputData": 1}]}}
    made, _ = blocking(steps)
    with made as client:
        result = client.runs.compare("exec_1", "exec_1", step="extract")
        assert (result["status"], result["runId"], result["comparedWithRunId"]) == ("pass", "exec_1", "exec_1")
        assert [step["stepName"] for step in result["steps"]] == ["extract"]
        step = result["steps"][0]
        assert (step["referenceStatus"], step["targetStatus"], step["outputState"]) == ("", "", "match")


def test_comparing_a_workflow_run_with_an_agent_run_is_refused_with_status_400() -> None:
    made, _ = blocking(RUN, {**RUN, "type": "agent"})
    with made as client, pytest.raises(EigenpalError) as caught:
        client.runs.compare("exec_1", "aex_1")
    assert caught.value.status == 400
