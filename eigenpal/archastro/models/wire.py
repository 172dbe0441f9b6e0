"""How ArchAstro writes JSON: member names are the Python names."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from eigenpal.engine.model import Model, model


@model
class WireModel(Model):
    """Base of every ArchAstro model."""

    wire_naming: ClassVar[Callable[[str], str]] = staticmethod(str)
