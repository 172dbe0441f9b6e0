"""The plugin in pytest runs of users: the example project, pytest-asyncio, and runs that have no use for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT

PROJECT = ROOT / "examples" / "user_project"
PLUGINS = ["anyio.pytest_plugin", "pytest_asyncio.plugin", "eigenpal.testing"]


def pytest_run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder as its user would, with warnings as errors."""
    plugins = [option for name in PLUGINS for option in ("-p", name)]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # No other plugins: some that contributors install take seconds to load.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    asyncio = ["-o", "asyncio_default_fixture_loop_scope=function"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-q", "-p", "no:cacheprovider", *plugins, *asyncio, *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tests_of_the_example_project_pass_and_so_do_others_under_pytest_asyncio(tmp_path: Path) -> None:
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
    # In one process: most of the time goes into starting it.
    done = pytest_run(PROJECT, "tests", str(tmp_path), "-rA")

    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"^PASSED \S*(test_\w+)\.py::", done.stdout, re.MULTILINE)
    assert (passed.count("test_desk"), passed.count("test_inbox"), passed.count("test_greeting")) == (9, 4, 2)


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

    done = pytest_run(tmp_path)
    assert "1 passed, 1 error" in done.stdout
    assert 'install it with: pip install "eigenpal[sandbox]"' in done.stdout
