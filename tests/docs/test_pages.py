"""Every Python block that users read runs: the blocks of a page one after the other, in one namespace, on a sandbox.

A page's blocks see EIGENPAL_API_KEY and EIGENPAL_BASE_URL of a running sandbox, an `invoice.pdf` in the current folder,
and each other. `await` at the top of a block is fine: such a block runs in an event loop of its own.
"""

from __future__ import annotations

import ast
import inspect
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from eigenpal.waiting import polling
from tests.docs.invoice import write_invoice
from tests.docs.pages import ROOT, Block, blocks, pages

PYTHON = {"python", "py", "python3", "pycon"}
PAGES = [page for page in pages() if any(block.language in PYTHON for block in blocks(page))]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder with an invoice in it, and a sandbox in the environment."""
    from eigenpal.sandbox import Sandbox

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(polling, "UNSEEN_GRACE_SECONDS", 0.1)  # a page waits for a run that never was
    log = logging.getLogger("eigenpal")
    level = log.level  # a page shows how to set it
    write_invoice(tmp_path / "invoice.pdf")
    with Sandbox() as sandbox:
        monkeypatch.setenv("EIGENPAL_BASE_URL", sandbox.url)
        monkeypatch.setenv("EIGENPAL_API_KEY", sandbox.api_key)
        yield tmp_path
    log.setLevel(level)


def run_block(page: Path, block: Block, namespace: dict[str, Any]) -> None:
    """Run one block; its lines are those of the page, so a traceback points into the page."""
    source = "\n" * (block.first_line - 1) + block.text
    code = compile(source, str(ROOT / page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:

        async def awaited() -> None:
            await eval(code, namespace)

        anyio.run(awaited)
    else:
        exec(code, namespace)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_python_on_a_page_runs(page: Path, desk: Path) -> None:
    assert desk.is_dir()
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language not in PYTHON:
            continue
        assert block.language == "python", f"{page}:{block.first_line}: write ```python, so that the block is run"
        run_block(page, block, namespace)


def test_the_readme_is_among_the_pages_that_run() -> None:
    assert Path("README.md") in PAGES
