"""The list of runs and the page of one: what they show, how they filter, what they cut."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import ManualClock, RunContext, RunFailed, Sandbox
from tests.sandbox.page.pages import Page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()

    @sandbox.workflow("echo", version="2.1.0", steps=("say",))
    def echo(context: RunContext) -> dict[str, Any]:
        with context.step("say") as step:
            step.output = {"said": context.input["text"]}
        context.trace({"type": "spoke", "text": context.input["text"]})
        context.write_artifact("said.txt", context.input["text"])
        return {"text": context.input["text"]}

    @sandbox.workflow("broken")
    def broken(context: RunContext) -> None:
        with context.step("load"):
            raise ValueError("no such table")

    @sandbox.agent("helper", model="large-2")
    def helper(context: RunContext) -> None:
        raise RunFailed("I can't.")

    with sandbox:
        yield sandbox


def run(sandbox: Sandbox, target: str, api_key: str | None = None, **request: Any) -> str:
    """Run to the end and return the id."""
    headers = {"authorization": f"Bearer {api_key or sandbox.api_key}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=20, trust_env=False, verify=False) as client:
        body = {"target": target, **request}
        answer = client.post("/api/v1/runs", params={"wait_for_completion": 20}, json=body).raise_for_status()
    run_id: str = answer.json()["id"]
    return run_id


def say(sandbox: Sandbox, text: str, **more: Any) -> str:
    return run(sandbox, "workflows.echo", input={"text": text}, **more)


def test_an_empty_list_says_how_to_begin(visitor: httpx.Client) -> None:
    assert "No runs yet" in Page(visitor.get("/").text).text


def test_the_list_shows_status_target_id_and_error_newest_first(sandbox: Sandbox, visitor: httpx.Client) -> None:
    first, second, third = say(sandbox, "a"), run(sandbox, "workflows.broken"), run(sandbox, "agents.helper")

    page = Page(visitor.get("/").text)
    assert page.column(0) == ["failed", "failed", "completed"]
    assert page.column(1) == [
        "helper 1.0.0 · agentI can't.",
        "broken 1.0.0Step load failed: ValueError: no such table",
        "echo 2.1.0",
    ]
    assert page.column(2) == [third, second, first]
    assert f"/page/runs/{first}" in page.links
    assert "all 3" in page.text
    assert "completed 1" in page.text
    assert "failed 2" in page.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "completed"}, ["echo", "echo"]),
        ({"status": "failed", "kind": "agent"}, ["helper"]),
        ({"kind": "workflow"}, ["broken", "echo", "echo"]),
        ({"target": "broken"}, ["broken"]),
        ({"tenant": "other"}, ["echo"]),
        ({"text": "MÜLLER"}, []),  # letters in either case are those of ASCII
        ({"text": "Müller"}, ["echo"]),
        ({"text": "100%_sure!"}, ["echo"]),
        ({"text": "100"}, ["echo"]),
        ({"text": "NO SUCH table"}, ["broken"]),
        ({"text": '"quoted"'}, ["echo"]),
        ({"text": "  helper  "}, ["helper"]),
        ({"text": "%"}, ["echo"]),
        ({"status": "running"}, []),
        ({"status": "<b>"}, []),
        ({"target": "x' OR 1=1 --"}, []),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_the_list_is_filtered(sandbox: Sandbox, visitor: httpx.Client, query: dict[str, str], found: list[str]) -> None:
    say(sandbox, 'Müller "quoted"')
    say(sandbox, "100%_sure!", api_key=sandbox.add_key("other"))
    run(sandbox, "workflows.broken")
    run(sandbox, "agents.helper")

    page = Page(visitor.get("/", params=query).text)
    assert [target.split()[0] for target in page.column(1)] == found
    assert ("No run fits" in page.text) is (found == [])


def test_tenants_are_shown_where_there_are_several(sandbox: Sandbox, visitor: httpx.Client) -> None:
    say(sandbox, "a")
    assert "Tenant" not in Page(visitor.get("/").text).text
    say(sandbox, "b", api_key=sandbox.add_key("other"))
    assert Page(visitor.get("/").text).column(3) == ["other", "default"]


def test_ten_thousand_runs_come_page_by_page(sandbox: Sandbox, visitor: httpx.Client) -> None:
    run_id = say(sandbox, "x")
    many(sandbox, run_id, 9_999)  # real ones would take a minute

    first, second = Page(visitor.get("/").text), Page(visitor.get("/", params={"page": 2}).text)
    last = Page(visitor.get("/", params={"page": 200}).text)
    assert len(first.rows) == len(second.rows) == len(last.rows) == 50
    assert set(first.column(2)).isdisjoint(second.column(2))
    assert "1–50 of 10,000 runs" in first.text
    assert last.column(2)[-1] == run_id
    assert "/?page=2" in first.links
    assert "/" in second.links
    for wild in ("99999999999999999999", "-1", "x", "0", "²"):
        assert visitor.get("/", params={"page": wild}).status_code == 200


def many(sandbox: Sandbox, run_id: str, count: int) -> None:
    """Copy a run, as often as asked."""
    folder = sandbox.data_folder
    assert folder is not None
    with sqlite3.connect(folder / "sandbox.sqlite3") as connection:
        names: list[str] = [name for _, name, *_ in connection.execute("PRAGMA table_info(runs)")]
        fresh = {"sequence": "NULL", "id": "'exec_' || value"}
        copied = ", ".join(fresh.get(name, name) for name in names)
        connection.execute(
            "WITH RECURSIVE numbers(value) AS "
            f"(SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < {count}) "
            f"INSERT INTO runs SELECT {copied} FROM runs, numbers WHERE id = ?",
            (run_id,),
        )
    connection.close()


def test_a_run_shows_input_output_steps_trace_and_files(sandbox: Sandbox, visitor: httpx.Client) -> None:
    run_id = say(sandbox, "Müller", metadata={"case": 17})

    page = Page(visitor.get(f"/page/runs/{run_id}").text)
    assert page.column(0)[:3] == ["Queued", "Run", "say"]
    assert '"text": "Müller"' in page.text
    assert '"case": 17' in page.text
    assert '"said": "Müller"' in page.text
    assert "spoke" in page.text
    assert "1 event" in page.text
    path = f"/page/runs/{run_id}/files/output/said.txt"
    assert path in page.links
    download = visitor.get(path)
    assert download.text == "Müller"
    assert download.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in download.headers["content-security-policy"]


def test_a_failed_run_shows_error_and_traceback(sandbox: Sandbox, visitor: httpx.Client) -> None:
    page = Page(visitor.get(f"/page/runs/{run(sandbox, 'workflows.broken')}").text)

    assert "Step load failed: ValueError: no such table" in page.text
    assert "Traceback (most recent call last)" in page.text
    assert page.column(2)[1:3] == ["failed", "failed"]


def test_a_run_in_flight_has_no_end_yet(sandbox: Sandbox, visitor: httpx.Client) -> None:
    began, done = threading.Event(), threading.Event()

    @sandbox.workflow("slow")
    def slow(context: RunContext) -> None:
        with context.step("wait"):
            began.set()
            done.wait(20)

    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    run_id = visitor.post("/api/v1/runs", json={"target": "workflows.slow"}, headers=headers).json()["id"]
    assert began.wait(20)
    page = Page(visitor.get(f"/page/runs/{run_id}").text)
    done.set()

    assert page.column(2)[:3] == ["passed", "running", "running"]
    assert "None yet." in page.text


def test_durations_and_moments_are_those_of_the_clock() -> None:
    clock = ManualClock(datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC))
    with Sandbox(clock=clock) as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False, verify=False) as visitor:

        @sandbox.workflow("lasting")
        def lasting(context: RunContext) -> None:
            clock.advance(3_725)

        run_id = run(sandbox, "workflows.lasting")
        listed, page = Page(visitor.get("/").text), visitor.get(f"/page/runs/{run_id}").text
    assert listed.column(4) == ["1 h 02 m"]
    assert 'datetime="2026-03-01T12:00:00.000Z"' in page


def test_a_large_output_is_cut_and_the_whole_is_a_link_away(sandbox: Sandbox, visitor: httpx.Client) -> None:
    text = "lorem ipsum " * 100_000
    run_id = say(sandbox, text)

    answer = visitor.get(f"/page/runs/{run_id}")
    page = Page(answer.text)
    assert len(answer.content) < 60_000
    assert "The first 6,000 of 1,2" in page.text
    for part in ("output", "input", "step-1", "trace"):
        whole = visitor.get(f"/page/runs/{run_id}/whole/{part}")
        assert f"/page/runs/{run_id}/whole/{part}" in page.links
        assert whole.headers["content-type"] == "text/plain; charset=utf-8"
        assert text in whole.text


def test_files_that_a_run_should_have_made_are_apart(sandbox: Sandbox, visitor: httpx.Client) -> None:
    run_id = say(sandbox, "a")
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    visitor.post(f"/api/v1/runs/{run_id}/expected", files={"file": ("wanted.txt", b"b")}, headers=headers)

    html = visitor.get(f"/page/runs/{run_id}").text
    assert html.index("said.txt") < html.index("Expected") < html.index("expected/wanted.txt")


@pytest.mark.parametrize("part", ["nothing", "step-7", "metadata", "error", "step-"])
def test_a_part_that_is_not_there_is_not_found(sandbox: Sandbox, visitor: httpx.Client, part: str) -> None:
    assert visitor.get(f"/page/runs/{say(sandbox, 'a')}/whole/{part}").status_code == 404


@pytest.mark.parametrize(
    "path", ["output/no.txt", "../sandbox.sqlite3", "..%2f..%2fsandbox.sqlite3", "output//said.txt", ""]
)
def test_a_file_that_is_not_there_is_not_found(sandbox: Sandbox, visitor: httpx.Client, path: str) -> None:
    run_id = say(sandbox, "a")
    request = visitor.build_request("GET", f"/page/runs/{run_id}/files/x")
    request.url = request.url.copy_with(raw_path=f"/page/runs/{run_id}/files/{path}".encode())

    answer = visitor.send(request)
    assert answer.status_code in (400, 404)
    assert "<h1>" in answer.text


def test_what_workflows_and_clients_write_is_text_and_never_markup(sandbox: Sandbox, visitor: httpx.Client) -> None:
    @sandbox.workflow("hostile")
    def hostile(context: RunContext) -> dict[str, Any]:
        with context.step(HOSTILE) as step:
            step.output = {HOSTILE: HOSTILE}
        context.trace({"type": HOSTILE})
        context.write_artifact(f"{HOSTILE.replace('/', '')}.html", f"<html>{HOSTILE}")
        if context.input["fail"]:
            raise RunFailed(HOSTILE)
        return {"out": HOSTILE}

    runs = [
        run(sandbox, "workflows.hostile", input={"fail": fail, HOSTILE: HOSTILE}, metadata={"m": HOSTILE})
        for fail in (True, False)
    ]
    visitor.get(f"/api/v1/{HOSTILE}", params={HOSTILE: HOSTILE}, headers={"x-evil": HOSTILE})
    request_id = sandbox.requests[-1].request_id
    paths = ["/", "/page/requests", f"/page/requests/{request_id}", *(f"/page/runs/{run_id}" for run_id in runs)]
    paths += [f"/?text={HOSTILE}&target={HOSTILE}", f"/page/{HOSTILE}", f"/page/requests?text={HOSTILE}"]

    for path in paths:
        html = visitor.get(path).text
        assert html.count("<script") == 1, path
        assert "img" not in Page(html).tags, path
    (artifact,) = [link for link in Page(visitor.get(paths[3]).text).links if "/files/" in link]
    download = visitor.get(artifact)
    assert download.status_code == 200
    assert download.headers["content-disposition"].startswith("attachment")
    assert visitor.get(f"/page/runs/{runs[1]}/whole/output").headers["content-type"].startswith("text/plain")


def test_text_that_no_encoding_can_carry_is_shown_with_escapes(sandbox: Sandbox, visitor: httpx.Client) -> None:
    @sandbox.workflow("odd")
    def odd(context: RunContext) -> dict[str, Any]:
        return {"text": "\ud800 \x00 \u202e", "deep": json.loads("[" * 500 + "]" * 500)}

    run_id = run(sandbox, "workflows.odd")
    assert "\\ud800" in visitor.get(f"/page/runs/{run_id}").text
    assert visitor.get(f"/page/runs/{run_id}/whole/output").status_code == 200


def test_the_files_of_the_page_are_part_of_the_package() -> None:
    import eigenpal.sandbox.page

    folder = Path(eigenpal.sandbox.page.__path__[0])
    assert {path.name for path in folder.glob("*/*.*")} >= {
        "layout.html",
        "run.html",
        "page.css",
        "page.js",
        "icon.svg",
    }
