"""Where the mark of a deprecated method comes from: the standard library has it from Python 3.13 on."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 13):
    from warnings import deprecated
else:
    from typing_extensions import deprecated

__all__ = ["deprecated"]
