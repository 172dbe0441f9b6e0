"""Tokens that change: asked for before each request, renewed once for everyone who was refused, never shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from eigenpal.engine.credentials import Credentials, Token, TokenProvider
from eigenpal.epilot import AsyncEpilotClient, EpilotClient
from eigenpal.errors import EigenpalAuthError, EigenpalInputError, EigenpalServerError

pytestmark = pytest.mark.anyio

BODY: dict[str, Any] = {"agents": [], "next_cursor": None}


class Service:
    """Accepts some tokens, and remembers what it was sent."""

    def __init__(self, *accepted: str) -> None:
        self.accepted = set(accepted)
        self.seen: list[str] = []
        self.failures: list[int] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.seen.append(token)
        if token not in self.accepted:
            return httpx.Response(401, json={"error": "Unauthorized", "message": f"call {len(self.seen)}"})
        if self.failures:
            return httpx.Response(self.failures.pop(0), json={})
        return httpx.Response(200, json=BODY)


def client_of(service: Service, token: Token, **options: Any) -> AsyncEpilotClient:
    client = AsyncEpilotClient(token, transport=httpx.MockTransport(service), **options)
    client._session.policy.sleep = _turn
    return client


async def _turn(_seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


class Provider:
    """A provider whose refresh token is good for one use each."""

    def __init__(self, service: Service, problem: Exception | None = None) -> None:
        self.service = service
        self.problem = problem
        self.renewals: list[str] = []
        self.now = "old"
        self.gate = anyio.Event()
        self.gate.set()

    async def token(self) -> str:
        return self.now

    async def refresh(self, rejected: str) -> str:
        self.renewals.append(rejected)
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        self.now = f"new{len(self.renewals)}"
        self.service.accepted = {self.now}
        return self.now


# ------------------------------------------------------------------------------------------------ functions


async def test_a_function_is_asked_before_every_request_and_every_retry() -> None:
    service, tokens = Service("1", "2", "3"), iter("123")
    service.failures = [503]
    async with client_of(service, lambda: next(tokens)) as client:
        await client.agents.list()
        await client.agents.list()
    assert service.seen == ["1", "2", "3"]


async def test_an_async_function_runs_in_the_loop_and_a_plain_one_in_a_thread() -> None:
    threads: list[int] = []

    async def in_loop() -> str:
        await anyio.lowlevel.checkpoint()
        threads.append(threading.get_ident())
        return "t"

    class AsyncCallable:
        async def __call__(self) -> str:
            return await in_loop()

    def plain() -> str:
        threads.append(threading.get_ident())
        return "t"

    for source in (in_loop, AsyncCallable(), lambda: in_loop(), plain):  # noqa: PLW0108 - a plain function that returns an awaitable
        async with client_of(Service("t"), source) as client:
            await client.agents.list()
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, True, True, False]


def test_the_blocking_client_asks_on_a_thread_that_may_block() -> None:
    threads: list[str] = []

    def plain() -> str:
        threads.append(threading.current_thread().name)
        return "t"

    with EpilotClient(plain, transport=httpx.MockTransport(Service("t"))) as client:
        client.agents.list()
    assert threads
    assert "portal" not in threads[0]


async def test_a_refused_token_is_asked_for_again_and_another_one_is_sent_once() -> None:
    service, tokens = Service("good"), iter(["stale", "good", "good"])
    async with client_of(service, lambda: next(tokens)) as client:
        await client.agents.list()
    assert service.seen == ["stale", "good"]


async def test_the_same_token_again_is_not_sent_again() -> None:
    service = Service()
    async with client_of(service, lambda: "same") as client:
        with pytest.raises(EigenpalAuthError, match="call 1"):
            await client.agents.list()
    assert service.seen == ["same"]


async def test_what_a_function_raises_reaches_the_caller_as_it_is() -> None:
    def broken() -> str:
        raise LookupError("no keyring")

    service = Service()
    async with client_of(service, broken) as client:
        with pytest.raises(LookupError, match="no keyring"):
            await client.agents.list()
    assert service.seen == []


@pytest.mark.parametrize("token", ["", " \n", "hun\nter2", 5, None])
async def test_a_token_that_can_not_be_sent_is_refused_and_not_shown(token: Any) -> None:
    service = Service()
    async with client_of(service, lambda: token) as client:
        with pytest.raises(EigenpalInputError, match="^token ") as caught:
            await client.agents.list()
    assert "ter2" not in str(caught.value)
    assert service.seen == []


@pytest.mark.parametrize("source", [5, object(), ["t"]])
def test_a_source_that_is_none_is_refused_at_once(source: Any) -> None:
    with pytest.raises(EigenpalInputError, match="a function that returns one, or an object with the methods"):
        AsyncEpilotClient(source)


# ------------------------------------------------------------------------------------------------ providers


async def test_requests_that_are_refused_together_share_one_renewal() -> None:
    service = Service()
    provider = Provider(service)
    assert isinstance(provider, TokenProvider)
    async with client_of(service, provider) as client:
        async with anyio.create_task_group() as tasks:
            for one in (client, client.with_options(max_retries=0)) * 20:
                tasks.start_soon(one.agents.list)
        assert provider.renewals == ["old"]
        assert service.seen.count("new1") == 40
        await client.agents.list()
    assert provider.renewals == ["old"]


async def test_a_request_is_sent_again_exactly_once() -> None:
    service = Service()
    provider = Provider(service)

    async def useless(rejected: str) -> str:
        provider.renewals.append(rejected)
        provider.now += "x"
        return provider.now

    provider.refresh = useless  # type: ignore[method-assign]  # a server that refuses every token
    async with client_of(service, provider) as client:
        with pytest.raises(EigenpalAuthError, match="call 2"):
            await client.agents.list()
    assert service.seen == ["old", "oldx"]


async def test_a_retry_after_the_renewal_does_not_renew_again() -> None:
    service = Service()
    provider = Provider(service)
    service.failures = [503, 503]
    async with client_of(service, provider) as client:
        await client.agents.list()
    assert service.seen == ["old", "new1", "new1", "new1"]


@pytest.mark.parametrize("problem", [ValueError("used"), EigenpalServerError("down", status=500)])
async def test_a_renewal_that_fails_surfaces_the_first_refusal(problem: Exception) -> None:
    service = Service()
    provider = Provider(service, problem)
    async with client_of(service, provider) as client:
        errors: list[BaseException] = []

        async def call() -> None:
            with pytest.raises(EigenpalAuthError) as caught:
                await client.agents.list()
            errors.append(caught.value)

        provider.gate = anyio.Event()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            provider.gate.set()
    assert provider.renewals == ["old"]
    assert all(error.__cause__ is problem for error in errors)
    assert service.seen == ["old"] * 5


async def test_a_renewal_goes_on_when_the_request_that_began_it_is_cancelled() -> None:
    service = Service()
    provider = Provider(service)
    provider.gate = anyio.Event()
    scope = anyio.CancelScope()
    async with client_of(service, provider) as client, anyio.create_task_group() as tasks:

        async def first() -> None:
            with scope:
                await client.agents.list()

        tasks.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(client.agents.list)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        provider.gate.set()
    assert scope.cancelled_caught
    assert provider.renewals == ["old"]
    assert service.seen == ["old", "old", "new1"]


async def test_a_token_that_another_request_renewed_meanwhile_is_simply_used() -> None:
    service = Service("late")
    provider = Provider(service)
    answers = iter(["old", "late", "late"])
    provider.token = lambda: _later(answers)  # type: ignore[method-assign]  # it changes between the two questions
    async with client_of(service, provider) as client:
        await client.agents.list()
    assert provider.renewals == []
    assert service.seen == ["old", "late"]


async def _later(answers: Any) -> str:
    await anyio.lowlevel.checkpoint()
    token: str = next(answers)
    return token


# ------------------------------------------------------------------------------------------------ secrets


@pytest.mark.parametrize("make", [lambda: "t-4711", lambda: lambda: "t-4711"])
def test_credentials_never_show(make: Callable[[], Any]) -> None:
    client = AsyncEpilotClient(make())
    options = client._session.options
    for text in (repr(client), repr(options), repr(options.credentials), str(options.credentials)):
        assert "4711" not in text


def test_a_token_that_is_a_text_costs_nothing_more_than_a_key() -> None:
    credentials = Credentials.of({"X-Key": "k"}, "t")
    assert credentials.tokens is None
    assert credentials.revealed() == {"X-Key": "k", "Authorization": "Bearer t"}
