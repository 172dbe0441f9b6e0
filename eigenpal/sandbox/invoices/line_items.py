"""The table of items of an invoice: finding its head, reading its rows. Pure.

A row is believed because quantity times price is the amount; the columns of the head decide where that leaves doubt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations

from eigenpal.sandbox.invoices import labels
from eigenpal.sandbox.invoices.amounts import Amount, NumberStyle
from eigenpal.sandbox.invoices.layout import Cell, Line

CENT = Decimal("0.01")
_ENDS = (labels.SUBTOTAL, labels.TAX, labels.TOTAL_STRONG, labels.TOTAL, labels.OTHER_TOTALS)
_INLINE = re.compile(
    r"^[-*•]?\s*(?P<quantity>\d+(?:[.,]\d+)?)\s*[x\u00d7]\s+(?P<what>.*?)\s*(?:@|à|a|at|zu|je|-|:)\s*(?P<rest>\D{0,4}\d.*)$"
)
_POSITION = re.compile(r"^\d{1,3}[.)]?\s+(?=\D)")


@dataclass(frozen=True, slots=True)
class LineItem:
    """One row of the table; what a row doesn't say is None."""

    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal | None


def read_line_items(lines: Sequence[Line], style: NumberStyle) -> list[LineItem]:
    """Return the items of an invoice.

    Args:
        lines: The whole document.
        style: How it writes numbers.
    """
    for index, line in enumerate(lines):
        columns = table_head(line)
        if columns:
            items = _read_rows(lines[index + 1 :], columns, style)
            if items:
                return items
    return [item for line in lines if (item := _inline_item(line, style) or _item_without_head(line, style))]


def table_head(line: Line) -> Mapping[str, Cell] | None:
    """Return the columns of a line when it is the head of the table of items, None otherwise.

    Args:
        line: Any line. Heads set with single spaces between the words are understood as well.
    """
    cells = line.cells if len(line.cells) > 1 else _words_as_cells(line)
    columns: dict[str, Cell] = {}
    for number, cell in enumerate(cells):
        for name, label in labels.COLUMNS:
            if label.match(cell.text):
                columns.setdefault(name if name != "ignored" else f"ignored {number}", cell)
                break
    named = columns.keys() & {"description", "quantity", "unit_price", "amount"}
    has_number = "amount" in named or "unit_price" in named
    enough = len(named) >= 2 and has_number and ("description" in named or len(named) >= 3)
    return columns if enough and not re.search(r"\d[.,]\d\d", line.text) else None


def _words_as_cells(line: Line) -> Sequence[Cell]:
    """Split a head whose columns stand one space apart: wherever the rest begins with the name of a column."""
    starts = [match.start() for match in re.finditer(r"\S+", line.text)]
    marks = [start for start in starts if any(label.match(line.text[start:]) for _, label in labels.COLUMNS[2:-1])]
    merged: list[int] = []
    for start in marks:
        # "Unit price": the label that began at "Unit" covers the word "price".
        covered = max(
            (match.end() for mark in merged for _, label in labels.COLUMNS if (match := label.match(line.text, mark))),
            default=0,
        )
        if start >= covered:
            merged.append(start)
    if not merged:
        return []
    ends = [*merged[1:], len(line.text)]
    return [Cell(line.text[a:b].strip(), a, b) for a, b in zip(merged, ends, strict=True)]


def _read_rows(lines: Sequence[Line], columns: Mapping[str, Cell], style: NumberStyle) -> list[LineItem]:
    items: list[LineItem] = []
    pending: list[str] = []
    for line in lines:
        if items and _ends_table(line, style):
            break
        if not items and _ends_table(line, style) and not _numbers(line, style)[2:]:
            break
        item = _inline_item(line, style) or _row(line, columns, style)
        if item is not None:
            if pending:
                item = LineItem(
                    " ".join([*pending, item.description]).strip(), item.quantity, item.unit_price, item.amount
                )
                pending = []
            if item.description:
                items.append(item)
        elif not re.search(r"\w", line.text):
            continue  # a rule between rows
        elif items and len(line.cells) == 1:
            last = items[-1]
            items[-1] = LineItem(f"{last.description} {line.text.strip()}", last.quantity, last.unit_price, last.amount)
        elif len(line.cells) == 1:
            pending.append(line.text.strip())
        elif items:
            break
    return items


def _ends_table(line: Line, style: NumberStyle) -> bool:
    first = line.cells[0].text
    for label in _ENDS:
        match = label.match(first)
        if match is None:
            continue
        # "Total rework of the site  1  900.00  900.00" is an item, "Total  900.00" is not.
        rest = first[match.end() :]
        numbers = [amount for amount in style.find(line.text[line.cells[0].start :]) if not amount.percent]
        words = re.findall(r"[^\W\d_]{3,}", rest)
        if len(numbers) < 2 or (len(words) < 1 and len(numbers) < 3):
            return True
    return False


def _numbers(line: Line, style: NumberStyle) -> list[Amount]:
    return style.find(line.text)


def _row(line: Line, columns: Mapping[str, Cell], style: NumberStyle) -> LineItem | None:
    numbers = [amount for amount in _numbers(line, style) if not amount.percent]
    if not numbers or (not any(amount.precise for amount in numbers) and len(numbers) < 2):
        return None
    triple = _product(numbers)
    if triple is not None:
        first, second, total = triple
        if (
            "quantity" in columns
            and "unit_price" in columns
            and columns["unit_price"].start < columns["quantity"].start
        ):
            first, second = second, first
        return LineItem(_description(line, triple, numbers), first.value, second.value, total.value)
    placed = _place(numbers, columns)
    if "amount" not in placed and "unit_price" not in placed:
        return None
    used = [placed[name] for name in ("quantity", "unit_price", "amount") if name in placed]
    values = {name: amount.value for name, amount in placed.items()}
    return LineItem(
        _description(line, used, numbers), values.get("quantity"), values.get("unit_price"), values.get("amount")
    )


def _product(numbers: Sequence[Amount]) -> tuple[Amount, Amount, Amount] | None:
    """Return three numbers of a row, left to right, where the first two multiply to the third; the rightmost such."""
    for first, second, third in sorted(combinations(numbers, 3), key=lambda three: three[2].start, reverse=True):
        if third.precise or (second.precise is False and first.value != 1):
            product = (first.value * second.value).quantize(CENT, ROUND_HALF_UP)
            if abs(product - third.value) <= CENT and third.value != 0:
                return first, second, third
    return None


def _place(numbers: Sequence[Amount], columns: Mapping[str, Cell]) -> dict[str, Amount]:
    """Give each number to the column of the head that it stands under; both are usually set to the same right edge."""
    placed: dict[str, tuple[int, Amount]] = {}
    for amount in numbers:
        cell = Cell("", amount.start, amount.end)
        name, head = max(columns.items(), key=lambda column: (cell.overlap(column[1]), -abs(column[1].end - cell.end)))
        fit = cell.overlap(head)
        if name == "description" or (name in placed and placed[name][0] >= fit):
            continue
        placed[name] = (fit, amount)
    result = {name: amount for name, (_, amount) in placed.items()}
    if "amount" in columns and "amount" not in result and numbers[-1].precise and numbers[-1] not in result.values():
        result["amount"] = numbers[-1]
    return result


def _description(line: Line, used: Sequence[Amount], numbers: Sequence[Amount]) -> str:
    """Return the text of a row before its first number; of a row that begins with numbers, the text behind."""
    first = min(amount.start for amount in used)
    left = line.text[:first]
    # What stands between the numbers, such as "19 %" or "h", is a unit or a rate and no part of the description.
    text = _POSITION.sub("", left.strip(" |.-*•\t"))
    if not re.search(r"[^\W\d_]{2,}", text):
        rest = line.text[first:]
        for amount in numbers:
            rest = rest.replace(line.text[amount.start : amount.end], "\n", 1)
        text = max((piece.strip(" |x\u00d7@=\t") for piece in rest.split("\n")), key=len, default="")
    return re.sub(r"\s{2,}", " ", text).strip(" |:")


def _inline_item(line: Line, style: NumberStyle) -> LineItem | None:
    """Read `3 x Widget @ 12.50 = 37.50`."""
    match = _INLINE.match(line.text.strip())
    if match is None:
        return None
    prices = [amount for amount in style.find(match["rest"]) if not amount.percent]
    if not prices or not prices[0].precise:
        return None
    quantity = style.parse(match["quantity"])
    total = prices[1].value if len(prices) > 1 else (quantity * prices[0].value).quantize(CENT, ROUND_HALF_UP)
    return LineItem(match["what"].strip(), quantity, prices[0].value, total)


def _item_without_head(line: Line, style: NumberStyle) -> LineItem | None:
    numbers = [amount for amount in _numbers(line, style) if not amount.percent]
    triple = _product(numbers) if len(numbers) >= 3 else None
    if triple is None or _ends_table(line, style) or not triple[2].precise:
        return None
    description = _description(line, triple, numbers)
    quantity, price, total = triple
    return LineItem(description, quantity.value, price.value, total.value) if description else None
