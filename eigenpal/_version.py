"""The version of this package, written once: the build, the client headers and the docs read it from here."""

from __future__ import annotations

__version__ = "0.1.0"
