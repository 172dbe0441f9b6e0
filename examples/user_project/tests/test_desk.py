"""The desk against a sandbox: what it books, what it leaves, and what it does when the service has a bad day."""

from __future__ import annotations

from pathlib import Path

import pytest

from eigenpal import EigenpalClient, EigenpalServerError
from eigenpal.sandbox import RunContext, Sandbox
from invoice_desk.desk import Desk


@pytest.fixture
def desk(eigenpal_client: EigenpalClient) -> Desk:
    return Desk(eigenpal_client)


@pytest.fixture
def invoice(tmp_path: Path) -> Path:
    document = tmp_path / "acme.txt"
    document.write_text("Acme Ltd\nInvoice no. 42\nTotal 12.50 EUR\n")
    return document


def test_an_invoice_is_booked(desk: Desk, invoice: Path) -> None:
    desk.process(invoice)  # by the workflow that every sandbox has
    assert desk.booked == {"acme.txt": 12.5}


def test_the_workflow_gets_the_document(desk: Desk, invoice: Path, eigenpal_sandbox: Sandbox) -> None:
    extract = eigenpal_sandbox.stub("extract-invoice", {"total": 99.0})

    desk.process(invoice)

    assert desk.booked == {"acme.txt": 99.0}
    (call,) = extract.calls
    document = call.files["invoice"]
    assert not isinstance(document, list)
    assert (document.name, document.read_text()) == ("acme.txt", invoice.read_text())


@pytest.mark.parametrize(
    ("output", "reason"),
    [({"total": None}, "has no total"), ({"total": 10_001.0}, "is above 10000")],
)
def test_what_is_not_sure_goes_to_a_human(
    desk: Desk, invoice: Path, eigenpal_sandbox: Sandbox, output: dict[str, float], reason: str
) -> None:
    eigenpal_sandbox.stub("extract-invoice", output)
    desk.process(invoice)
    assert (desk.booked, desk.pile) == ({}, {"acme.txt": reason})


def test_an_invoice_that_can_not_be_read_goes_to_a_human(desk: Desk, invoice: Path, eigenpal_sandbox: Sandbox) -> None:
    eigenpal_sandbox.stub("extract-invoice", error="The scan is blank.")
    desk.process(invoice)
    assert desk.pile == {"acme.txt": "could not be read: The scan is blank."}


def test_a_workflow_of_ones_own_decides_from_what_it_gets(desk: Desk, invoice: Path, eigenpal_sandbox: Sandbox) -> None:
    @eigenpal_sandbox.workflow("extract-invoice")
    def extract(context: RunContext) -> dict[str, float]:
        document = context.files["invoice"]
        assert not isinstance(document, list)
        return {"total": float(document.size)}

    desk.process(invoice)
    assert desk.booked == {"acme.txt": invoice.stat().st_size}


def test_an_overloaded_service_is_asked_again(desk: Desk, invoice: Path, eigenpal_sandbox: Sandbox) -> None:
    fault = eigenpal_sandbox.faults.add("/api/v1/runs/*", status=503, times=2, retry_after=0.01)

    desk.process(invoice)

    assert (desk.booked, fault.fired) == ({"acme.txt": 12.5}, 2)


def test_a_start_that_was_not_answered_is_not_sent_twice(desk: Desk, invoice: Path, eigenpal_sandbox: Sandbox) -> None:
    extract = eigenpal_sandbox.stub("extract-invoice", {"total": 12.5})
    eigenpal_sandbox.faults.add("/api/v1/runs", method="POST", drop="after_handling")

    desk.process(invoice)

    assert desk.pile == {"acme.txt": "may have been started already"}
    starts = [request for request in eigenpal_sandbox.requests if request.method == "POST"]
    assert (len(starts), starts[0].path) == (1, "/api/v1/runs")
    assert len(extract.calls) <= 1


def test_a_broken_service_is_an_error_and_nothing_is_booked(
    desk: Desk, invoice: Path, eigenpal_sandbox: Sandbox
) -> None:
    eigenpal_sandbox.faults.add(status=500, times=None)
    with pytest.raises(EigenpalServerError):
        desk.process(invoice)
    assert (desk.booked, desk.pile) == ({}, {})
