"""The main job, start to end, on the local sandbox: a real PDF in, live status, the invoice as a table, its artifact.

Run it with `nox -s demo`, or `python examples/demo.py path/to/your.pdf`; `--services` shows one job on each of three
services instead.
"""

from __future__ import annotations

import runpy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from eigenpal import EigenpalClient, EigenpalError, Run
from eigenpal.sandbox import Sandbox

SAMPLE = Path(__file__).parent / "invoices" / "acme-2026-0042.pdf"


def invoice_table(invoice: dict[str, Any]) -> Table:
    """Lay the extracted invoice out as a table: line items, then the totals."""
    currency = invoice.get("currency") or ""
    table = Table(title=f"Invoice {invoice.get('number')}", caption=_parties(invoice), show_footer=True)
    table.add_column("Description", footer="Total")
    for heading in ("Quantity", "Unit price"):
        table.add_column(heading, justify="right")
    table.add_column("Amount", justify="right", footer=f"{_money(invoice.get('total'))} {currency}")
    for item in invoice.get("line_items", []):
        table.add_row(
            item["description"],
            f"{item['quantity']:g}" if item.get("quantity") is not None else "",
            _money(item.get("unit_price")),
            _money(item.get("amount")),
        )
    return table


def _parties(invoice: dict[str, Any]) -> str:
    return (
        f"{invoice.get('seller')} to {invoice.get('buyer')}, {invoice.get('issue_date')}, due {invoice.get('due_date')}"
    )


def _money(amount: float | None) -> str:
    return f"{amount:,.2f}" if amount is not None else ""


def main(document: Path) -> int:
    """Extract one invoice and show it; return the exit status."""
    console = Console()
    began = time.monotonic()

    def show(run: Run) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.2f} s[/]  {run.id}  [bold]{run.status}[/]")

    with (
        Sandbox(run_latency=0.5) as sandbox,
        EigenpalClient(api_key=sandbox.api_key, base_url=sandbox.url) as client,
    ):
        console.print(f"Sandbox at {sandbox.url}; sending [bold]{document.name}[/] ({document.stat().st_size:,} bytes)")
        run = client.run_and_wait("workflows.extract-invoice", {"invoice": document}, on_update=show)
        if run.output is None:
            console.print(f"[red]The run {run.status}:[/] {run.error}")
            return 1
        console.print(invoice_table(run.output))
        folder = Path(tempfile.mkdtemp(prefix="eigenpal-demo-"))
        for artifact in run.files:
            saved = client.runs.artifacts.save(run.id, artifact.path, to=folder)
            console.print(f"Saved [bold]{saved}[/] ({saved.stat().st_size:,} bytes)")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--services"]:
        runpy.run_path(str(Path(__file__).with_name("services.py")), run_name="__main__")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    if not path.is_file():
        sys.exit(f"no such file: {path}")
    try:
        sys.exit(main(path))
    except EigenpalError as error:
        sys.exit(f"{type(error).__name__}: {error}")
