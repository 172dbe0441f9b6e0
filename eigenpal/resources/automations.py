"""The `automations` namespace: keep the registry in step with the source."""

from __future__ import annotations

from eigenpal.engine.resource import Resource
from eigenpal.models.automations import AutomationSync
from eigenpal.resources.operations import SYNC_AUTOMATION


class AsyncAutomations(Resource):
    """Registry of automations."""

    async def sync(self, automation: str) -> AutomationSync:
        """Take over the newest release of an automation's Git package into the registry; starts no run.

        Args:
            automation: Dotted name (`"agents.mail-sorter"`) or id.

        Raises:
            EigenpalNotFoundError: No such automation.
        """
        return await self._call(SYNC_AUTOMATION, automation)
