"""What agents and workflows have in common on the wire: triggers and releases."""

from __future__ import annotations

from eigenpal.engine.model import Model, model


@model
class Triggers(Model):
    """Which kinds of trigger are switched on."""

    api: bool
    email: bool
    manual: bool
    cron: bool


@model
class Release(Model):
    """A tagged release of a source package."""

    version: str
    tag: str
    commit: str
