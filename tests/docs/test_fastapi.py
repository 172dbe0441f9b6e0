"""The FastAPI application of the README serves requests: an upload goes in, the extracted invoice comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.docs.invoice import write_invoice
from tests.docs.pages import blocks


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The application of the README, on a sandbox."""
    from eigenpal.sandbox import Sandbox

    (source,) = [block.text for block in blocks(Path("README.md")) if "FastAPI(" in block.text]
    with Sandbox() as sandbox:
        monkeypatch.setenv("EIGENPAL_BASE_URL", sandbox.url)
        monkeypatch.setenv("EIGENPAL_API_KEY", sandbox.api_key)
        namespace: dict[str, Any] = {"__name__": "service"}
        exec(source, namespace)
        with TestClient(namespace["app"]) as client:
            yield client


def test_an_uploaded_invoice_comes_back_extracted(service: TestClient, tmp_path: Path) -> None:
    write_invoice(tmp_path / "invoice.pdf")
    with (tmp_path / "invoice.pdf").open("rb") as document:
        answer = service.post("/invoices", files={"document": ("invoice.pdf", document, "application/pdf")})
    assert answer.status_code == 200
    assert answer.json()["total"] == 1800.0


def test_a_document_that_is_no_invoice_is_refused(service: TestClient) -> None:
    answer = service.post("/invoices", files={"document": ("note.txt", b"just a note", "text/plain")})
    assert answer.status_code == 422
