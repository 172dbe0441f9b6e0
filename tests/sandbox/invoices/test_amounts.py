"""Numbers and currencies as invoices write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigenpal.sandbox.invoices.amounts import NumberStyle, currency_of

POINT, COMMA, SPACED = NumberStyle(".", False), NumberStyle(",", False), NumberStyle(",", True)


@pytest.mark.parametrize(
    ("style", "text", "value"),
    [
        (POINT, "1,234.56", "1234.56"),
        (COMMA, "1.234,56", "1234.56"),
        (SPACED, "1 234 567,89", "1234567.89"),
        (POINT, "1\u202f234.5", "1234.5"),
        (POINT, "12'345.00", "12345.00"),
        (COMMA, "1.234.567", "1234567"),
        (POINT, "1,234,567", "1234567"),
        (POINT, "12,5", "12.5"),
        (COMMA, "12.5", "12.5"),
        (COMMA, "1.234", "1234"),
        (POINT, "1.234", "1.234"),
        (POINT, "0.005", "0.005"),
    ],
)
def test_a_number_is_read_in_the_style_of_its_document(style: NumberStyle, text: str, value: str) -> None:
    assert [amount.value for amount in style.find(text)] == [Decimal(value)]


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("$12.50", "12.50", "USD"),
        ("-$12.50", "-12.50", "USD"),
        ("$-12.50", "-12.50", "USD"),
        ("(12.50)", "-12.50", None),
        ("12.50-", "-12.50", None),
        ("US$ 7.00", "7.00", "USD"),
        ("EUR 7.00", "7.00", "EUR"),
        ("7.00 zł", "7.00", "PLN"),
        ("€ 9.-", "9", "EUR"),
    ],
)
def test_signs_and_currencies_belong_to_their_number(text: str, value: str, currency: str | None) -> None:
    (amount,) = POINT.find(text)

    assert (amount.value, amount.currency) == (Decimal(value), currency)


@pytest.mark.parametrize(
    "text", ["INV-2026", "2026-03-14", "A4", "12kg", "10:30", "3/4", "RE2026/17", "#42", "v1.2.3b"]
)
def test_parts_of_words_dates_and_identifiers_are_no_amounts(text: str) -> None:
    assert POINT.find(text) == []


def test_a_percentage_is_marked_as_one() -> None:
    assert [amount.percent for amount in POINT.find("VAT 19 % 123.45")] == [True, False]


@pytest.mark.parametrize(
    ("text", "mark", "spaced"),
    [
        ("1.234,56", ",", False),
        ("1,234.56", ".", False),
        ("12,50 and 1.234", ",", False),
        ("Total 1 234,56 EUR", ",", True),
        ("3 12,50 37,50", ",", False),
        ("no numbers at all", ".", False),
        ("2,500,000 yen", ".", False),
    ],
)
def test_the_style_of_a_document_shows_in_its_numbers(text: str, mark: str, spaced: bool) -> None:
    assert NumberStyle.of(text) == NumberStyle(mark, spaced)


@given(
    st.decimals("0.00", "9999999.99", places=2), st.sampled_from([(".", ","), (",", "."), (",", "\u00a0"), (".", "'")])
)
def test_every_way_to_write_an_amount_gives_the_amount(value: Decimal, marks: tuple[str, str]) -> None:
    mark, group = marks
    text = f"{value:,.2f}".replace(",", "\0").replace(".", mark).replace("\0", group)

    assert [amount.value for amount in NumberStyle(mark, False).find(text)] == [value]


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("Total 12.00 €", "EUR"),
        ("$5, $6 and $7 in CAD", "CAD"),
        ("$5 (USD), not CAD", "USD"),
        ("£1 £2 €3", "GBP"),
        ("Total 12.00", None),
    ],
)
def test_the_currency_of_a_document_is_the_one_it_uses_most(text: str, currency: str | None) -> None:
    assert currency_of(text) == currency
