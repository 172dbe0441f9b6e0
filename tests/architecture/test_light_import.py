"""`import eigenpal` is cheap: it loads no dependency; each of them is loaded by the first thing that needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.source_tree import ROOT

EXTRAS = {"aiohttp", "httpx2", "opentelemetry", "rich", "sqlite3", "starlette", "trio", "typer", "uvicorn"}
# The standard library's ssl and asyncio cost as much time as a dependency.
HEAVY = EXTRAS | {"anyio", "asyncio", "attr", "attrs", "cattrs", "httpx", "ssl", "tenacity"}


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter loads for the statement."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return {name.split(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize("package", ["eigenpal", "eigenpal_sync"])
def test_importing_a_package_loads_no_dependency(package: str) -> None:
    loaded = loaded_by(f"import {package}")
    assert package in loaded
    assert loaded & HEAVY == set()


def test_the_version_and_the_errors_need_nothing_loaded() -> None:
    statement = "from eigenpal import EigenpalError, EigenpalTimeoutError, __version__; assert __version__"
    assert loaded_by(statement) & HEAVY == set()


def test_the_client_loads_no_extra() -> None:
    assert loaded_by("from eigenpal import AsyncEigenpalClient") & EXTRAS == set()


def test_the_sandbox_loads_late_what_few_need() -> None:
    assert loaded_by("import eigenpal.sandbox") & {"cryptography", "httpx", "jinja2", "pypdf", "reportlab"} == set()
