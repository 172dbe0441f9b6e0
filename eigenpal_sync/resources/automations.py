# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `automations` namespace: keep the registry in step with the source."""

from __future__ import annotations

from eigenpal.models.automations import AutomationSync
from eigenpal.resources.automations import AsyncAutomations
from eigenpal_sync._twin import Twin


class Automations(Twin[AsyncAutomations]):
    """Registry of automations."""

    def sync(self, automation: str) -> AutomationSync:
        """Take over the newest release of an automation's Git package into the registry; starts no run.

        Args:
            automation: Dotted name (`"agents.mail-sorter"`) or id.

        Raises:
            EigenpalNotFoundError: No such automation.
        """
        return self._portal.wait(self._async.sync, automation).result()
