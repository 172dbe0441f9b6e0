"""What `eigenpal sandbox` prints once it runs: where it is, and programs that can be pasted as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from eigenpal._version import __version__

_INVOICE = b"Acme Ltd\nInvoice no. 42\nDate: 2026-03-01\nTotal 12.50 EUR\n"
_EXAMPLE = ("workflows.extract-invoice", f'{{"invoice": {{"filename": "invoice.txt", "content": {_INVOICE!r}}}}}')

_BLOCKING = """\
from eigenpal import EigenpalClient

with EigenpalClient({arguments}) as client:
    run = client.run_and_wait("{target}", {inputs})
    print(run.status, run.output)
"""

_ASYNC = """\
import asyncio

from eigenpal import AsyncEigenpalClient


async def main() -> None:
    async with AsyncEigenpalClient({arguments}) as client:
        run = await client.run_and_wait("{target}", {inputs})
        print(run.status, run.output)


asyncio.run(main())
"""


def welcome(*, url: str, api_key: str | None, data: Path | None, targets: Sequence[str]) -> Text:
    """Return the text.

    Args:
        url: Where the sandbox runs.
        api_key: Its key; None when clients find it in `EIGENPAL_API_KEY`, and then it isn't shown.
        data: Its data folder; None for a temporary one.
        targets: What was loaded; the programs start the first of these, else the example that is always there.
    """
    target, inputs = (targets[0], "{}") if targets else _EXAMPLE
    key = [] if api_key is None else [f'api_key="{api_key}"']
    filling = {"arguments": ", ".join([*key, f'base_url="{url}"']), "target": target, "inputs": inputs}
    facts = {
        "API": url,
        "Page": f"{url}/ in a browser shows runs and requests as they come",
        "API key": api_key or "the one in EIGENPAL_API_KEY",
        "Data": str(data.absolute()) if data is not None else "temporary, gone when it stops",
        "Targets": ", ".join(dict.fromkeys([*targets, _EXAMPLE[0]])),
    }
    text = Text()
    text.append(f"eigenpal sandbox {__version__}\n\n", "bold")
    for name, value in facts.items():
        text.append(f"  {name:9}", "dim").append(f"{value}\n")
    for title, program in (("Blocking", _BLOCKING), ("Async", _ASYNC)):
        text.append(f"\n# {title}\n\n", "dim").append(program.format(**filling))
    return text.append("\nCtrl-C stops it.", "dim")
