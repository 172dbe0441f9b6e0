"""Download tokens, as mails about runs carry them: whoever has one may fetch the zip of one run until it expires.

A token is when it expires and a signature of that and the run. Pure, apart from the key that the vault holds.
"""

from __future__ import annotations

import hmac
import re

from eigenpal.sandbox.vault import Vault

_PURPOSE = "zip of a run"
_TOKEN = re.compile(r"(\d{1,15})\.([0-9a-f]{64})", re.ASCII)


def make_token(vault: Vault, run_id: str, expires_at: int) -> str:
    """Return a token.

    Args:
        vault: Signs it.
        run_id: The run whose zip it opens.
        expires_at: When it ends to be good, in milliseconds since 1970.
    """
    return f"{expires_at}.{vault.sign(_PURPOSE, f'{expires_at} {run_id}')}"


def token_opens(vault: Vault, token: str, run_id: str, now: int) -> bool:
    """Tell whether a token is good for a run.

    Args:
        vault: Has signed it.
        token: The token as it came.
        run_id: The run.
        now: The present moment.
    """
    parts = _TOKEN.fullmatch(token)
    if parts is None or int(parts[1]) <= now:
        return False
    return hmac.compare_digest(vault.sign(_PURPOSE, f"{int(parts[1])} {run_id}"), parts[2])
