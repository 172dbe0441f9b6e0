"""Tokens of users: an access token that is renewed with its refresh token, which changes with each use."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import attrs

from eigenpal.anyjson import object_of, text_of
from eigenpal.archastro.operations import REFRESH_TOKEN
from eigenpal.engine.credentials import called
from eigenpal.engine.headers import header_value
from eigenpal.engine.session import Session
from eigenpal.errors import EigenpalDecodeError, EigenpalInputError, EigenpalUsageError


class RefreshingToken:
    """A user's access token that renews itself when the server refuses it. Give it to one client as `access_token`.

    A refresh token is good for one use and comes back changed; keep the newest, or the next process has to log in.

    Args:
        access_token: The token to begin with.
        refresh_token: What renews it.
        on_rotation: Called with the new access token and the new refresh token after each renewal, in a worker thread
            unless it is async. Store them there.

    Raises:
        EigenpalInputError: A token that can't be sent.
    """

    def __init__(
        self, access_token: str, refresh_token: str, *, on_rotation: Callable[[str, str], object] | None = None
    ) -> None:
        self._access_token = header_value("access_token", access_token)
        self._refresh_token = header_value("refresh_token", refresh_token)
        if not self._access_token or not self._refresh_token:
            raise EigenpalInputError("access_token and refresh_token must not be empty")
        self._on_rotation = on_rotation
        self._session: Session | None = None

    @property
    def access_token(self) -> str:
        """The access token of now."""
        return self._access_token

    @property
    def refresh_token(self) -> str:
        """The refresh token of now."""
        return self._refresh_token

    def attach(self, session: Session) -> None:
        """Renew over the connections of a client; called by it.

        Raises:
            EigenpalUsageError: Another client has it already.
        """
        if self._session is not None:
            raise EigenpalUsageError(
                "A RefreshingToken belongs to one client, since its refresh token can be used once; share the client, "
                "or its copies from with_options."
            )
        credentials = attrs.evolve(session.options.credentials, tokens=None)
        self._session = attrs.evolve(session, options=attrs.evolve(session.options, credentials=credentials))

    async def token(self) -> str:
        """Return the access token of now."""
        return self._access_token

    async def refresh(self, rejected: str) -> str:
        """Exchange the refresh token for new ones.

        Args:
            rejected: The access token that the server refused.

        Raises:
            EigenpalAuthError: The refresh token has been used, or is too old: log in again.
            EigenpalDecodeError: The answer has no tokens.
        """
        if self._session is None:
            raise EigenpalUsageError("Give the RefreshingToken to a client as access_token.")
        answer = object_of(await self._session.call(REFRESH_TOKEN, body={"refresh_token": self._refresh_token}))
        access, following = text_of(answer.get("token")), text_of(answer.get("refresh_token"))
        if not access or not following:
            raise EigenpalDecodeError("the answer to a token refresh has no tokens; its content is not shown")
        self._access_token, self._refresh_token = access, following
        if self._on_rotation is not None:
            await called(self._on_rotation, access, following)
        return access

    def __repr__(self) -> str:
        return "RefreshingToken('***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RefreshingToken is not pickled; read the tokens again from where they are kept")
