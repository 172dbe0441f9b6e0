"""The invoice parser on many layouts, on generated invoices, and on what is no invoice."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigenpal.sandbox.invoices.parser import NotAnInvoice, parse_invoice
from tests.sandbox.invoices.layouts import LAYOUTS

CENT = Decimal("0.01")


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_invoice_is_read_whatever_its_layout(name: str) -> None:
    layout = LAYOUTS[name]

    assert parse_invoice(layout.text).to_json() == layout.facts()


NUMBER_FORMATS = {
    "1,234.56": lambda text: text,
    "1.234,56": lambda text: text.translate(str.maketrans(",.", ".,")),
    "1'234.56": lambda text: text.replace(",", "'"),
    "1 234,56 with no-break spaces": lambda text: text.replace(",", "\u00a0").replace(".", ","),
    "1234.56": lambda text: text.replace(",", ""),
    "1234,56": lambda text: text.replace(",", "").replace(".", ","),
}
DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%d. %B %Y")
WORDS = st.sampled_from("Anchor Beacon Cedar Drill Engine Flange Gasket Hinge Inverter Jacket Kettle Ladder".split())


@st.composite
def line_items(draw: st.DrawFn) -> list[tuple[str, Decimal, Decimal]]:
    names = draw(st.lists(st.tuples(WORDS, WORDS).map(" ".join), min_size=1, max_size=6, unique=True))
    quantities = st.integers(1, 400).map(Decimal)
    prices = st.decimals("0.01", "99999.99", places=2)
    return [(name, draw(quantities), draw(prices)) for name in names]


@given(
    items=line_items(),
    format_name=st.sampled_from(sorted(NUMBER_FORMATS)),
    date_format=st.sampled_from(DATE_FORMATS),
    issued=st.dates(date(2001, 1, 1), date(2049, 12, 31)),
    due=st.dates(date(2001, 1, 1), date(2049, 12, 31)),
    sign=st.sampled_from([("EUR", "{} EUR"), ("GBP", "£{}"), ("USD", "${}"), ("CHF", "CHF {}"), ("EUR", "€ {}")]),
    rate=st.sampled_from(["0", "5", "7.7", "19", "20"]),
    gap=st.integers(2, 12),
)
def test_a_generated_invoice_gives_back_its_facts(
    items: list[tuple[str, Decimal, Decimal]],
    format_name: str,
    date_format: str,
    issued: date,
    due: date,
    sign: tuple[str, str],
    rate: str,
    gap: int,
) -> None:
    def money(value: Decimal) -> str:
        return sign[1].format(NUMBER_FORMATS[format_name](f"{value:,.2f}"))

    between = " " * gap
    subtotal = sum((quantity * price for _, quantity, price in items), Decimal(0)).quantize(CENT)
    tax = (subtotal * Decimal(rate) / 100).quantize(CENT)
    rows = [
        between.join([f"{name:<20}", f"{quantity:>6}", f"{money(price):>18}", f"{money(quantity * price):>20}"])
        for name, quantity, price in items
    ]
    lines = [
        "Orchard & Vale Ltd" + between + "INVOICE",
        f"Invoice number: OV-{len(items)}7",
        f"Invoice date: {issued.strftime(date_format)}",
        f"Due date: {due.strftime(date_format)}",
        "Bill to: Meridian Works",
        "",
        between.join([f"{'Description':<20}", f"{'Qty':>6}", f"{'Unit price':>18}", f"{'Amount':>20}"]),
        *rows,
        "",
        f"Subtotal{between}{money(subtotal)}",
        f"VAT {rate}%{between}{money(tax)}",
        f"Total{between}{money(subtotal + tax)}",
    ]

    invoice = parse_invoice("\n".join(lines))

    assert (invoice.number, invoice.seller, invoice.buyer) == (
        f"OV-{len(items)}7",
        "Orchard & Vale Ltd",
        "Meridian Works",
    )
    assert (invoice.issue_date, invoice.due_date, invoice.currency) == (issued, due, sign[0])
    read = [(item.description, item.quantity, item.unit_price, item.amount) for item in invoice.line_items]
    assert read == [(name, quantity, price, quantity * price) for name, quantity, price in items]
    assert (invoice.subtotal, invoice.tax, invoice.total) == (subtotal, tax, subtotal + tax)


@pytest.mark.parametrize("text", ["", " \n\t\n"])
def test_a_document_without_text_says_so(text: str) -> None:
    with pytest.raises(NotAnInvoice, match="has no text"):
        parse_invoice(text)


@pytest.mark.parametrize(
    "text",
    [
        "Dear Sir, the total of our visitors last year was 1,204. Yours, the museum.",
        "Timetable\nBristol 10:04\nBath 10:19\nTotal 15 minutes",
    ],
)
def test_a_document_that_nothing_calls_an_invoice_is_none(text: str) -> None:
    with pytest.raises(NotAnInvoice, match="no line calls it one"):
        parse_invoice(text)


def test_an_invoice_without_a_total_is_none() -> None:
    with pytest.raises(NotAnInvoice, match="no total"):
        parse_invoice("Invoice number: 4\nWe will send the invoice later.")


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_never_a_crash(text: str) -> None:
    for document in (text, f"Invoice\n{text}\nTotal 5.00"):
        with suppress(NotAnInvoice):
            json.dumps(parse_invoice(document).to_json(), allow_nan=False)


@given(
    st.lists(
        st.sampled_from(
            "Invoice Total Subtotal VAT % Date Due Qty Amount Price 1,234.56 12 - ( ) € 5 x @ | : #".split()
        ),
        max_size=40,
    ),
    st.data(),
)
def test_any_order_of_the_words_of_invoices_is_read_or_refused(words: list[str], data: st.DataObject) -> None:
    text = "".join(word + data.draw(st.sampled_from([" ", "   ", "\n", "\t"])) for word in words)
    with suppress(NotAnInvoice):
        json.dumps(parse_invoice("Invoice " + text).to_json(), allow_nan=False)
