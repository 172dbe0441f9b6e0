"""What a description has and the methods of a client do not: found by their signatures, without sending anything."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_type_hints

import httpx

from eigenpal.engine.model import snake_case
from tests.spec.calling import method_of
from tests.spec.document import JSON, Operation, operations, properties
from tests.spec.typing_gaps import TypingGaps


def declared_gaps(gaps: TypingGaps, client: Any) -> Iterator[str]:
    """Yield what a description has and the signatures of a client do not."""
    for operation in operations(gaps.document):
        for form in operation.forms:
            try:
                method = method_of(client, operation, form)
            except AttributeError as missing:
                yield f"{operation.id}: {missing}"
                continue
            yield from (f"{operation.id}: {gap}" for gap in _gaps(gaps, operation, form, method))


def _gaps(gaps: TypingGaps, operation: Operation, form: str | None, method: Any) -> Iterator[str]:
    parameters = inspect.signature(method).parameters
    hints = get_type_hints(inspect.unwrap(method), localns={"T": Any})
    for name in _argument_names(gaps, operation, form):
        if name not in parameters:
            yield f"takes no {name}"
        elif name not in hints:
            yield f"{name} has no type"
    answer = hints.get("return")
    if operation.status == 204:
        yield from () if answer is type(None) else (f"returns {answer}, not None",)
    elif operation.media_type not in (None, JSON):
        yield from () if answer is bytes else (f"returns {answer}, not bytes",)
    elif operation.answer is not None:
        yield from gaps.of(operation.answer, answer, getattr(answer, "__name__", str(answer)))


def _argument_names(gaps: TypingGaps, operation: Operation, form: str | None) -> Iterator[str]:
    for parameter in operation.parameters:
        if parameter.place == "header":
            assert parameter.name == "X-Eigenpal-Trigger", "a header needs an option of the client"
        else:
            assert parameter.python_name is not None
            yield parameter.python_name
    if form is not None:
        yield from map(snake_case, properties(gaps.document, operation.bodies[form]))


class Refusal(httpx.MockTransport):
    """Fails the test if anything is sent."""

    def __init__(self) -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise AssertionError(f"sent {request.method} {request.url}")

        super().__init__(refuse)
