"""The plugin's fixtures: a sandbox of the test's own, the environment that leads to it, and clients on any loop."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from importlib import import_module

import anyio
import pytest

from eigenpal import AsyncEigenpalClient, EigenpalClient
from eigenpal.sandbox import Sandbox
from tests.docs.pages import ROOT


def test_a_stub_takes_two_lines_and_remembers_its_runs(
    eigenpal_client: EigenpalClient, eigenpal_sandbox: Sandbox
) -> None:
    greet = eigenpal_sandbox.stub("greet", {"greeting": "hello"}, artifacts={"greeting.txt": "hello"})
    run = eigenpal_client.run_and_wait("workflows.greet", {"name": "Ada"}, metadata={"ticket": 7})

    assert run.output == {"greeting": "hello"}
    assert [file.path for file in run.files] == ["output/greeting.txt"]
    assert [(call.run_id, call.input, call.metadata) for call in greet.calls] == [
        (run.id, {"name": "Ada"}, {"ticket": 7})
    ]


def test_a_stub_can_fail_and_can_be_an_agent_or_a_version(
    eigenpal_client: EigenpalClient, eigenpal_sandbox: Sandbox
) -> None:
    eigenpal_sandbox.stub("agents.triage", error="No idea.")
    eigenpal_sandbox.stub("workflows.extract-invoice", {"total": 1}, version="2.0.0")

    failed = eigenpal_client.run_and_wait("agents.triage")
    assert (failed.status, failed.error) == ("failed", "No idea.")
    assert eigenpal_client.run_and_wait("workflows.extract-invoice@2.0.0").output == {"total": 1}


@pytest.fixture
def environment_before() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in ("EIGENPAL_BASE_URL", "EIGENPAL_API_KEY")}


@pytest.fixture
def environment_is_restored(environment_before: dict[str, str | None]) -> Iterator[None]:
    yield
    assert {name: os.environ.get(name) for name in environment_before} == environment_before


def test_a_client_that_the_code_makes_for_itself_finds_the_sandbox(
    environment_is_restored: None, eigenpal_sandbox: Sandbox
) -> None:
    with EigenpalClient() as client:
        assert client.workflows.get("extract-invoice").id.startswith("wf_")
    assert len(eigenpal_sandbox.requests) == 1


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_gets_a_sandbox_of_its_own(turn: int, eigenpal_client: EigenpalClient) -> None:
    assert [row.name for row in eigenpal_client.workflows.list().items] == ["extract-invoice"]
    assert eigenpal_client.runs.list().items == []
    eigenpal_client.run("workflows.extract-invoice")


@pytest.mark.anyio
async def test_the_async_client_works_on_asyncio_and_trio(
    async_eigenpal_client: AsyncEigenpalClient, eigenpal_sandbox: Sandbox
) -> None:
    eigenpal_sandbox.stub("greet", {"greeting": "hello"})
    outputs: list[object] = []

    async def greet() -> None:
        outputs.append((await async_eigenpal_client.run_and_wait("workflows.greet")).output)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(greet)
    assert outputs == [{"greeting": "hello"}] * 5


@pytest.mark.anyio
async def test_the_async_client_may_be_closed_by_the_test(async_eigenpal_client: AsyncEigenpalClient) -> None:
    async with async_eigenpal_client as client:
        await client.workflows.list()


def test_the_async_client_serves_one_loop_after_the_other(async_eigenpal_client: AsyncEigenpalClient) -> None:
    async def slugs() -> list[str | None]:
        return [row.name for row in (await async_eigenpal_client.workflows.list()).items]

    assert [anyio.run(slugs, backend=name) for name in ("asyncio", "trio", "asyncio")] == [["extract-invoice"]] * 3


def test_the_names_that_installing_registers_lead_to_the_plugin_and_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert import_module(project["entry-points"]["pytest11"]["eigenpal"]).eigenpal_sandbox
    module, _, function = project["scripts"]["eigenpal"].partition(":")
    assert callable(getattr(import_module(module), function))
