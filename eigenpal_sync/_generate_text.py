"""The words of the async classes as the blocking twin says them: docstrings, examples, type names.

Not here: the grammar of Python, which _generate_class.py works on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# In order. Docstrings are text, so these are patterns; code is never changed by them.
PHRASES: tuple[tuple[str, str], ...] = (
    (r"(?m)^.*# await\n", ""),
    (r"(?m)^[ \t]*import (asyncio|anyio)\n(?:[ \t]*\n)?", ""),
    (r"\basyncio\.run\((\w+\([^()]*\))\)", r"\1"),
    (r"\banyio\.run\((\w+)\)", r"\1()"),
    (r"\basync (with|for|def)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\baclose\b", "close"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r" for asyncio and trio\b", " for code without `await`"),
    (r"\b([Aa])n async\b", r"\1 blocking"),
    (r"\b([Tt]he) async\b", r"\1 blocking"),
)


def blocking_text(text: str, names: Mapping[str, str]) -> str:
    """Return a docstring as it reads for blocking code.

    Args:
        text: The docstring, quotes and all.
        names: Async class names to those of their twins; other names, such as `httpx.AsyncClient`, stay.
    """
    for pattern, replacement in PHRASES:
        text = re.sub(pattern, replacement, text)
    return blocking_names(text, names)


def blocking_names(text: str, names: Mapping[str, str]) -> str:
    """Return text with the names of async classes replaced by those of their twins."""
    if not names:
        return text
    alternatives = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    return re.sub(rf"(?<![\w.])({alternatives})\b", lambda match: names[match[1]], text)
