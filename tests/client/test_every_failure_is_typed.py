"""Whatever goes wrong, the user gets an error of this package that says what to do (`Errors` of the API contract)."""

from __future__ import annotations

import copy
import pickle
import ssl
import traceback
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trustme

from eigenpal.errors import EigenpalConnectionError, EigenpalError, EigenpalTimeoutError
from tests.client.conftest import Connect, all_wires, until
from tests.client.failures import ANSWERS, BREAKS, Failure, on_wires, stay_silent
from tests.scripted_server import scripted_server

pytestmark = pytest.mark.anyio

FOREIGN = {"httpx", "httpcore", "h11", "aiohttp", "anyio", "ssl", "tenacity", "cattrs", "attrs", "trio", "zlib", "json"}


def shown_chain(error: BaseException) -> list[BaseException]:
    """Return every exception that a traceback of this one would show."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return chain


@pytest.mark.parametrize(("wire", "failure"), on_wires(["aiohttp", "trio"], ["aiohttp", "lanes", "trio"]), ids=str)
async def test_a_failed_call_raises_an_error_of_this_package_alone(connect: Connect, failure: Failure) -> None:
    with failure.place() as url:
        async with connect(url, max_retries=0, **failure.options) as client:
            with pytest.raises(EigenpalError) as caught:
                await client.runs.get("exec_1")
    error = caught.value
    assert type(error) is failure.kind
    assert error.status == failure.status
    for words in failure.says:
        assert words in str(error)
    assert error.method == "GET"
    assert error.url == f"{url}/api/v1/runs/exec_1"
    assert not error.maybe_started
    assert error.retries_taken == 0
    assert {type(one).__module__.partition(".")[0] for one in shown_chain(error)}.isdisjoint(FOREIGN)
    assert "During handling" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("failure", [ANSWERS[0], BREAKS[-2]], ids=str)
async def test_an_error_survives_copying_and_pickling(connect: Connect, failure: Failure) -> None:
    with failure.place() as url:
        async with connect(url, max_retries=0, **failure.options) as client:
            with pytest.raises(EigenpalError) as caught:
                await client.runs.get("exec_1")
    for again in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(again) is failure.kind
        assert str(again) == str(caught.value)
        assert vars(again) == vars(caught.value)


async def test_an_error_carries_what_the_server_said(connect: Connect) -> None:
    with ANSWERS[0].place() as url:
        async with connect(url) as client:
            with pytest.raises(EigenpalError) as caught:
                await client.runs.get("exec_1")
    error = caught.value
    assert error.request_id == "req_42"
    assert error.envelope["issues"] == [
        {"field": "body.input", "message": "is wrong", "code": "x", "severity": "error"}
    ]
    assert error.headers["content-type"] == "application/json"


async def test_a_certificate_of_a_private_authority_is_trusted_once_it_is_named(
    connect: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(file)
    with scripted_server(tls=context) as server:
        async with connect(server.url, verify_ssl=str(file)) as client:
            assert await client.request("GET", "/") == {}


@all_wires
async def test_a_request_that_waited_in_the_queue_for_too_long_is_told_so(connect: Connect) -> None:
    with scripted_server(stay_silent) as server:
        async with connect(server.url, max_concurrency=1, max_retries=0) as client, anyio.create_task_group() as tasks:

            async def occupy() -> None:
                with pytest.raises(EigenpalConnectionError):
                    await client.runs.get("exec_1")

            tasks.start_soon(occupy)
            await until(lambda: server.requests)
            with pytest.raises(EigenpalTimeoutError, match="queue of this client"):
                await client.with_options(timeout_seconds=0.1).runs.get("exec_2")
            await client.aclose()
        assert len(server.requests) == 1


@all_wires
@pytest.mark.parametrize("call", ["get", "run", "download", "save"])
async def test_closing_the_client_ends_requests_under_way_with_a_typed_error(
    connect: Connect, call: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("saved")
    with scripted_server(stay_silent) as server:
        client = connect(server.url, max_retries=0)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "get": lambda: client.runs.get("exec_1"),
            "run": lambda: client.run("workflows.echo", {"a": 1}),
            "download": lambda: client.runs.artifacts.download("exec_1", "output/a.pdf"),
            "save": lambda: client.runs.artifacts.save("exec_1", "output/a.pdf", to=folder),
        }
        caught: list[EigenpalError] = []

        async def under_way() -> None:
            try:
                await calls[call]()
            except EigenpalError as error:
                caught.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(under_way)
            await until(lambda: server.requests)
            with anyio.fail_after(3):
                await client.aclose()
    [error] = caught
    assert type(error) is EigenpalConnectionError
    assert error.maybe_started is (call == "run")
    assert list(folder.iterdir()) == []
