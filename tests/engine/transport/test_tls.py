"""T4: whom to trust, and one context for all who trust the same."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from eigenpal.engine.transport.tls import shared_context
from eigenpal.errors import EigenpalInputError
from tests.engine.transport.exchanges import connections, exchange
from tests.scripted_server import scripted_server


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_t4_one_context_serves_all_who_trust_the_same(bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = shared_context(True, trust_env=True)
    assert shared_context(True, trust_env=True) is usual
    assert shared_context(True, trust_env=False) is usual  # nothing is set that could make a difference
    assert shared_context(bundle, trust_env=True) is shared_context(bundle, trust_env=False)
    assert shared_context(bundle, trust_env=True) is not usual
    assert shared_context(False, trust_env=True) is not usual
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    assert shared_context(True, trust_env=True) is not usual
    assert shared_context(True, trust_env=False) is usual


def test_a_context_of_the_users_own_is_used_as_it_is() -> None:
    context = ssl.create_default_context()
    assert shared_context(context, trust_env=True) is context


def test_offering_http2_does_not_change_the_context_of_others() -> None:
    assert shared_context(True, trust_env=True, http2=True) is not shared_context(True, trust_env=True)


def test_the_usual_context_checks_certificates_and_names() -> None:
    context = shared_context(True, trust_env=True)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("named", ["verify", "SSL_CERT_FILE"])
def test_a_file_without_certificates_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("nothing")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(EigenpalInputError, match=named):
        shared_context(str(path) if named == "verify" else True, trust_env=True)


@pytest.mark.anyio
async def test_a_file_of_certificates_is_trusted(own_kind: str, server_tls: ssl.SSLContext, bundle: str) -> None:
    with scripted_server(tls=server_tls) as server:
        async with connections(own_kind, verify=bundle) as mine:
            for _ in range(2):
                assert (await exchange(mine, server.url + "/")).status == 200
    assert server.connections == 1


@pytest.mark.anyio
async def test_a_context_is_trusted(kind: str, server_tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    body = bytes(range(256)) * 8192
    with scripted_server(tls=server_tls) as server:
        async with connections(kind, verify=trusting) as mine:
            answer = await exchange(mine, server.url + "/", method="POST", body=body)
    assert answer.status == 200
    assert server.requests[0].body == body


@pytest.mark.anyio
async def test_the_environment_names_whom_to_trust(
    own_kind: str, server_tls: ssl.SSLContext, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    monkeypatch.setenv("NO_PROXY", "*")
    with scripted_server(tls=server_tls) as server:
        async with connections(own_kind, trust_env=True) as mine:
            assert (await exchange(mine, server.url + "/")).status == 200


@pytest.mark.anyio
async def test_without_verification_anyone_is_trusted(own_kind: str, server_tls: ssl.SSLContext) -> None:
    with scripted_server(tls=server_tls) as server:
        async with connections(own_kind, verify=False) as mine:
            assert (await exchange(mine, server.url + "/")).status == 200


@pytest.mark.anyio
async def test_a_client_certificate_comes_with_a_context(
    own_kind: str, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    demanding = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(demanding)
    authority.configure_trust(demanding)
    demanding.verify_mode = ssl.CERT_REQUIRED
    mine_context = ssl.create_default_context()
    authority.configure_trust(mine_context)
    authority.issue_cert("client@example.org").configure_cert(mine_context)
    with scripted_server(tls=demanding) as server:
        async with connections(own_kind, verify=mine_context) as mine:
            assert (await exchange(mine, server.url + "/")).status == 200
