"""Ids as the hosted service makes them: a prefix, an underscore, 21 url-safe characters.

Random ids, seeded ids for repeatable tests, and ids derived from a name, which stay the same over restarts.
"""

from __future__ import annotations

import base64
import hashlib
import random
import string
import threading

ID_LENGTH = 21
_ALPHABET = string.ascii_letters + string.digits


class IdSource:
    """Makes ids; with a seed, the same sequence for each prefix every time.

    Args:
        seed: Any integer for repeatable ids; None takes them from the operating system.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._streams: dict[str, random.Random] = {}
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        """Return a fresh id such as `exec_1Bv7sJk4QwE9tYp2LzR6m`.

        Args:
            prefix: Kind of thing, without the underscore.
        """
        with self._lock:
            stream = self._streams.get(prefix)
            if stream is None:
                # A stream per prefix: how often one kind is made must not change the ids of another.
                stream = random.SystemRandom() if self._seed is None else random.Random(f"{self._seed}/{prefix}")
                self._streams[prefix] = stream
            return f"{prefix}_{''.join(stream.choices(_ALPHABET, k=ID_LENGTH))}"


def derived_id(prefix: str, *names: str) -> str:
    """Return the id that always belongs to these names, such as the id of a workflow from its slug.

    Args:
        prefix: Kind of thing, without the underscore.
        names: What the id is made from.
    """
    digest = hashlib.sha256("\0".join((prefix, *names)).encode()).digest()
    text = base64.b64encode(digest, altchars=b"Aa").decode()
    return f"{prefix}_{text[:ID_LENGTH]}"
