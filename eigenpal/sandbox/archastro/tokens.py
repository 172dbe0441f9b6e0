"""Who may call: secret keys, publishable keys with the tokens of users, tokens of system users. And their renewal."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eigenpal.anyjson import object_of, text_of
from eigenpal.sandbox.call import Tenant
from eigenpal.sandbox.ids import derived_id
from eigenpal.sandbox.problems import Problem

LIFETIME_SECONDS = 900  # what the answer to a refresh says of an access token; here it lasts until it is expired

SECRET, PUBLISHABLE, SYSTEM = "sk_", "pk_", "sat_"


@dataclass(frozen=True, slots=True)
class UserTokens:
    """What a login gives.

    Attributes:
        access_token: Sent with each request, beside the publishable key.
        refresh_token: Good for one renewal.
    """

    access_token: str
    refresh_token: str


class Gate:
    """Knows every credential of one sandbox. Safe from any thread.

    Args:
        tenant_of: Returns whose an API key of the sandbox is, None for an unknown one.
    """

    def __init__(self, tenant_of: Callable[[str], Tenant | None]) -> None:
        self._tenant_of = tenant_of
        self._lock = threading.Lock()
        self._publishable: dict[str, str] = {}
        self._access: dict[str, str] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self.refreshes: int = 0

    def publishable_key(self, api_key: str) -> str:
        """Return the key that names the app of an API key, and opens nothing by itself."""
        key = derived_id("pk", api_key)
        with self._lock:
            self._publishable[key] = api_key
        return key

    def log_in(self, api_key: str) -> UserTokens:
        """Return new tokens of a user of the app."""
        tokens = UserTokens(f"jwt_{secrets.token_hex(12)}", f"rft_{secrets.token_hex(12)}")
        with self._lock:
            self._access[tokens.access_token] = api_key
            self._refresh[tokens.refresh_token] = (api_key, tokens.access_token)
        return tokens

    def expire(self) -> None:
        """Let every access token be too old; refresh tokens still work."""
        with self._lock:
            self._access.clear()

    def renew(self, refresh_token: str) -> UserTokens:
        """Exchange a refresh token.

        Raises:
            Problem: 401, it was used before or never given.
        """
        with self._lock:
            self.refreshes += 1
            found = self._refresh.pop(refresh_token, None)
            if found is not None:
                self._access.pop(found[1], None)
        if found is None:
            raise Problem(401, "invalid_refresh_token", code="authentication_error")
        return self.log_in(found[0])

    def tenant(self, headers: Mapping[str, str], bearer: str | None) -> Tenant:
        """Return who calls.

        Raises:
            Problem: 401, none of the three ways in.
        """
        key = headers.get("x-archastro-api-key", "")
        tenant = None
        if key.startswith(SECRET):
            tenant = self._tenant_of(key.removeprefix(SECRET))
        elif bearer is not None and bearer.startswith(SYSTEM) and not key:
            tenant = self._tenant_of(bearer.removeprefix(SYSTEM))
        elif key.startswith(PUBLISHABLE) and bearer is not None:
            app, user = self._publishable.get(key), self._access.get(bearer)
            if app is not None and user is None:
                raise Problem(401, "expired_token", code="authentication_error")
            tenant = self._tenant_of(app) if app is not None and app == user else None
        if tenant is None:
            raise Problem(401, "missing or invalid credentials", code="authentication_error")
        return tenant

    def refreshed(self, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
        """Answer POST /auth/refresh.

        Raises:
            Problem: 401, the key or the refresh token is no good.
        """
        if self._publishable.get(headers.get("x-archastro-api-key", "")) is None:
            raise Problem(401, "missing or invalid credentials", code="authentication_error")
        tokens = self.renew(text_of(object_of(body).get("refresh_token")) or "")
        return {
            "token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "expires_in": LIFETIME_SECONDS,
            "user": {"id": "usr_sandbox"},
        }
