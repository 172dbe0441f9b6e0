"""What the server was asked, kept for tests to assert on. Bounded: old requests and large bodies are let go."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

MAX_REQUESTS = 1000  # together with MAX_BODY_BYTES the worst case is 64 MB
MAX_BODY_BYTES = 64 * 1024

_SECRET_HEADERS = frozenset({b"authorization", b"cookie", b"proxy-authorization", b"x-archastro-api-key"})


class RecordedRequest:
    """One request as the server saw it.

    Attributes:
        method: HTTP method.
        path: Path, percent-decoded, without the query.
        raw_path: Path as sent.
        received_at: When it came, in milliseconds since 1970 by the clock of the sandbox.
        seconds: How long its answer took to begin; None when the connection was cut before one.
        body_size: Bytes of the body that were read.
        status: HTTP status of the answer; None when the connection was cut before one.
        request_id: Correlation id of the answer.
    """

    def __init__(self, scope: Mapping[str, Any], request_id: str, received_at: int) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.request_id = request_id
        self.received_at = received_at
        self.seconds: float | None = None
        self.status: int | None = None
        self.body_size: int = 0
        self._began = time.perf_counter()
        self._raw_path: bytes = scope.get("raw_path") or self.path.encode()
        self._query: bytes = scope["query_string"]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._body: bytes | None = b""

    @property
    def raw_path(self) -> str:
        """Path as sent, percent-encoded, without the query."""
        return self._raw_path.decode("latin-1")

    @property
    def query_string(self) -> str:
        """Query as sent, percent-encoded, without the question mark."""
        return self._query.decode("latin-1")

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Query parameters; of a repeated one the last value."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Headers, names in lower case, secrets masked."""
        return {
            name.decode("latin-1"): "***" if name in _SECRET_HEADERS else value.decode("latin-1")
            for name, value in self._headers
        }

    @property
    def body(self) -> bytes | None:
        """The body that was read; None when it was too large to keep."""
        return self._body

    @property
    def json(self) -> Any:
        """The body as JSON; None when it isn't JSON or was not kept."""
        try:
            return json.loads(self._body or b"null")
        except ValueError:
            return None

    def take(self, piece: bytes) -> None:
        """Add a piece of the body."""
        self.body_size += len(piece)
        if self._body is not None:
            self._body = self._body + piece if self.body_size <= MAX_BODY_BYTES else None

    def answered(self, status: int) -> None:
        """Note the status of the answer, which begins now."""
        self.status = status
        self.seconds = time.perf_counter() - self._began

    def __repr__(self) -> str:
        return f"<{self.method} {self.raw_path} {self.status}>"


class Recorder:
    """The latest requests, oldest first: iterate, index, `len()`, `clear()`. Safe from any thread."""

    def __init__(self) -> None:
        self._requests: deque[RecordedRequest] = deque(maxlen=MAX_REQUESTS)
        self._lock = threading.Lock()

    def add(self, request: RecordedRequest) -> None:
        """Keep a request."""
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._requests.clear()

    def __iter__(self) -> Iterator[RecordedRequest]:
        with self._lock:
            return iter(list(self._requests))

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> RecordedRequest:
        with self._lock:
            return self._requests[index]

    def __repr__(self) -> str:
        return f"Recorder({list(self)!r})"
