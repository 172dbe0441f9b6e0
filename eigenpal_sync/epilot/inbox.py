# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The approvals inbox: every action that waits for a human, one after the other, each once, as they come up."""

from __future__ import annotations

from collections.abc import Sequence

from eigenpal.epilot.inbox import AsyncPendingApproval
from eigenpal.epilot.models.executions import Execution
from eigenpal.epilot.models.previews import PendingAction, ToolPreview
from eigenpal_sync._twin import Twin


class PendingApproval(Twin[AsyncPendingApproval]):
    """One action that waits for a human, and the two ways to settle it.

    Show it with `print(pending)`, or in a notebook as a table.
    """

    @property
    def execution(self) -> Execution:
        """The execution that waits."""
        return self._async.execution

    @property
    def action(self) -> PendingAction:
        """What it wants to do."""
        return self._async.action

    @property
    def preview(self) -> ToolPreview | None:
        """The action in detail; None where its tool has no preview."""
        return self._async.preview

    def approve(
        self,
        reason: str | None = None,
        *,
        approved_action_ids: Sequence[str] | None = None,
        rejected_action_ids: Sequence[str] | None = None,
    ) -> Execution:
        """Let this action happen. It is looked at first: another action that has come up since is never allowed.

        Args:
            reason: Why; optional.
            approved_action_ids: Of a batch, the actions to allow; all unless given. Newer versions of the service only.
            rejected_action_ids: Of a batch, the actions to refuse. Newer versions of the service only.

        Returns:
            The execution, as it goes on.

        Raises:
            EigenpalConflictError: The action is no longer pending; nothing was decided.
        """
        return self._portal.wait(
            self._async.approve,
            reason,
            approved_action_ids=approved_action_ids,
            rejected_action_ids=rejected_action_ids,
        ).result()

    def reject(self, reason: str) -> Execution:
        """Refuse this action, which ends the execution.

        Args:
            reason: Why; it becomes the error of the execution.

        Returns:
            The execution, which failed with the code `REJECTED`.

        Raises:
            EigenpalInputError: The reason is empty.
            EigenpalConflictError: The action is no longer pending; nothing was decided.
        """
        return self._portal.wait(self._async.reject, reason).result()

    def __str__(self) -> str:
        return self._async.__str__()
