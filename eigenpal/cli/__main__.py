"""`python -m eigenpal.cli`, for where scripts aren't on the path."""

from __future__ import annotations

from eigenpal.cli import main

main()
