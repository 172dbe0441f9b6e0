"""Reading workflows and their versions; what can be registered."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import yaml

from eigenpal.sandbox import RunContext, Sandbox
from eigenpal.sandbox.yaml_text import to_yaml


@pytest.fixture(autouse=True)
def some(sandbox: Sandbox) -> None:
    sandbox.workflow("invoices/intake", folder_id="fldr_1")(lambda context: {})
    sandbox.workflow("invoices/check", version="2.0.0")(lambda context: {})
    sandbox.workflow("join", block=True, api_enabled=False)(lambda context: {})
    sandbox.agent("not-a-workflow")(lambda context: {})


ALL = ["extract-invoice", "invoices/check", "invoices/intake", "join"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({}, ALL),
        ({"search": "INVOICE"}, ["extract-invoice", "invoices/check", "invoices/intake"]),
        ({"search": "%"}, []),
        ({"name": "invoices.check"}, ["invoices/check"]),
        ({"name": "check"}, []),
        ({"kind": "block"}, ["join"]),
        ({"kind": "workflow"}, ALL[:-1]),
        ({"folderId": "fldr_1"}, ["invoices/intake"]),
        ({"folderId": "null"}, ["extract-invoice", "invoices/check", "join"]),
        ({"folderId": "fldr_2"}, []),
    ],
)
def test_filters_keep_what_fits(client: httpx.Client, params: dict[str, str], names: list[str]) -> None:
    page = client.get("/workflows", params=params).json()

    assert [row["name"] for row in page["data"]] == names
    assert page["total"] == len(names)


def test_pages_say_where_they_are(client: httpx.Client) -> None:
    page = client.get("/workflows?limit=2&offset=3").json()

    assert [row["name"] for row in page["data"]] == ["join"]
    assert (page["total"], page["limit"], page["offset"]) == (4, 2, 3)
    assert client.get("/workflows").json()["limit"] == 50


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "offset=-1", "kind=robot"])
def test_values_that_make_no_sense_are_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/workflows?{query}").status_code == 400


def test_a_workflow_is_found_by_id_and_by_slug(client: httpx.Client) -> None:
    by_slug = client.get("/workflows/invoices.check").json()

    assert client.get(f"/workflows/{by_slug['id']}").json() == by_slug
    assert client.get("/workflows/invoices%2Fcheck").json() == by_slug
    assert yaml.safe_load(by_slug["yamlContent"]) == {"name": "invoices/check", "version": "2.0.0"}


def test_the_list_shows_triggers_and_no_yaml(client: httpx.Client) -> None:
    (row,) = client.get("/workflows?name=join").json()["data"]

    assert row["apiEnabled"] is False
    assert row["triggers"] == {"api": False, "email": False, "manual": True, "cron": False}
    assert "yamlContent" not in row


def test_the_definition_comes_from_the_function(sandbox: Sandbox, client: httpx.Client) -> None:
    @sandbox.workflow("documented", inputs={"doc": {"type": "file"}}, steps=("read", "write"))
    def documented(context: RunContext) -> None:
        """Reads: and writes.

        Twice.
        """

    definition = yaml.safe_load(client.get("/workflows/documented").json()["yamlContent"])

    assert definition == {
        "name": "documented",
        "version": "1.0.0",
        "description": "Reads: and writes.\n\nTwice.",
        "inputs": {"doc": {"type": "file"}},
        "steps": [{"name": "read"}, {"name": "write"}],
    }


@pytest.mark.parametrize(
    "path", ["/workflows/none", "/workflows/none/versions", "/workflows/not-a-workflow", "/workflows/wf_x"]
)
def test_an_unknown_workflow_is_a_404(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_registering_a_version_again_replaces_it(sandbox: Sandbox, client: httpx.Client) -> None:
    before = client.get("/workflows/invoices.check/versions").json()["data"]
    sandbox.workflow("invoices/check", version="2.0.0")(lambda context: {"replaced": True})

    assert client.get("/workflows/invoices.check/versions").json()["data"] == before
    run = client.post("/runs?wait_for_completion=5", json={"target": "workflows.invoices.check"}).json()
    assert run["output"] == {"replaced": True}


@pytest.mark.parametrize("slug", ["", "Upper", "with space", "-dash", "a//b", "a.", "ü", "a_b"])
def test_a_slug_that_could_not_be_a_target_is_refused_at_once(sandbox: Sandbox, slug: str) -> None:
    with pytest.raises(ValueError, match="can't be a slug"):
        sandbox.workflow(slug)(lambda context: {})


@pytest.mark.parametrize("version", ["", "1", "1.0", "v1.0.0", "1.0.0-rc1", "01.0.0", "latest"])
def test_a_version_that_is_not_three_numbers_is_refused_at_once(sandbox: Sandbox, version: str) -> None:
    with pytest.raises(ValueError, match="can't be a version"):
        sandbox.agent("fine", version=version)(lambda context: {})


@pytest.mark.parametrize(
    "value",
    [
        {
            "a": [
                1,
                2.5,
                True,
                None,
                "yes",
                "no",
                "1.0.0",
                "2026-01-01",
                "",
                " x",
                "x ",
                "a: b",
                "#c",
                "é",
                "line\nbreak",
            ]
        },
        {"a": {}, "b": [], "c": [[1, [2]], {"d": [{"e": "f", "g": 1}]}], "null": "~"},
        [{"name": "x", "inner": {"y": ["z"]}}],
        "just text",
    ],
)
def test_yaml_reads_back_as_what_was_written(value: Any) -> None:
    assert yaml.safe_load(to_yaml(value)) == value
