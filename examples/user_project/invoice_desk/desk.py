"""The desk, blocking: one invoice after the other, as a nightly script works through a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eigenpal import EigenpalClient, EigenpalConnectionError, EigenpalRunError

TARGET = "workflows.extract-invoice"
LIMIT = 10_000  # larger ones are for a human, however sure the workflow is


class Desk:
    """Works through invoices; `booked` and `pile` say what became of each."""

    def __init__(self, client: EigenpalClient) -> None:
        self._client = client
        self.booked: dict[str, float] = {}
        self.pile: dict[str, str] = {}

    def process(self, document: Path) -> None:
        """Read one invoice, and book it or say why not."""
        try:
            run = self._client.run_and_wait(TARGET, {"invoice": document}, raise_on_failure=True)
        except EigenpalRunError as error:
            self.pile[document.name] = f"could not be read: {error.run.error}"
            return
        except EigenpalConnectionError as error:
            if not error.maybe_started:
                raise
            # The start was sent and never answered. Once more could book it twice; a human looks first.
            self.pile[document.name] = "may have been started already"
            return
        self._decide(document.name, run.output or {})

    def _decide(self, name: str, invoice: dict[str, Any]) -> None:
        total = invoice.get("total")
        if total is None:
            self.pile[name] = "has no total"
        elif total > LIMIT:
            self.pile[name] = f"is above {LIMIT}"
        else:
            self.booked[name] = total
