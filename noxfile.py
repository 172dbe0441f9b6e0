"""Every task of this repository, for people and for CI: `nox -l` lists them.

Needs Python 3.11 and pip, nothing else; each session makes its own environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")["project"]
SUPPORTED = ["3.11", "3.12", "3.13"]

# Tests often wait, for a server or a clock: twice as many workers as cores keep the cores busy.
WORKERS = f"--numprocesses={2 * (os.cpu_count() or 1)}"

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "types", "generate", "tests", "docs"]
nox.options.error_on_missing_interpreters = False  # those that are missing are skipped, in CI too
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "virtualenv"


def _test_interpreters() -> list[str]:
    """Return the versions to test on; the one nox runs on is always there, so at least one is never skipped."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info[:2] < (3, 11):
        sys.exit(f"eigenpal needs Python 3.11 or newer, and nox runs on {running}: install nox with a newer Python.")
    return SUPPORTED if running in SUPPORTED else [*SUPPORTED, running]


def _show_pyenv_versions() -> None:
    """Let nox find what pyenv has installed: its shims only lead to versions that are switched on."""
    pyenv = shutil.which("pyenv")
    if pyenv is None or "PYENV_VERSION" in os.environ:
        return

    def ask(*args: str) -> str:
        return subprocess.run([pyenv, *args], capture_output=True, text=True, check=True).stdout

    installed = ask("versions", "--bare", "--skip-aliases").split()
    wanted = [name for name in installed if name.rpartition(".")[0] in SUPPORTED]
    os.environ["PYENV_ROOT"] = ask("root").strip()
    os.environ["PYENV_VERSION"] = ":".join(wanted) or "system"


_show_pyenv_versions()
# Where it is set, every program that a test starts would compile the package, and every worker the tests, once more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@nox.session(python=_test_interpreters())
def tests(session: nox.Session) -> None:
    """Run the whole suite on one interpreter; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *(session.posargs or [WORKERS]))


@nox.session(python=SUPPORTED[0])
def floors(session: nox.Session) -> None:
    """Run what stands on the core dependencies with the oldest of them that pyproject.toml allows."""
    oldest = [requirement.replace(">=", "==") for requirement in PROJECT["dependencies"]]
    session.install("-e", ".[test]", *oldest)
    # What stands closest to them: the other folders test what is built of these, rules, pages and servers.
    folders = [f"tests/{folder}" for folder in ("client", "engine", "models")]
    session.run("python", "-m", "pytest", *(session.posargs or [WORKERS, *folders]))


@nox.session(python=SUPPORTED[0])
def sandbox(session: nox.Session) -> None:
    """Hold the sandbox against the API descriptions, and look at its page in a browser; arguments go to pytest."""
    session.install("-e", ".[test,contract,browser]")
    folders = ["tests/contract", "tests/sandbox/page"]
    session.run("python", "-m", "pytest", *(session.posargs or [WORKERS, *folders]))


@nox.session
def demo(session: nox.Session) -> None:
    """Process a document on a local sandbox and show the result; give a PDF of yours, or `--services`."""
    session.install(".[sandbox,cli]")
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `-- --fix` repairs what can be repaired."""
    session.install(_requirement("ruff"))
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright, and that every public name has its types."""
    session.install("-e", ".[dev]")
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "eigenpal")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "eigenpal_sync")


@nox.session
def generate(session: nox.Session) -> None:
    """Write the blocking twin from the async classes; `-- --check` only compares."""
    session.install("-e", ".", _requirement("ruff"))
    session.run("python", "-m", "eigenpal_sync._generate", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure what the docs promise: all benchmarks, or those that the arguments name."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages into site/; any warning fails, and so does a test of the project that they show."""
    session.install("-e", ".[docs,sandbox]", "pytest", "trio")
    session.run("mkdocs", "build", "--strict", "--quiet", *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})
    shown = "examples/user_project"
    session.run("python", "-m", "pytest", "--quiet", "-c", f"{shown}/pyproject.toml", shown)


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheel and the source archive, and import the wheel where only its own dependencies are."""
    out = Path(session.create_tmp()) / "dist"
    shutil.rmtree(out, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(out), silent=True)
    (wheel,) = out.glob("*.whl")
    session.install("--force-reinstall", "--no-deps", str(wheel))
    session.install(str(wheel))
    session.chdir(session.create_tmp())  # the checkout must not answer for the wheel
    session.run("python", "-I", "-c", "import eigenpal, eigenpal_sync; print('imports', eigenpal.__version__)")


def _requirement(name: str) -> str:
    """Return the line of pyproject.toml that asks for a development tool."""
    lines: list[str] = PROJECT["optional-dependencies"]["dev"]
    return next(line for line in lines if line.startswith(name))
