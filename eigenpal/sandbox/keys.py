"""The API keys that a sandbox makes itself. A data folder keeps them, so that a client's key outlives a restart.

Keys that the user gives are not written anywhere.
"""

from __future__ import annotations

import json
import secrets
import threading
from pathlib import Path

from eigenpal.sandbox.json_values import is_list, is_object


class Keys:
    """Random keys, each belonging to a tenant: asked again after a restart, the first is the first one again.

    Args:
        file: Where they are kept, readable by its owner only; None to keep them nowhere.

    Raises:
        ValueError: The file holds something else.
        OSError: The file can't be read.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._made: dict[str, list[str]] = {} if file is None or not file.exists() else _read(file)
        self._saved = sum(map(len, self._made.values()))
        self._taken: dict[str, int] = {}

    def take(self, tenant: str) -> str:
        """Return the next key of a tenant: one that was kept, else a new one."""
        with self._lock:
            made, position = self._made.setdefault(tenant, []), self._taken.get(tenant, 0)
            self._taken[tenant] = position + 1
            if position == len(made):
                made.append(f"eig_test_{secrets.token_urlsafe(24)}")
            return made[position]

    def save(self) -> None:
        """Write them down, wholly or not at all; the folder must be there."""
        with self._lock:
            count = sum(map(len, self._made.values()))
            if self._file is None or count == self._saved:
                return
            draft = self._file.with_name(f"{self._file.name}.new")
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_text(json.dumps(self._made, indent=2) + "\n", encoding="utf-8")
            draft.replace(self._file)
            self._saved = count

    def __repr__(self) -> str:
        return f"<Keys of {', '.join(self._made) or 'nobody'}>"


def _read(file: Path) -> dict[str, list[str]]:
    try:
        document = json.loads(file.read_bytes())
    except ValueError:
        document = None
    if not is_object(document) or not all(_is_key_list(keys) for keys in document.values()):
        raise ValueError(f"{file} does not hold the API keys of a sandbox; delete it to get new ones.")
    return dict(document)


def _is_key_list(value: object) -> bool:
    return is_list(value) and all(isinstance(key, str) and key for key in value)
