"""From the text of an invoice to its facts. Pure: text in, `Invoice` out.

Nothing here knows a particular invoice: it looks for the labels of six languages and for numbers that add up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from eigenpal.sandbox.invoices import labels
from eigenpal.sandbox.invoices.amounts import NumberStyle, currency_of
from eigenpal.sandbox.invoices.dates import find_date, month_first
from eigenpal.sandbox.invoices.layout import Cell, Line, read_lines
from eigenpal.sandbox.invoices.line_items import CENT, LineItem, read_line_items

_AMERICAN = frozenset({"USD"})
_IDENTIFIER = re.compile(r"[:#№\s.]*((?=[\w./-]*\d)[A-Za-z0-9][\w./-]*\w|\d)")
_ALL_LABELS = (
    labels.NUMBER,
    labels.ISSUE_DATE,
    labels.DUE_DATE,
    labels.SELLER,
    labels.BUYER,
    labels.SUBTOTAL,
    labels.TAX,
    labels.TOTAL_STRONG,
    labels.TOTAL,
)
_NEAR = 30  # columns a value below a label may be off; wider gaps belong to another block of the page


class NotAnInvoice(ValueError):
    """The text is not that of an invoice; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an invoice says; None for what it doesn't say."""

    number: str | None
    issue_date: date | None
    due_date: date | None
    seller: str | None
    buyer: str | None
    currency: str | None
    line_items: Sequence[LineItem]
    subtotal: Decimal | None
    tax: Decimal | None
    total: Decimal | None

    def to_json(self) -> dict[str, Any]:
        """Return the invoice as a JSON object: dates as ISO texts, amounts as numbers."""
        return {
            "number": self.number,
            "issue_date": None if self.issue_date is None else self.issue_date.isoformat(),
            "due_date": None if self.due_date is None else self.due_date.isoformat(),
            "seller": self.seller,
            "buyer": self.buyer,
            "currency": self.currency,
            "line_items": [
                {
                    "description": item.description,
                    "quantity": _number(item.quantity),
                    "unit_price": _number(item.unit_price),
                    "amount": _number(item.amount),
                }
                for item in self.line_items
            ],
            "subtotal": _number(self.subtotal),
            "tax": _number(self.tax),
            "total": _number(self.total),
        }


def parse_invoice(text: str) -> Invoice:
    """Return the facts of an invoice.

    Args:
        text: Its text, with columns kept apart by two or more spaces where it has columns.

    Raises:
        NotAnInvoice: There is no text, nothing calls it an invoice, or it has no total.
    """
    lines = read_lines(text)
    if not lines:
        raise NotAnInvoice("The document has no text; a scan needs character recognition first.")
    if labels.INVOICE.search(text) is None:
        raise NotAnInvoice("The document is not an invoice: no line calls it one.")
    style = NumberStyle.of(text)
    currency = currency_of(text)
    american = month_first(text, american=currency in _AMERICAN)
    items = read_line_items(lines, style)
    subtotal, tax, total = _totals(lines, style, items)
    if total is None:
        raise NotAnInvoice("The document is not an invoice: it has no total.")
    return Invoice(
        number=_invoice_number(lines),
        issue_date=_date(lines, labels.ISSUE_DATE, month_first=american, other_than=labels.DUE_DATE),
        due_date=_date(lines, labels.DUE_DATE, month_first=american),
        seller=_party(lines, labels.SELLER) or _letterhead(lines),
        buyer=_party(lines, labels.BUYER),
        currency=currency,
        line_items=items,
        subtotal=subtotal,
        tax=tax,
        total=total,
    )


def _number(value: Decimal | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


# Labelled values


def _labelled(lines: Sequence[Line], label: re.Pattern[str]) -> list[str]:
    """Return what stands with a label: behind it, in the next cell, or below it, most likely first."""
    found: list[str] = []
    for index, line in enumerate(lines):
        for place, cell in enumerate(line.cells):
            match = label.match(cell.text)
            if match is None:
                continue
            behind = cell.text[match.end() :].lstrip(" :#.–-").rstrip()
            if behind:
                found.append(behind)
                continue
            if place + 1 < len(line.cells) and not _is_label(line.cells[place + 1].text):
                found.append(line.cells[place + 1].text)
            below = _below(lines[index + 1 : index + 2], cell)
            if below is not None:
                found.append(below)
    return found


def _below(lines: Sequence[Line], cell: Cell) -> str | None:
    candidates = [other for line in lines for other in line.cells if cell.overlap(other) > -_NEAR]
    if not candidates:
        return None
    best = max(candidates, key=lambda other: (min(cell.overlap(other), 1), -abs(other.start - cell.start)))
    return None if _is_label(best.text) else best.text


def _is_label(text: str) -> bool:
    """Tell whether a cell is a label, with or without a value behind it."""
    for label in _ALL_LABELS:
        match = label.match(text)
        behind = text[match.end() :].strip() if match is not None else "no label"
        if not behind.strip(":#.") or behind[0] in ":#":
            return True
    return False


def _invoice_number(lines: Sequence[Line]) -> str | None:
    for value in _labelled(lines, labels.NUMBER):
        match = _IDENTIFIER.match(value)
        if match is not None:
            return match[1]
    for line in lines:  # the title alone may carry it: "Proforma invoice 2026/17"
        match = re.search(rf"{labels.INVOICE.pattern}[\s:#]+([A-Z]{{0,6}}[-/]?\d[\w/-]*)", line.text, re.IGNORECASE)
        if match is not None:
            return match[match.lastindex or 0]
    return None


def _date(
    lines: Sequence[Line], label: re.Pattern[str], *, month_first: bool, other_than: re.Pattern[str] | None = None
) -> date | None:
    for value in _labelled(lines, label):
        found = find_date(value, month_first=month_first)
        if found is not None:
            return found
    for line in lines:  # inside of a sentence: "payable by 3 May 2026"
        for match in re.finditer(rf"\b{label.pattern}", line.text, re.IGNORECASE):
            if other_than is not None and other_than.search(line.text[: match.end() + 1]):
                continue
            found = find_date(line.text[match.end() : match.end() + 30], month_first=month_first)
            if found is not None:
                return found
    if other_than is None:
        return None
    # No label at all: the first date of the document that no other label claims.
    free = [line.text for line in lines if not other_than.search(line.text)]
    return next((found for text in free if (found := find_date(text, month_first=month_first))), None)


def _party(lines: Sequence[Line], label: re.Pattern[str]) -> str | None:
    for value in _labelled(lines, label):
        name = re.split(r"\s{2,}|,\s", value.strip())[0].strip(" :,")
        if re.search(r"[^\W\d_]{2,}", name) and not _is_label(name):
            return name
    return None


def _letterhead(lines: Sequence[Line]) -> str | None:
    """Return the first text of the page that is neither the title nor a labelled value."""
    for line in lines[:6]:
        for cell in line.cells:
            labelled = any(label.match(cell.text) for label in _ALL_LABELS[:5])
            title = labels.INVOICE.match(cell.text)
            if not labelled and not title and re.search(r"[^\W\d_]{2,}", cell.text):
                return re.split(r"\s+[·•|–]\s+|,\s", cell.text)[0].strip()
    return None


# Totals


def _totals(
    lines: Sequence[Line], style: NumberStyle, items: Sequence[LineItem]
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    subtotal = _last(_amounts(lines, labels.SUBTOTAL, style))
    taxes = _amounts(lines, labels.TAX, style)
    strong, plain = _amounts(lines, labels.TOTAL_STRONG, style), _amounts(lines, labels.TOTAL, style)
    total = _last(strong) or _last(plain)
    item_amounts = [item.amount for item in items if item.amount is not None]
    items_sum = sum(item_amounts, Decimal(0)) if item_amounts else None
    tax = _tax(taxes, subtotal if subtotal is not None else items_sum, total)
    if total is None and subtotal is not None and tax is not None:
        total = subtotal + tax
    if subtotal is None and total is not None:
        if tax is not None:
            subtotal = total - tax
        elif items_sum is not None and abs(items_sum - total) <= CENT:
            subtotal = items_sum
    if tax is None and subtotal is not None and total is not None and total == subtotal:
        tax = Decimal(0)
    return subtotal, tax, total


def _tax(taxes: Sequence[Decimal], net: Decimal | None, total: Decimal | None) -> Decimal | None:
    """Return the tax: of several amounts the one, or the sum, that makes net and total agree."""
    if not taxes:
        return None
    for candidate in (taxes[-1], sum(taxes, Decimal(0)), *taxes):
        if net is not None and total is not None and abs(net + candidate - total) <= CENT:
            return candidate
    # A discount or freight is in between: either the last line sums the others up, or nothing does.
    return taxes[-1] if taxes[-1] == sum(taxes[:-1], Decimal(0)) else sum(taxes, Decimal(0))


def _amounts(lines: Sequence[Line], label: re.Pattern[str], style: NumberStyle) -> list[Decimal]:
    found: list[Decimal] = []
    for index, line in enumerate(lines):
        for place, cell in enumerate(line.cells):
            match = label.match(cell.text)
            if match is None or _wrong_total(label, cell.text):
                continue
            rest = line.text[cell.start + match.end() :]
            numbers = [amount for amount in style.find(rest) if not amount.percent]
            sums = [amount for amount in numbers if amount.precise] or (numbers if len(numbers) == 1 else [])
            if sums:
                found.append(sums[-1].value)
            elif not numbers and place == len(line.cells) - 1:
                below = [
                    amount for amount in style.find(_below(lines[index + 1 : index + 2], cell) or "") if amount.precise
                ]
                found += [amount.value for amount in below[:1]]
            break
    return found


def _wrong_total(label: re.Pattern[str], text: str) -> bool:
    """Tell whether a line that begins with "total" is really a subtotal or the sum of the tax."""
    return label is labels.TOTAL and any(other.match(text) for other in (labels.SUBTOTAL, labels.TAX))


def _last(values: Sequence[Decimal]) -> Decimal | None:
    return values[-1] if values else None
