"""The plugin in pytest runs of users: the example project, pytest-asyncio, and runs that have no use for it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tests.docs.pages import ROOT

PROJECT = ROOT / "examples" / "user_project"
INSTALLED = bool(entry_points(group="pytest11", name="eigenpal"))
SILENT = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
NO_ASYNCIO = ["-p", "no:asyncio"]


def pytest_run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder as its user would, with warnings as errors."""
    plugin = [] if INSTALLED else ["-p", "eigenpal.testing"]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", *SILENT, *plugin, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tests_of_the_example_project_pass() -> None:
    done = pytest_run(PROJECT, *NO_ASYNCIO)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "13 passed" in done.stdout


def test_the_async_client_works_under_pytest_asyncio(tmp_path: Path) -> None:
    (tmp_path / "test_greeting.py").write_text("""
import asyncio
import pytest

@pytest.mark.asyncio
@pytest.mark.parametrize("closes", [False, True])
async def test_greeting(async_eigenpal_client, eigenpal_sandbox, closes):
    eigenpal_sandbox.stub("greet", {"greeting": "hello"})
    runs = await asyncio.gather(*(async_eigenpal_client.run_and_wait("workflows.greet") for _ in range(5)))
    assert [run.output for run in runs] == [{"greeting": "hello"}] * 5
    if closes:
        await async_eigenpal_client.aclose()
""")
    done = pytest_run(tmp_path, "-o", "asyncio_default_fixture_loop_scope=function")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_run_without_the_fixtures_loads_next_to_nothing() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import eigenpal.testing; "
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('importlib')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["eigenpal", "eigenpal._version", "eigenpal.testing"]


def test_without_the_sandbox_extra_only_a_test_that_asks_for_it_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['uvicorn'] = None\n")
    (tmp_path / "test_two.py").write_text("def test_other(): ...\ndef test_ours(eigenpal_client): ...\n")

    done = pytest_run(tmp_path, *NO_ASYNCIO)
    assert "1 passed, 1 error" in done.stdout
    assert 'install it with: pip install "eigenpal[sandbox]"' in done.stdout
