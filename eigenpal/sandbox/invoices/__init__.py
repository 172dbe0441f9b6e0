"""The workflow that ships with every sandbox: `extract-invoice`. The parser is pure and knows nothing of runs."""

from __future__ import annotations
