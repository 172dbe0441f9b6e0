"""The document that the examples send: a small, real PDF invoice, made anew for each test."""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

LINES = [
    "Invoice",
    "Invoice number: INV-2024-0042",
    "Invoice date: 2024-03-15",
    "Due date: 2024-04-14",
    "From: Northwind Traders GmbH",
    "Bill to: Contoso Ltd",
    "Description            Quantity   Unit price   Amount",
    "Consulting                   10       120.00   1200.00",
    "Support, March                1       300.00    300.00",
    "Subtotal: EUR 1500.00",
    "VAT 20 %: EUR 300.00",
    "Total: EUR 1800.00",
]


def write_invoice(path: Path) -> None:
    """Write the invoice as a one-page PDF."""
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    canvas.setFont("Courier", 10)
    for row, line in enumerate(LINES):
        canvas.drawString(60, 780 - 18 * row, line)
    canvas.save()
