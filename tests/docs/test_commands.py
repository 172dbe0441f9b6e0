"""The commands that users read exist: nox sessions, extras, and the two that README.md promises to a newcomer."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, pages

SHELL = {"sh", "bash", "shell", "console"}
PROMISED = [
    "python3 -m pip install nox && python3 -m nox -s demo",
    "python3 -m pip install nox && python3 -m nox -s tests",
]


def commands(page: Path) -> list[str]:
    """Return the command lines of a page's shell blocks, prompts and comments taken off."""
    lines = [line for block in blocks(page) if block.language in SHELL for line in block.text.splitlines()]
    return [re.sub(r"\s+#.*", "", line.removeprefix("$ ")).strip() for line in lines]


@pytest.fixture(scope="module")
def sessions() -> set[str]:
    """The names of the nox sessions."""
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    return set(re.findall(r"^@nox\.session.*\ndef (\w+)", noxfile, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def extras() -> set[str]:
    """The names of the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


@pytest.mark.parametrize("command", PROMISED)
def test_the_readme_gives_the_command_that_works_on_a_fresh_machine(command: str) -> None:
    assert any(line.startswith(command) for line in commands(Path("README.md")))


def test_ci_runs_the_command_of_the_readme() -> None:
    assert PROMISED[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_nox_session_on_a_page_exists(page: Path, sessions: set[str]) -> None:
    named = re.findall(r"nox -s ([\w-]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert sessions
    assert set(named) <= sessions


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_extra_on_a_page_exists(page: Path, extras: set[str]) -> None:
    named = re.findall(r"(?:eigenpal|\.)\[([\w, -]+)\]", (ROOT / page).read_text(encoding="utf-8"))
    assert {extra.strip() for group in named for extra in group.split(",")} <= extras


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_relative_link_on_a_page_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)\s#]+)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [target for target in targets if not (ROOT / page.parent / target).exists()]
    assert missing == []
