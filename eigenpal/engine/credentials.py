"""What says who is calling: headers that never change, or a token that is asked for before each request and renewed.

A token that the server refused (401) is renewed once, whoever else was refused meanwhile waits for the same renewal,
and each request is sent once more. Nothing here sends; where credentials may go is up to `session.py`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

import anyio
import attrs

from eigenpal.engine.headers import header_value
from eigenpal.engine.secret import Secret
from eigenpal.engine.transport.port import Request
from eigenpal.errors import EigenpalAuthError, EigenpalInputError

T = TypeVar("T")

# A renewal is not cancelled with the request that began it: a refresh token that can be used once would be lost. So
# this is the longest that a cancelled request hangs on.
LONGEST_RENEWAL_SECONDS: Final = 30.0


@runtime_checkable
class TokenProvider(Protocol):
    """Where a token comes from that is good for a while. Methods that are not async run in a worker thread."""

    def token(self) -> str | Awaitable[str]:
        """Return the token to send now; asked before each request, so keep it."""
        ...

    def refresh(self, rejected: str) -> str | Awaitable[str]:
        """Return a new token in place of one that the server refused; asked once however many requests were refused."""
        ...


Token = str | Callable[[], str | Awaitable[str]] | TokenProvider
"""A bearer token: a text, a function (async or not) that is asked before each request, or a `TokenProvider`."""


def bearer(token: str) -> Mapping[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def given_or_set(name: str, given: object, variable: str) -> str:
    """Return a credential from its argument, else from its environment variable; empty where there is neither."""
    return header_value(name, os.environ.get(variable, "") if given is None else given)


@attrs.frozen
class Credentials:
    """Everything that says who is calling.

    Attributes:
        headers: Headers that never change.
        tokens: Where the bearer token comes from, if it may change.
    """

    headers: Mapping[str, Secret] = attrs.field(factory=dict[str, Secret])
    tokens: Tokens | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, headers: Mapping[str, str], token: Token | None = None, *, name: str = "token") -> Credentials:
        """Return the credentials for headers that never change and a token of any kind.

        Args:
            headers: The headers; their values are checked already.
            token: The bearer token; a text goes into the headers.
            name: What the user knows the token as, for messages.

        Raises:
            EigenpalInputError: A token that can't be one.
        """
        if isinstance(token, str):
            if not (text := header_value(name, token)):
                raise EigenpalInputError(f"{name} is empty")
            headers, token = {**headers, **bearer(text)}, None
        secrets = {header: Secret(value) for header, value in headers.items()}
        return cls(secrets, None if token is None else Tokens(token, name))

    def revealed(self) -> dict[str, str]:
        """Return the headers that never change as they are sent."""
        return {name: value.reveal() for name, value in self.headers.items()}


class Tokens:
    """The token of one client and its copies.

    Args:
        source: Asked for it.
        name: What the user knows it as, for messages.
    """

    def __init__(self, source: Callable[[], str | Awaitable[str]] | TokenProvider, name: str) -> None:
        self._current: Callable[[], Any]
        self._anew: Callable[[str], Any] | None = None
        if isinstance(source, TokenProvider):
            self._current, self._anew = source.token, source.refresh
        elif callable(source):  # pyright: ignore[reportUnnecessaryComparison] - what a user gave
            self._current = source
        else:
            raise EigenpalInputError(
                f"{name} must be a string, a function that returns one, or an object with the methods `token` and "
                f"`refresh`; not {type(source).__name__}"
            )
        self._name = name
        self._renewal: _Renewal | None = None

    def signing(self, request: Request, attempt: Callable[[int], Awaitable[T]]) -> Callable[[int], Awaitable[T]]:
        """Return an attempt that puts the token of the moment on the request, and renews one that is refused, once.

        Args:
            request: What `attempt` sends; it must lead to the origin that the token is for.
            attempt: Sends once; takes how many tries came before.
        """
        may_renew = request.replayable

        async def signed(tries: int) -> T:
            nonlocal may_renew
            token = await self._asked(self._current)
            request.headers.update(bearer(token))
            try:
                return await attempt(tries)
            except EigenpalAuthError as refused:
                if not may_renew:
                    raise
                may_renew = False
                try:
                    other = await self._renewed(token)
                except Exception as problem:
                    raise refused from problem
                if other is None:
                    raise
            request.headers.update(bearer(other))
            return await attempt(tries)

        return signed

    async def _renewed(self, rejected: str) -> str | None:
        """Return another token than the one that was refused; None when there is no other."""
        current = await self._asked(self._current)
        if current != rejected:  # a function knows a newer one, or another request has seen to it meanwhile
            return current
        if self._anew is None:
            return None
        while (renewal := self._renewal) is not None:
            await renewal.ended.wait()
            if renewal.problem is not None:
                raise renewal.problem
            if renewal.token is not None:
                return renewal.token
        return await self._renew(rejected, self._anew)

    async def _renew(self, rejected: str, anew: Callable[[str], Any]) -> str | None:
        renewal = self._renewal = _Renewal()
        try:
            with anyio.CancelScope(shield=True), anyio.fail_after(LONGEST_RENEWAL_SECONDS):
                renewal.token = await self._asked(anew, rejected)
        except Exception as problem:
            renewal.problem = problem
            raise
        finally:
            self._renewal = None
            renewal.ended.set()
        return renewal.token

    async def _asked(self, function: Callable[..., Any], *arguments: str) -> str:
        if not (text := header_value(self._name, await called(function, *arguments))):
            raise EigenpalInputError(f"{self._name} is empty; return the token to send")
        return text


@attrs.define(eq=False)
class _Renewal:
    """One renewal under way, for all requests that were refused meanwhile; without outcome if it was cancelled."""

    ended: anyio.Event = attrs.field(factory=anyio.Event)
    token: str | None = None
    problem: Exception | None = None


async def called(function: Callable[..., Any], *arguments: str) -> Any:
    """Call a user's function: an async one here, any other in a worker thread, since it may wait for the network."""
    # An instance may have an async `__call__`, which is found on its type.
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        return await function(*arguments)
    # In a tuple, since trio takes no awaitable from a thread.
    (result,) = await anyio.to_thread.run_sync(lambda: (function(*arguments),), abandon_on_cancel=True)
    return await result if inspect.isawaitable(result) else result
