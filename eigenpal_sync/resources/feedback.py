# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `runs.feedback` namespace: what people say of a run."""

from __future__ import annotations

from typing import Any

from eigenpal.engine.unset import UNSET, Unset
from eigenpal.models.feedback import FeedbackRating, FeedbackStatus, RunFeedbackDetail
from eigenpal.resources.feedback import AsyncFeedback
from eigenpal_sync._twin import Twin


class Feedback(Twin[AsyncFeedback]):
    """Feedback on runs."""

    def get(self, run_id: str) -> RunFeedbackDetail:
        """Return the feedback on a run, with what it should have produced.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.get, run_id).result()

    def update(
        self,
        run_id: str,
        *,
        body: str | Unset | None = UNSET,
        feedback: str | Unset | None = UNSET,
        rating: FeedbackRating | Unset | None = UNSET,
        feedback_rating: FeedbackRating | Unset | None = UNSET,
        status: FeedbackStatus | Unset | None = UNSET,
        feedback_status: FeedbackStatus | Unset | None = UNSET,
        expected: Any = UNSET,
    ) -> RunFeedbackDetail:
        """Change the feedback on a run. None clears a part of it; what is not given stays as it is.

        Args:
            run_id: Id of the run.
            body: The text.
            feedback: Another name for `body`.
            rating: `"pass"`, `"fail"` or `"partial"`.
            feedback_rating: Another name for `rating`.
            status: `"open"`, `"resolved"` or `"ignored"`.
            feedback_status: Another name for `status`.
            expected: The output that the run should have had, any JSON.

        Raises:
            EigenpalValidationError: A rating or status that is none.
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(
            self._async.update,
            run_id,
            body=body,
            feedback=feedback,
            rating=rating,
            feedback_rating=feedback_rating,
            status=status,
            feedback_status=feedback_status,
            expected=expected,
        ).result()

    def resolve(
        self, run_id: str, *, body: str | Unset | None = UNSET, feedback: str | Unset | None = UNSET
    ) -> RunFeedbackDetail:
        """Mark the feedback on a run as resolved.

        Args:
            run_id: Id of the run.
            body: New text, if it changes.
            feedback: Another name for `body`.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.resolve, run_id, body=body, feedback=feedback).result()

    def clear(self, run_id: str) -> RunFeedbackDetail:
        """Remove the feedback on a run, the expected output and every expected file.

        Args:
            run_id: Id of the run.

        Raises:
            EigenpalNotFoundError: No such run, or this key can't see it.
        """
        return self._portal.wait(self._async.clear, run_id).result()
