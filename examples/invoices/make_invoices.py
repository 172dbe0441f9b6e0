"""Makes acme-2026-0042.pdf, the PDF invoice of the examples. Needs reportlab; run it from anywhere.

The text invoice beside it is written by hand.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

INK = colors.HexColor("#1d2733")
QUIET = colors.HexColor("#6b7785")
ACCENT = colors.HexColor("#b3541e")
RULE = colors.HexColor("#d8dde3")

ITEMS = [
    ("Anvil, drop-forged, 50 kg", Decimal(6), Decimal("412.50")),
    ("Rocket skates, pair, with spare fuses", Decimal(4), Decimal("1289.00")),
    ("Spring-loaded boots, size 11", Decimal(10), Decimal("74.95")),
    ("Giant rubber band, 12 m", Decimal(25), Decimal("18.40")),
    ("On-site safety training (hours)", Decimal("7.5"), Decimal("140.00")),
]
TAX_RATE = Decimal("0.085")
CENT = Decimal("0.01")


def money(value: Decimal) -> str:
    """Return an amount as this invoice writes it."""
    return f"${value.quantize(CENT):,.2f}"


def style(name: str, size: float, **more: Any) -> ParagraphStyle:
    """Return a paragraph style."""
    return ParagraphStyle(name, fontName="Helvetica", fontSize=size, leading=size * 1.4, textColor=INK, **more)


def build(target: Path) -> None:
    """Write the invoice.

    Args:
        target: The PDF to write.
    """
    body, small = style("body", 9.5), style("small", 8.5)
    small.textColor = QUIET
    note_style = ParagraphStyle(
        "note", parent=small, leftIndent=-6
    )  # the tables are as wide as the frame's padding allows
    right = style("right", 9.5, alignment=TA_RIGHT)
    head = style("head", 8)
    head.textColor, head.fontName = colors.white, "Helvetica-Bold"
    head_right = ParagraphStyle("head right", parent=head, alignment=TA_RIGHT)
    logo, title = style("logo", 20), style("title", 22, alignment=TA_RIGHT)
    logo.textColor, logo.fontName, title.fontName = ACCENT, "Helvetica-Bold", "Helvetica-Bold"

    letterhead = Table(
        [
            [Paragraph("Acme Corporation", logo), Paragraph("INVOICE", title)],
            [Paragraph("1 Mesa Road, Flagstaff, AZ 86001, United States", small), ""],
        ],
        colWidths=[120 * mm, 60 * mm],
        style=[("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 0)],
    )
    facts = Table(
        [
            [
                Paragraph("Bill to", small),
                Paragraph("Invoice number", small),
                Paragraph("Invoice date", small),
                Paragraph("Due date", small),
            ],
            [
                Paragraph("<b>Roadrunner Logistics LLC</b>", body),
                Paragraph("ACME-2026-0042", body),
                Paragraph("March 14, 2026", body),
                Paragraph("April 13, 2026", body),
            ],
            [Paragraph("77 Canyon Drive<br/>Moab, UT 84532", body), "", "", ""],
        ],
        colWidths=[75 * mm, 40 * mm, 35 * mm, 30 * mm],
        style=[
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
        ],
    )
    rows = [
        [Paragraph("Description", head)] + [Paragraph(text, head_right) for text in ("Qty", "Unit price", "Amount")]
    ]
    subtotal = Decimal(0)
    for description, quantity, price in ITEMS:
        amount = (quantity * price).quantize(CENT)
        subtotal += amount
        cells = (f"{quantity.normalize():f}", money(price), money(amount))
        rows.append([Paragraph(description, body), *(Paragraph(cell, right) for cell in cells)])
    table = Table(rows, colWidths=[96 * mm, 18 * mm, 32 * mm, 34 * mm], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), ACCENT),
                ("LINEBELOW", (0, 1), (-1, -1), 0.5, RULE),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("TOPPADDING", (0, 0), (-1, -1), 5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ]
        )
    )
    tax = (subtotal * TAX_RATE).quantize(CENT)
    total = style("total", 11, alignment=TA_RIGHT)
    total.fontName = "Helvetica-Bold"
    sums = Table(
        [
            ["", Paragraph("Subtotal", right), Paragraph(money(subtotal), right)],
            ["", Paragraph("Sales tax (8.5%)", right), Paragraph(money(tax), right)],
            ["", Paragraph("Total due", total), Paragraph(f"{money(subtotal + tax)}", total)],
        ],
        colWidths=[96 * mm, 50 * mm, 34 * mm],
        style=[("LINEABOVE", (1, 2), (-1, 2), 1, INK), ("TOPPADDING", (0, 2), (-1, 2), 6)],
    )
    note = (
        "All amounts in USD. Please pay within 30 days to Canyon State Bank, account 004 417 220, "
        "quoting the invoice number."
    )
    document = SimpleDocTemplate(
        str(target), pagesize=LETTER, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=18 * mm, bottomMargin=18 * mm,
        title="Invoice ACME-2026-0042", author="Acme Corporation", invariant=1,
    )  # fmt: skip
    document.build(
        [
            letterhead,
            Spacer(1, 6 * mm),
            Table([[""]], colWidths=[180 * mm], rowHeights=[1], style=[("LINEABOVE", (0, 0), (-1, 0), 1, ACCENT)]),
            Spacer(1, 6 * mm),
            facts,
            Spacer(1, 9 * mm),
            table,
            Spacer(1, 4 * mm),
            sums,
            Spacer(1, 14 * mm),
            Paragraph(note, note_style),
        ]
    )


if __name__ == "__main__":
    build(Path(__file__).with_name("acme-2026-0042.pdf"))
