"""The inbox, async: many invoices at once, as a web service gets them."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from eigenpal import AsyncEigenpalClient

TARGET = "workflows.extract-invoice"


async def totals(documents: Mapping[str, bytes]) -> dict[str, float]:
    """Return the total of each invoice, by file name.

    The client is made here, from EIGENPAL_API_KEY and EIGENPAL_BASE_URL.
    """
    found: dict[str, float] = {}
    async with AsyncEigenpalClient() as client, anyio.create_task_group() as tasks:

        async def read(name: str, content: bytes) -> None:
            invoice = {"filename": name, "content": content}
            run = await client.run_and_wait(TARGET, {"invoice": invoice}, raise_on_failure=True)
            found[name] = (run.output or {})["total"]

        for name, content in documents.items():
            tasks.start_soon(read, name, content)
    return found
