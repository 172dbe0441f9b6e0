"""A service that answers as a test says, request by request, and keeps what it was sent. No network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import httpx

from eigenpal import AsyncEigenpalClient, EigenpalClient
from tests.spec.calling import Sent, recorded

RUN: Mapping[str, Any] = {
    "id": "exec_1",
    "type": "workflow",
    "finished": True,
    "timing": {"createdAt": "2026-06-14T09:00:00.000Z", "startedAt": None, "completedAt": None, "durationMs": 450},
    "source": {"id": "wf_1", "name": "invoice-intake", "version": "1.4.0"},
    "trigger": {"type": "api", "by": None},
    "execution": {"status": "completed", "schemaValid": True, "batchId": None, "annotation": None},
    "output": {"total": 118.5},
    "files": [],
    "error": None,
}
RECEIPT: Mapping[str, Any] = {"id": "exec_1", "type": "workflow", "finished": False}


@attrs.define
class Script:
    """Answers to give, in order; the last one is given again and again. JSON stands for a 200 with it."""

    answers: list[Any]
    sent: list[Sent] = attrs.field(factory=list[Sent])

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers[min(len(self.sent), len(self.answers) - 1)]
        self.sent.append(recorded(request, await request.aread()))
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return httpx.Response(200, json=answer)

    @property
    def lines(self) -> list[str]:
        """What was asked for: method and path, in order."""
        return [f"{sent.method} {sent.path}" for sent in self.sent]


def scripted(*answers: Any, **options: Any) -> tuple[AsyncEigenpalClient, Script]:
    """Return an async client, and the script that answers it."""
    script = Script(list(answers) or [{}])
    return AsyncEigenpalClient("eig_live_key", transport=httpx.MockTransport(script), **options), script


def blocking(*answers: Any, **options: Any) -> tuple[EigenpalClient, Script]:
    """Return a blocking client, and the script that answers it."""
    script = Script(list(answers) or [{}])
    return EigenpalClient("eig_live_key", transport=httpx.MockTransport(script), **options), script
