"""Dates as invoices write them."""

from __future__ import annotations

from datetime import date

import pytest

from eigenpal.sandbox.invoices.dates import find_date, month_first

MARCH_4 = date(2026, 3, 4)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04",
        "2026/3/4",
        "04.03.2026",
        "4. 3. 2026",
        "04/03/2026",
        "04-03-26",
        "4 March 2026",
        "4th March 2026",
        "4. März 2026",
        "4 mars 2026",
        "4 de marzo de 2026",
        "4 maart 2026",
        "04-Mar-2026",
        "March 4, 2026",
        "Mar. 4 2026",
        "issued 4 March 2026, due 3 April 2026",
    ],
)
def test_a_date_is_found_however_it_is_written(text: str) -> None:
    assert find_date(text, month_first=False) == MARCH_4


@pytest.mark.parametrize("text", ["", "31.02.2026", "99/99/2026", "4 Smarch 2026", "invoice 12-34", "1.234.567"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert find_date(text, month_first=False) is None


def test_slashes_put_the_month_first_where_the_document_does() -> None:
    assert find_date("03/04/2026", month_first=True) == MARCH_4
    assert find_date("04.03.2026", month_first=True) == MARCH_4


@pytest.mark.parametrize(
    ("text", "american", "expected"),
    [
        ("03/04/2026 and 03/31/2026", False, True),
        ("03/04/2026 and 31/03/2026", True, False),
        ("03/04/2026", True, True),
        ("03/04/2026", False, False),
        ("31.03.2026", True, True),
    ],
)
def test_one_unambiguous_date_decides_for_the_document(text: str, american: bool, expected: bool) -> None:
    assert month_first(text, american=american) is expected
