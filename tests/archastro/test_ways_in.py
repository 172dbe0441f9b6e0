"""The three ways in: which combinations of keys and tokens there are, where they come from, and what is never mixed."""

from __future__ import annotations

import pickle
from typing import Any

import anyio
import pytest

from eigenpal.archastro import ArchAstroClient, AsyncArchAstroClient, RefreshingToken
from eigenpal.archastro.service import KEY_HEADER, KEY_VARIABLE, PUBLISHABLE_KEY_VARIABLE, TOKEN_VARIABLE
from eigenpal.errors import EigenpalAuthError, EigenpalInputError, EigenpalUsageError
from eigenpal.sandbox import Sandbox

SECRET, PUBLISHABLE, USER, SYSTEM = "sk_4711", "pk_1", "jwt-4711", "sat_4711"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in (KEY_VARIABLE, PUBLISHABLE_KEY_VARIABLE, TOKEN_VARIABLE, "ARCHASTRO_PLATFORM_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def headers_of(client: AsyncArchAstroClient) -> dict[str, str]:
    return client._session.options.credentials.revealed()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("given", "environment_has", "sent"),
    [
        ({"api_key": SECRET}, {}, {KEY_HEADER: SECRET}),
        ({"api_key": SECRET}, {TOKEN_VARIABLE: USER}, {KEY_HEADER: SECRET}),
        ({"api_key": PUBLISHABLE, "access_token": USER}, {}, {KEY_HEADER: PUBLISHABLE, **bearer(USER)}),
        ({"api_key": PUBLISHABLE}, {TOKEN_VARIABLE: USER}, {KEY_HEADER: PUBLISHABLE, **bearer(USER)}),
        ({"access_token": USER}, {PUBLISHABLE_KEY_VARIABLE: PUBLISHABLE}, {KEY_HEADER: PUBLISHABLE, **bearer(USER)}),
        ({"access_token": SYSTEM}, {}, bearer(SYSTEM)),
        ({"access_token": SYSTEM}, {KEY_VARIABLE: SECRET, PUBLISHABLE_KEY_VARIABLE: PUBLISHABLE}, bearer(SYSTEM)),
        ({}, {KEY_VARIABLE: SECRET}, {KEY_HEADER: SECRET}),
        ({}, {KEY_VARIABLE: SECRET, TOKEN_VARIABLE: USER}, {KEY_HEADER: SECRET}),
        ({}, {KEY_VARIABLE: PUBLISHABLE, TOKEN_VARIABLE: USER}, {KEY_HEADER: PUBLISHABLE, **bearer(USER)}),
        ({}, {PUBLISHABLE_KEY_VARIABLE: PUBLISHABLE, TOKEN_VARIABLE: USER}, {KEY_HEADER: PUBLISHABLE, **bearer(USER)}),
        ({}, {TOKEN_VARIABLE: SYSTEM}, bearer(SYSTEM)),
        ({}, {PUBLISHABLE_KEY_VARIABLE: PUBLISHABLE, TOKEN_VARIABLE: SYSTEM}, bearer(SYSTEM)),
        ({"api_key": f" {SECRET}\n"}, {}, {KEY_HEADER: SECRET}),
    ],
)
def test_each_way_in_sends_its_headers_and_no_others(
    given: dict[str, Any],
    environment_has: dict[str, str],
    sent: dict[str, str],
    environment: pytest.MonkeyPatch,
) -> None:
    for variable, value in environment_has.items():
        environment.setenv(variable, value)
    client = AsyncArchAstroClient(**given)
    assert headers_of(client) == sent
    assert client._session.options.credentials.tokens is None
    assert "4711" not in repr(client) + repr(client._session.options)


@pytest.mark.parametrize(
    ("given", "environment_has", "says"),
    [
        ({}, {}, "no credentials: give api_key='sk_...'"),
        ({"api_key": ""}, {KEY_VARIABLE: SECRET}, "api_key is empty"),
        ({"access_token": ""}, {PUBLISHABLE_KEY_VARIABLE: PUBLISHABLE}, "access_token is empty"),
        ({"api_key": PUBLISHABLE}, {}, f"needs the token of a user: .* {TOKEN_VARIABLE}"),
        ({}, {PUBLISHABLE_KEY_VARIABLE: PUBLISHABLE}, "needs the token of a user"),
        ({"access_token": USER}, {}, f"needs the publishable key of its app: .* {PUBLISHABLE_KEY_VARIABLE}"),
        ({"access_token": USER}, {KEY_VARIABLE: SECRET}, "needs the publishable key"),
        ({"api_key": SECRET, "access_token": USER}, {}, "a secret key stands alone"),
        ({"api_key": SECRET, "access_token": SYSTEM}, {}, "stands alone"),
        ({"api_key": PUBLISHABLE, "access_token": SYSTEM}, {}, "stands alone"),
        ({"api_key": "sk_\n4711"}, {}, "can't be sent in a header"),
        ({"api_key": PUBLISHABLE, "access_token": "a\n4711"}, {}, "^access_token .*can't be sent in a header"),
        ({"api_key": PUBLISHABLE, "access_token": 5}, {}, "^access_token must be a string, a function"),
    ],
)
def test_any_other_combination_is_refused_before_anything_is_sent(
    given: dict[str, Any], environment_has: dict[str, str], says: str, environment: pytest.MonkeyPatch
) -> None:
    for variable, value in environment_has.items():
        environment.setenv(variable, value)
    for kind in (AsyncArchAstroClient, ArchAstroClient):
        with pytest.raises(EigenpalInputError, match=says) as caught:
            kind(**given)
        assert "4711" not in str(caught.value)


def test_a_token_that_changes_completes_a_publishable_key_or_stands_alone(environment: pytest.MonkeyPatch) -> None:
    assert headers_of(AsyncArchAstroClient(access_token=lambda: SYSTEM)) == {}
    environment.setenv(PUBLISHABLE_KEY_VARIABLE, PUBLISHABLE)
    client = AsyncArchAstroClient(access_token=lambda: USER)
    assert headers_of(client) == {KEY_HEADER: PUBLISHABLE}
    assert client._session.options.credentials.tokens is not None


def test_the_address_comes_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    assert "https://platform.archastro.ai'" in repr(AsyncArchAstroClient(SECRET))
    environment.setenv("ARCHASTRO_PLATFORM_BASE_URL", "https://own.example/prefix/")
    assert "https://own.example/prefix'" in repr(AsyncArchAstroClient(SECRET))


# ------------------------------------------------------------------------------------------------ against the sandbox


@pytest.mark.anyio
async def test_all_three_ways_lead_in(sandbox: Sandbox) -> None:
    archastro, tokens = sandbox.archastro, sandbox.archastro.log_in()
    ways: list[dict[str, Any]] = [
        {"api_key": archastro.api_key},
        {"access_token": archastro.system_token},
        {"api_key": archastro.publishable_key, "access_token": tokens.access_token},
        {"api_key": archastro.publishable_key, "access_token": lambda: tokens.access_token},
    ]
    for way in ways:
        async with AsyncArchAstroClient(**way, base_url=archastro.url) as client:
            assert len(await client.agent_routines.presets()) == 3
    async with AsyncArchAstroClient("sk_wrong", base_url=archastro.url) as client:
        with pytest.raises(EigenpalAuthError, match="missing or invalid credentials") as caught:
            await client.agent_routines.presets()
    assert caught.value.code == "authentication_error"


@pytest.mark.anyio
async def test_a_users_token_renews_itself_once_for_all_requests_and_hands_out_the_new_ones(sandbox: Sandbox) -> None:
    archastro, before = sandbox.archastro, sandbox.archastro.refreshes
    first, saved = archastro.log_in(), list[tuple[str, str]]()
    token = RefreshingToken(
        first.access_token, first.refresh_token, on_rotation=lambda access, refresh: saved.append((access, refresh))
    )
    async with AsyncArchAstroClient(archastro.publishable_key, access_token=token, base_url=archastro.url) as client:
        await client.agent_routines.presets()
        assert archastro.refreshes == before
        for _ in range(2):
            archastro.expire_tokens()
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(client.with_options(timeout_seconds=5).agent_routines.presets)
    assert archastro.refreshes == before + 2
    assert saved[-1] == (token.access_token, token.refresh_token)
    assert len(set(saved)) == 2


@pytest.mark.anyio
async def test_a_refresh_token_that_was_used_surfaces_the_first_refusal(sandbox: Sandbox) -> None:
    archastro = sandbox.archastro
    tokens = archastro.log_in()
    token = RefreshingToken(tokens.access_token, "rft_used")
    archastro.expire_tokens()
    async with AsyncArchAstroClient(archastro.publishable_key, access_token=token, base_url=archastro.url) as client:
        with pytest.raises(EigenpalAuthError, match="expired_token") as caught:
            await client.agent_routines.presets()
    assert "auth/refresh" in str(caught.value.__cause__)
    assert "rft_used" not in str(caught.value.__cause__)
    requests = [request for request in sandbox.requests if request.path.endswith("/auth/refresh")]
    assert requests[-1].headers.get("authorization") is None


def test_a_refreshing_token_belongs_to_one_client_and_never_shows() -> None:
    token = RefreshingToken(USER, "rft-4711")
    AsyncArchAstroClient(PUBLISHABLE, access_token=token)
    with pytest.raises(EigenpalUsageError, match="belongs to one client"):
        AsyncArchAstroClient(PUBLISHABLE, access_token=token)
    assert "4711" not in repr(token)
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(token)
    with pytest.raises(EigenpalInputError, match="must not be empty"):
        RefreshingToken(USER, " ")


def test_the_blocking_client_renews_too(sandbox: Sandbox) -> None:
    archastro = sandbox.archastro
    tokens, saved = archastro.log_in(), list[str]()
    token = RefreshingToken(
        tokens.access_token, tokens.refresh_token, on_rotation=lambda access, _: saved.append(access)
    )
    archastro.expire_tokens()
    with ArchAstroClient(archastro.publishable_key, access_token=token, base_url=archastro.url) as client:
        assert len(client.agent_routines.presets()) == 3
    assert saved == [token.access_token]
