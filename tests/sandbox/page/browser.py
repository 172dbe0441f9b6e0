"""A headless Chromium for tests of the page: found, started and watched here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Set in CI, where a test that is skipped for want of a browser would prove nothing.
REQUIRED = "EIGENPAL_TESTS_NEED_BROWSER"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser of this machine; tests are skipped where it, or Playwright, is missing."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing('Playwright is not installed: pip install "eigenpal[browser]"')
    if executable is None:
        _missing("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, url: str, **options: object) -> Iterator[BrowserContext]:
    """Open a context of the browser in which nothing may go wrong unseen, and nothing may be asked of any other server.

    Args:
        browser: The browser.
        url: Of the only server that may be asked.
        options: Those of a new context.
    """
    wrong: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    context = browser.new_context(base_url=url, **options)  # type: ignore[arg-type]  # options of the caller's choice
    context.set_default_timeout(10_000)
    context.on("console", lambda message: wrong.append(f"console: {message.text}"))
    context.on("weberror", lambda error: wrong.append(f"error: {error.error}"))
    context.on("dialog", dismiss)
    context.on("request", lambda request: None if request.url.startswith(url) else wrong.append(f"asked {request.url}"))
    yield context
    context.close()
    assert wrong == []


def _missing(reason: str) -> NoReturn:
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)
