"""What every file keeps to: one idea in 400 lines, an honest name, no asyncio, no secret, no path of a machine."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import PACKAGES, ROOT, imported_modules, parsed, python_files, tracked_files

MAX_LINES = 400
VAGUE_NAMES = {"base", "common", "core", "helper", "helpers", "misc", "shared", "stuff", "util", "utils"}

# Everything else is anyio. A prefix covers a folder; each has its reason.
MAY_IMPORT_ASYNCIO = {
    "eigenpal/engine/transport/aiohttp_transport.py": "aiohttp is made of asyncio and takes its loop",
    "eigenpal/engine/transport/connections.py": "asks whether the running loop is asyncio's before it takes aiohttp",
    "eigenpal/sandbox/": "a server on uvicorn, which runs on asyncio",
    "eigenpal_sync/_portal": "the portal owns an event loop and must stop it from outside",
}

# Brackets around a letter keep these patterns from matching themselves.
FORBIDDEN_TEXT = {
    "an absolute path of a machine": r"(?<![\w.\-/])/([w]ork/(main|shared)|[r]oot|[h]ome/\w+|[U]sers/\w+|[t]mp/\w+)/",
    "a private key": r"-----BEGIN ([A-Z]+ )?PRIVATE [K]EY-----",
    "a live API key": r"eig_live_[A-Za-z0-9]{16,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk-[A-Za-z0-9]{32,}",
}


def hand_written() -> list[Path]:
    """Return the files people edit; the generated twin is as long as the API."""
    return python_files("eigenpal") + [path for path in python_files("eigenpal_sync") if path.name.startswith("_")]


@pytest.mark.parametrize("path", hand_written(), ids=str)
def test_a_file_is_one_idea_in_at_most_400_lines(path: Path) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES


@pytest.mark.parametrize("path", python_files(*PACKAGES), ids=str)
def test_a_file_opens_with_what_lives_in_it(path: Path) -> None:
    assert ast.get_docstring(parsed(path))


def test_no_file_or_folder_has_a_vague_name() -> None:
    vague = [
        path
        for path in python_files(*PACKAGES, "tests")
        if VAGUE_NAMES & {part.strip("_") for part in path.with_suffix("").parts}
    ]
    assert vague == []


def test_the_sdk_is_anyio_and_not_asyncio() -> None:
    wrong = [
        str(path)
        for path in python_files(*PACKAGES)
        if any(module.split(".")[0] == "asyncio" for module in imported_modules(path))
        if not str(path.as_posix()).startswith(tuple(MAY_IMPORT_ASYNCIO))
    ]
    assert wrong == []


def test_every_exception_to_the_asyncio_rule_is_still_needed() -> None:
    using = [path.as_posix() for path in python_files(*PACKAGES) if "asyncio" in imported_modules(path)]
    unused = [prefix for prefix in MAY_IMPORT_ASYNCIO if not any(name.startswith(prefix) for name in using)]
    assert unused == []


@pytest.mark.parametrize("what", FORBIDDEN_TEXT)
def test_no_tracked_file_holds(what: str) -> None:
    files = tracked_files()
    if not files:
        pytest.skip("not a checkout")
    found = []
    for path in files:
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a binary fixture
            continue
        found += [f"{path}: {match[0]}" for match in re.finditer(FORBIDDEN_TEXT[what], text)]
    assert found == []
