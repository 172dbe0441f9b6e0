"""The inbox against a sandbox, on asyncio and on trio; it finds the sandbox through the environment by itself."""

from __future__ import annotations

import pytest

from eigenpal import AsyncEigenpalClient
from eigenpal.sandbox import Sandbox
from invoice_desk.inbox import totals

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


def invoices(count: int) -> dict[str, bytes]:
    return {
        f"{number}.txt": b"Acme Ltd\nInvoice no. %d\nTotal %d.00 EUR\n" % (number, number) for number in range(count)
    }


async def test_many_invoices_are_read_at_once(eigenpal_sandbox: Sandbox) -> None:
    assert await totals(invoices(5)) == {f"{number}.txt": float(number) for number in range(5)}
    assert len([request for request in eigenpal_sandbox.requests if request.method == "POST"]) == 5


async def test_an_invoice_that_fails_leaves_the_others_recorded(
    async_eigenpal_client: AsyncEigenpalClient, eigenpal_sandbox: Sandbox
) -> None:
    eigenpal_sandbox.stub("extract-invoice", error="The scan is blank.")
    with pytest.raises(ExceptionGroup):
        await totals(invoices(2))
    page = await async_eigenpal_client.runs.list(status="failed")
    assert len(page.items) >= 1
