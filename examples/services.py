"""One job on each of three services, in one batch and one table: an invoice is read, checked, and paid once allowed.

Run it with `nox -s demo -- --services`, or `python examples/services.py`. The sandbox plays all three services.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from eigenpal import (
    EigenpalClient,
    EigenpalError,
    Lifecycle,
    Progress,
    RunOutcome,
    RunRequest,
    ServiceOutcome,
    ServiceRequest,
    Services,
)
from eigenpal.archastro import ArchAstroClient, SessionRequest
from eigenpal.epilot import ApprovalRequest, Approve, Decision, EpilotClient, ExecutionRequest
from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.archastro import SessionContext
from eigenpal.sandbox.epilot import AgentContext

INVOICE = Path(__file__).parent / "invoices" / "acme-2026-0042.pdf"
MOST_FACTS = 3  # in a cell: the table fits on a screen, whatever is answered


def check(context: SessionContext) -> dict[str, Any]:
    """Do the task it is given, as an agent of ArchAstro."""
    context.progress("tool_use", tool="ledger", question=context.instructions)
    return {"paid_before": False}


def pay(context: AgentContext) -> str:
    """Pay once a human has allowed it, as an agent of epilot."""
    context.add_usage(input_tokens=850, output_tokens=40, cost_usd=0.004)
    preview = {
        "action": {"type": "create", "verb": "Pay invoice"},
        "target": {"type": "invoice", "id": "i42", "name": "ACME-2026-0042"},
        "summary": "It is due and was not paid before",
    }
    context.act("payment.create", {"amount": 10_731.19, "currency": "USD"}, lambda: {"paid": True}, preview=preview)
    return "The invoice is paid."


def short(value: Any) -> str:
    """Return a result or a usage as a few facts: what it says plainly, without zeros, lists and what lies deeper."""
    members: dict[str, Any] = value.to_dict() if hasattr(value, "to_dict") else value or {}
    plain = {name: found for name, found in members.items() if isinstance(found, str | int | float)}
    facts = [f"{name}: {found}" for name, found in plain.items() if found or found is False]
    return "\n".join(facts[:MOST_FACTS]) or "-"


def row(outcome: ServiceOutcome, usage: Any) -> list[str]:
    """Return an outcome as a row; what is done reads the same, whichever service did it."""
    work: Lifecycle | None = outcome.value
    if work is None:
        return [outcome.key, outcome.id or "-", "not done", f"{outcome.seconds:.1f}", str(outcome.error), "-"]
    result = short(work.result) if work.succeeded else str(work.error)
    return [outcome.key, work.id, str(work.status), f"{outcome.seconds:.1f}", result, short(usage)]


def main() -> int:
    """Do the three jobs and show them; return the exit status."""
    console = Console()

    def decide(request: ApprovalRequest) -> Decision:
        console.print("[bold]epilot asks:[/]")
        console.print(str(request), markup=False)
        return Approve("it is due")

    def show(progress: Progress) -> None:
        console.print(f"  [dim]{progress.elapsed_seconds:4.1f} s[/]  {progress.running} running, {progress.done} done")

    with (
        Sandbox(run_latency=0.5) as sandbox,
        EigenpalClient(sandbox.api_key, base_url=sandbox.url) as eigenpal,
        ArchAstroClient(sandbox.archastro.api_key, base_url=sandbox.archastro.url) as archastro,
        EpilotClient(sandbox.epilot.token, base_url=sandbox.epilot.url) as epilot,
    ):
        sandbox.archastro.agent("checker")(check)
        sandbox.epilot.agent("payer", execution_mode="approval")(pay)
        requests: dict[str, ServiceRequest] = {
            "EigenPal": RunRequest({"invoice": INVOICE}, target="workflows.extract-invoice"),
            "ArchAstro": SessionRequest("Was ACME-2026-0042 paid before?", agent=sandbox.archastro.agent_id("checker")),
            "epilot": ExecutionRequest({"entity_id": "i42"}, agent_id=sandbox.epilot.id_of("payer")),
        }
        services = Services(eigenpal, archastro, epilot)
        outcomes = list(
            services.run_many(requests, ordered=True, on_approval=decide, on_progress=show, poll_interval_seconds=0.2)
        )
        table = Table(title="One job on each service")
        for heading in ("Service", "Id", "Status", "Seconds", "Result", "Usage"):
            table.add_column(heading, overflow="fold")
        for outcome in outcomes:
            usage = None if outcome.value is None else outcome.value.usage
            if isinstance(outcome, RunOutcome) and outcome.run_id is not None:  # runs tell their usage only when asked
                usage = eigenpal.runs.get(outcome.run_id, expand="usage").usage
            table.add_row(*row(outcome, usage))
        console.print(table)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EigenpalError as error:
        sys.exit(f"{type(error).__name__}: {error}")
