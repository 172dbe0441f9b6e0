"""The workflow extract-invoice over HTTP: real PDFs and text files in, facts and a CSV out."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from pypdf import PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from tests.sandbox.invoices.layouts import LAYOUTS

EXAMPLES = Path(__file__).parents[3] / "examples" / "invoices"

ACME = {
    "number": "ACME-2026-0042",
    "issue_date": "2026-03-14",
    "due_date": "2026-04-13",
    "seller": "Acme Corporation",
    "buyer": "Roadrunner Logistics LLC",
    "currency": "USD",
    "line_items": [
        {"description": "Anvil, drop-forged, 50 kg", "quantity": 6, "unit_price": 412.5, "amount": 2475},
        {"description": "Rocket skates, pair, with spare fuses", "quantity": 4, "unit_price": 1289, "amount": 5156},
        {"description": "Spring-loaded boots, size 11", "quantity": 10, "unit_price": 74.95, "amount": 749.5},
        {"description": "Giant rubber band, 12 m", "quantity": 25, "unit_price": 18.4, "amount": 460},
        {"description": "On-site safety training (hours)", "quantity": 7.5, "unit_price": 140, "amount": 1050},
    ],
    "subtotal": 9890.5,
    "tax": 840.69,
    "total": 10731.19,
}
GLOBEX = {
    "number": "RE-2026-0117",
    "issue_date": "2026-03-17",
    "due_date": "2026-04-16",
    "seller": "GLOBEX MASCHINENBAU GMBH",
    "buyer": "Nordlicht Energie AG",
    "currency": "EUR",
    "line_items": [
        {"description": "Hydraulikpumpe HP-400", "quantity": 3, "unit_price": 1249, "amount": 3747},
        {
            "description": "Dichtungssatz Viton, temperaturbeständig bis 200 °C",
            "quantity": 12,
            "unit_price": 18.75,
            "amount": 225,
        },
        {"description": "Montage vor Ort (Std.)", "quantity": 14.5, "unit_price": 96, "amount": 1392},
        {"description": "Anfahrt pauschal", "quantity": 1, "unit_price": 180, "amount": 180},
    ],
    "subtotal": 5544,
    "tax": 1053.36,
    "total": 6597.36,
}


def extract(
    client: httpx.Client, content: bytes, name: str = "a.pdf", part: str = "invoice", **form: str
) -> dict[str, Any]:
    """Run the workflow on a document and return the finished run with its steps."""
    files = {f"files.{part}": (name, content)}
    form = {"target": "workflows.extract-invoice", **form}
    run = client.post("/runs?wait_for_completion=20", data=form, files=files).json()
    assert run["finished"]
    full: dict[str, Any] = client.get(f"/runs/{run['id']}?expand=execution").json()
    return full


def drawn(text: str, *, font_size: float = 7) -> bytes:
    """Return a PDF that shows a text word group by word group, as a typesetter places it."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4)
    canvas.setFont("Courier", font_size)
    width = canvas.stringWidth(" ", "Courier", font_size)
    for number, line in enumerate(text.expandtabs(8).splitlines()):
        column = 0
        for group in line.split("  "):
            if group.strip():
                left = column + len(group) - len(group.lstrip())
                canvas.drawString(30 + left * width, 800 - number * font_size * 1.6, group.strip())
            column += len(group) + 2
    canvas.save()
    return target.getvalue()


@pytest.mark.parametrize(("name", "facts"), [("acme-2026-0042.pdf", ACME), ("globex-2026-0117.txt", GLOBEX)])
def test_the_examples_are_read_and_exported(client: httpx.Client, name: str, facts: dict[str, Any]) -> None:
    run = extract(client, (EXAMPLES / name).read_bytes(), name)

    assert run["output"] == facts
    assert [(step["stepName"], step["status"]) for step in run["execution"]["steps"]] == [
        ("read", "success"),
        ("extract", "success"),
        ("export", "success"),
    ]
    (artifact,) = run["files"]
    assert (artifact["path"], artifact["stepName"]) == ("output/line_items.csv", "export")
    table = client.get(f"/runs/{run['id']}/artifacts/output/line_items.csv")
    rows = list(csv.DictReader(io.StringIO(table.content.decode())))
    assert [row["description"] for row in rows] == [item["description"] for item in facts["line_items"]]
    assert sum(float(row["amount"]) for row in rows) == facts["subtotal"]


@pytest.mark.parametrize(
    "name",
    [
        "british, labels and values on one line",
        "american, values below their labels, month first",
        "german, points group thousands",
        "french, spaces group thousands",
        "swiss, apostrophes group thousands",
        "quantity first",
        "amounts without quantities, two taxes, a discount",
    ],
)
def test_pdfs_of_other_layouts_are_read_as_their_text_is(client: httpx.Client, name: str) -> None:
    layout = LAYOUTS[name]

    assert extract(client, drawn(layout.text))["output"] == layout.facts()


def test_items_go_on_over_pages(client: httpx.Client) -> None:
    pages = PdfWriter()
    head = "Seller: A Ltd\nInvoice no: 1\nDescription        Qty    Price    Amount\n"
    for text in (
        head + "First thing        2    10.00    20.00",
        "Second thing       3     5.00    15.00\nTotal    35.00",
    ):
        pages.append(io.BytesIO(drawn(text)))
    joined = io.BytesIO()
    pages.write(joined)

    output = extract(client, joined.getvalue())["output"]

    assert [(item["description"], item["amount"]) for item in output["line_items"]] == [
        ("First thing", 20),
        ("Second thing", 15),
    ]
    assert output["total"] == 35


@pytest.mark.parametrize("part", ["invoice", "contract", "anything"])
def test_the_document_may_be_sent_under_any_name(client: httpx.Client, part: str) -> None:
    assert extract(client, b"Invoice no. 5\nTotal 5.00", "a.txt", part)["output"]["number"] == "5"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_files_may_have_any_usual_encoding(client: httpx.Client, encoding: str) -> None:
    text = "Café Müller\nRechnung Nr. 7\nGesamtbetrag 12,50 €"

    assert extract(client, text.encode(encoding), "a.txt")["output"]["seller"] == "Café Müller"


def blank_pdf(password: str | None = None) -> bytes:
    writer, target = PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "Step read failed: a.pdf has no text; a scan needs character recognition first."),
        (blank_pdf(), "Step read failed: a.pdf has no text; a scan needs character recognition first."),
        (blank_pdf("secret"), "Step read failed: a.pdf is protected with a password."),
        (b"%PDF-1.7 then nonsense", "Step read failed: a.pdf can't be read as a PDF: "),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "Step read failed: a.pdf is neither a PDF nor a text file."),
        (b"Dear aunt, thank you for the cake.", "Step extract failed: The document is not an invoice: "),
        (b"Invoice no. 5, to follow.", "Step extract failed: The document is not an invoice: it has no total."),
    ],
)
def test_a_document_that_is_no_invoice_fails_the_run_and_says_why(
    client: httpx.Client, content: bytes, error: str
) -> None:
    run = extract(client, content)

    assert run["execution"]["status"] == "failed"
    assert run["error"].startswith(error)


def test_a_run_without_a_document_says_what_to_send(client: httpx.Client) -> None:
    run = client.post("/runs?wait_for_completion=5", json={"target": "workflows.extract-invoice"}).json()

    assert run["error"] == "Step read failed: No file was given: send the invoice as the input 'invoice'."


def test_each_step_can_be_overridden(client: httpx.Client) -> None:
    text = '{"steps": {"read": {"text": "Invoice no. 9\\nTotal 1.00"}}}'
    facts = '{"steps": {"extract": {"number": "given"}, "export": {}}}'

    assert extract(client, b"unread", overrides=text)["output"]["number"] == "9"
    run = extract(client, b"unread", overrides=facts)
    assert (run["output"], run["files"]) == ({"number": "given"}, [])
