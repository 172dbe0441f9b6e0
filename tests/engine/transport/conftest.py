"""Fixtures of the transports' tests: the kinds of transport, and a certificate authority."""

from __future__ import annotations

import ssl

import pytest
import trustme

from tests.engine.transport.exchanges import KINDS, OWN_KINDS, fits


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what can't be: aiohttp runs on asyncio only."""
    impossible = []
    for item in items:
        chosen = getattr(getattr(item, "callspec", None), "params", {})
        if not fits(chosen.get("kind") or chosen.get("own_kind") or "", chosen.get("anyio_backend", "asyncio")):
            impossible.append(item)
    for item in impossible:
        items.remove(item)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Every way to send."""
    return str(request.param)


@pytest.fixture(params=OWN_KINDS)
def own_kind(request: pytest.FixtureRequest) -> str:
    """The transports that are ours alone."""
    return str(request.param)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a server at 127.0.0.1 needs to be trusted by those who trust the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def trusting_others() -> ssl.SSLContext:
    """A client's trust in all that the system trusts, which the authority is not among."""
    return ssl.create_default_context()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's trust in the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
