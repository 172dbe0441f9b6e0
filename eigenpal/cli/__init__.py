"""The command `eigenpal`. Needs the extra `eigenpal[cli]`; without it, says so.

Only `main` is here: the commands load typer and rich, which the SDK never does.
"""

from __future__ import annotations

import sys
from importlib import import_module

__all__ = ["main"]

_EXTRA = {"typer", "rich", "click"}  # click comes with typer


def main() -> None:
    """Run the command with the arguments of the process, and end the process with its exit status."""
    try:
        import_module("rich")  # typer itself asks for it only when it has something to show
        from eigenpal.cli.commands import app
    except ImportError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit(f'The command eigenpal needs the package {missing.name}; install it with: pip install "eigenpal[cli]"')
    app(prog_name="eigenpal")
