"""Numbers and currencies as invoices write them: `1,234.56`, `1.234,56`, `1 234,56`, `(12.50)`, `€ 9,-`. Pure.

Which mark is the decimal one is decided once for a whole document, because a lone `1.234` says nothing by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

CURRENCY_CODES = frozenset(
    "EUR USD GBP CHF JPY CNY CAD AUD NZD SEK NOK DKK PLN CZK HUF RON BGN TRY INR BRL MXN ZAR SGD HKD KRW".split()
)

_SIGNS = {
    "US$": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "R$": "BRL", "HK$": "HKD", "S$": "SGD",
    "Kč": "CZK", "zł": "PLN", "Fr.": "CHF", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₪": "ILS",
    "$": "USD",
}  # fmt: skip
_DOLLARS = ("CAD", "AUD", "NZD", "SGD", "HKD", "MXN")  # currencies whose sign may be a bare "$"

_NARROW = "\u00a0\u202f\u2009'’"  # no-break, narrow and thin spaces and apostrophes group thousands wherever they stand
_SIGN = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True))  # longest first: "US$" has a "$"
_CODE = "|".join(sorted(CURRENCY_CODES))


def _money(group_marks: str) -> re.Pattern[str]:
    number = rf"\d{{1,3}}(?:[{group_marks}]\d{{3}})+(?:[.,]\d{{1,4}})?(?!\d)|\d+(?:[.,]\d+)*"
    return re.compile(
        rf"(?P<open>\()?(?P<minus>[-−–]\s?)?(?P<before>{_SIGN}|\b(?:{_CODE})\b)?[ {_NARROW}]?(?P<minus2>[-−–])?"
        rf"(?P<number>{number})(?P<dash>[.,][-–—]+)?(?P<minus3>-(?![\w-]))?"
        rf"[ {_NARROW}]?(?P<after>{_SIGN}|(?:{_CODE})\b|%)?(?P<close>\))?"
    )


_MONEY, _SPACED_MONEY = _money(_NARROW), _money(_NARROW + " ")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number found in a text.

    Attributes:
        value: The number.
        currency: ISO code, None when none stands beside it.
        percent: True when a percent sign follows.
        precise: True when it is written as money is: two decimals, or a currency beside it.
        start: Where it begins in the text.
        end: Where it ends.
    """

    value: Decimal
    currency: str | None
    percent: bool
    precise: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a document writes its numbers.

    Attributes:
        mark: The decimal mark, `.` or `,`.
        spaced: True when plain spaces group thousands.
    """

    mark: str
    spaced: bool

    @classmethod
    def of(cls, text: str) -> NumberStyle:
        """Return the style of a document.

        Args:
            text: All of it. Numbers with both marks decide, then those that end in a mark and two digits.
        """
        votes: Counter[str] = Counter()
        for match in re.finditer(r"(?<![\w.,/-])\d[\d.,]*\d(?![\w/-])", text):
            number = match[0]
            marks = [character for character in number if character in ".,"]
            if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:
                votes[marks[-1]] += 10
            elif re.fullmatch(r"\d+[.,]\d\d", number):
                votes[marks[0]] += 2
            elif re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:,\d{3}){2,}", number):
                votes["," if marks[0] == "." else "."] += 5
        mark = "," if votes[","] > votes["."] else "."
        spaced = mark == "," and re.search(r"(?<![\d,.] )(?<![\d,.])\d{1,3}(?: \d{3})+,\d\d(?!\d)", text) is not None
        return cls(mark, spaced)

    def parse(self, text: str) -> Decimal:
        """Return the value of a number.

        Args:
            text: Digits with marks between them.
        """
        digits = re.sub(rf"[ {_NARROW}]", "", text)
        other = "," if self.mark == "." else "."
        if digits.count(other) == 1 and self.mark not in digits and len(digits.partition(other)[2]) != 3:
            digits = digits.replace(other, self.mark)  # what stands behind it is no group of thousands
        digits = digits.replace(other, "")
        if digits.count(self.mark) > 1:
            digits = digits.replace(self.mark, "")
        return Decimal(digits.replace(self.mark, "."))

    def find(self, text: str) -> list[Amount]:
        """Return the numbers in a text, from left to right; parts of words, dates and identifiers are none.

        Args:
            text: A line or a part of one.
        """
        found: list[Amount] = []
        for match in (_SPACED_MONEY if self.spaced else _MONEY).finditer(text):
            if not _stands_alone(text, match):
                continue
            negative = any(match[name] for name in ("minus", "minus2", "minus3")) or (match["open"] and match["close"])
            value = self.parse(match["number"])
            sign = next((sign for sign in (match["before"], match["after"]) if sign not in (None, "%")), None)
            found.append(
                Amount(
                    value=-value if negative else value,
                    currency=None if sign is None else _SIGNS.get(sign, sign),
                    percent=match["after"] == "%",
                    precise=bool(re.search(r"[.,]\d\d$", match["number"]) or match["dash"] or sign),
                    start=match.start(),
                    end=match.end(),
                )
            )
        return found


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start("number")], text[match.end("number") :]
    if before and match["before"] is None and (before[-1].isalnum() or before[-1] in "/#_.,"):
        return False
    # "INV-2026": the dash joins, it is no minus; "10:30": a time.
    if (match["minus"] and re.search(r"\w[-−–]$", before)) or re.search(r"\d:$", before):
        return False
    return not (match["after"] is None and re.match(r"[^\W\d]|[/_]|-\w|[.:]\d", after))


def currency_of(text: str) -> str | None:
    """Return the currency that a document uses most, None when it names none.

    Args:
        text: The whole document.
    """
    codes = Counter(re.findall(rf"\b({_CODE})\b", text))
    signs = Counter(_SIGNS[sign] for sign in re.findall(_SIGN, text))
    dollars = [code for code in _DOLLARS if codes[code]]
    if dollars and not codes["USD"]:
        signs[dollars[0]] += signs.pop("USD", 0)
    votes = signs + codes + codes  # a code says more than a sign that several currencies share
    return votes.most_common(1)[0][0] if votes else None
