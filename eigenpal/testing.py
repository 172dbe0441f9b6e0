"""The pytest plugin: a sandbox and clients of it as fixtures. pytest finds it by itself wherever eigenpal is installed.

Loaded in every test run of a user, so it imports nothing that a run without these fixtures would not load anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from eigenpal import AsyncEigenpalClient, EigenpalClient
    from eigenpal.sandbox import Sandbox

__all__ = ["async_eigenpal_client", "eigenpal_client", "eigenpal_sandbox"]


@pytest.fixture
def eigenpal_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running sandbox of this test's own, empty but for `extract-invoice`; starting one takes some milliseconds.

    `EIGENPAL_BASE_URL` and `EIGENPAL_API_KEY` lead to it while the test runs, so that a client which the code under
    test makes for itself finds it too, and never the real service.

    Example:
        ```python
        def test_what_was_extracted_is_booked(eigenpal_sandbox):
            extract = eigenpal_sandbox.stub("extract-invoice", {"total": 12.5})
            assert book("invoice.pdf") == 12.5
            assert extract.calls[0].files["invoice"].name == "invoice.pdf"
        ```
    """
    from eigenpal.sandbox import Sandbox

    with Sandbox() as sandbox:
        monkeypatch.setenv("EIGENPAL_BASE_URL", sandbox.url)
        monkeypatch.setenv("EIGENPAL_API_KEY", sandbox.api_key)
        yield sandbox


@pytest.fixture
def eigenpal_client(eigenpal_sandbox: Sandbox) -> Iterator[EigenpalClient]:
    """A blocking client of `eigenpal_sandbox`."""
    from eigenpal import EigenpalClient

    # The sandbox is on this machine, whatever proxies the environment names.
    with EigenpalClient(eigenpal_sandbox.api_key, base_url=eigenpal_sandbox.url, trust_env=False) as client:
        yield client


@pytest.fixture
def async_eigenpal_client(eigenpal_sandbox: Sandbox) -> AsyncEigenpalClient:
    """An async client of `eigenpal_sandbox`, for tests on asyncio and trio, whatever plugin runs them.

    It keeps no connection between requests: a fixture can't know when the event loop of a test ends, and a connection
    must not outlive it. Closing the client is allowed and not needed.
    """
    from eigenpal import AsyncEigenpalClient

    return AsyncEigenpalClient(
        eigenpal_sandbox.api_key,
        base_url=eigenpal_sandbox.url,
        default_headers={"connection": "close"},
        trust_env=False,
    )
