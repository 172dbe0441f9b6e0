"""The base of epilot's models: members are named in Python as on the wire, unless a model says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from eigenpal.engine.calls import unchanged
from eigenpal.engine.model import Model, model


@model
class EpilotModel(Model):
    """A model whose wire names are its Python names. epilot promises no member, so each may be None."""

    wire_naming: ClassVar[Callable[[str], str]] = staticmethod(unchanged)
