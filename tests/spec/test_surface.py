"""Every operation, parameter, member of a request and member of an answer is there, typed, and right on the wire.

All of it follows from the API description: what is new there fails here until the clients have it.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import httpx
import pytest

from eigenpal import AsyncEigenpalClient, EigenpalClient
from eigenpal.engine.model import Model
from tests.spec.calling import (
    INSIDE_INPUT,
    TRIGGER,
    Recorder,
    answer_to,
    arguments,
    attribute,
    differences,
    expected,
    method_of,
)
from tests.spec.document import JSON, MULTIPART, Operation, operations
from tests.spec.strategies import description
from tests.spec.surface import Refusal, declared_gaps
from tests.spec.typing_gaps import ANY_JSON, TYPED_ANYWAY, TypingGaps

pytestmark = pytest.mark.anyio

FORMS = [(operation, form) for operation in operations(description()) for form in operation.forms]
each_form = pytest.mark.parametrize(
    ("operation", "form"), FORMS, ids=[f"{operation.id} {form or ''}".strip() for operation, form in FORMS]
)


# ------------------------------------------------------------------------------------------------ by introspection


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    """Return one client of each kind, to be looked at."""
    with EigenpalClient("k", transport=Refusal()) as blocking:
        yield [AsyncEigenpalClient("k", transport=Refusal()), blocking]


def test_the_description_has_as_many_operations_as_it_says() -> None:
    assert len(list(operations(description()))) == description()["x-operation-count"]["total"] == 47


def test_every_operation_parameter_and_member_has_a_name_and_a_type_on_both_clients(clients: list[Any]) -> None:
    assert [gap for client in clients for gap in declared_gaps(TypingGaps(description()), client)] == []


def test_every_helper_without_an_endpoint_is_there_with_its_arguments(clients: list[Any]) -> None:
    helpers = description()["x-client-helpers"]
    for client in clients:
        for name in helpers["surfaceWithoutOwnEndpoint"]:
            signature = helpers[name]["signature"]
            named = signature[signature.index("(") + 1 : -1].replace("*, ", "").split(", ")
            wanted = {argument.partition("=")[0] for argument in named}
            assert wanted <= set(inspect.signature(attribute(client, name)).parameters), name


def test_what_is_any_json_is_so_for_a_reason_that_still_holds() -> None:
    kinds = _models()
    for place in ANY_JSON:
        name, _, member = place.partition(".")
        attrs.resolve_types(kinds[name])
        assert attrs.fields_dict(kinds[name])[member].type is Any, place
    assert {place.partition(".")[0] for place in TYPED_ANYWAY} <= set(kinds)


def _models() -> Mapping[str, type[Model]]:
    from eigenpal.resources import operations as module

    kinds = (value.returns for value in vars(module).values() if hasattr(value, "returns"))
    return {kind.__name__: kind for found in kinds for kind in _within(found, set())}


def _within(kind: Any, seen: set[Any]) -> Iterator[type[Model]]:
    if kind in seen:
        return
    seen.add(kind)
    if isinstance(kind, type) and issubclass(kind, Model):
        yield kind
        attrs.resolve_types(kind)
        for field in attrs.fields(kind):
            yield from _within(field.type, seen)
    for inner in getattr(kind, "__args__", ()):
        yield from _within(inner, seen)


# ------------------------------------------------------------------------------------------------ on the wire


@each_form
async def test_the_async_client_sends_it_as_described(operation: Operation, form: str | None) -> None:
    recorder = Recorder(answer_to(description(), operation))
    async with AsyncEigenpalClient("k", transport=httpx.MockTransport(recorder), trigger=TRIGGER) as client:
        given = arguments(description(), operation, form)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = await method_of(client, operation, form)(**_callable_with(operation, form, given))
    assert_as_described(operation, form, given, recorder, result, caught)


@each_form
def test_the_blocking_client_sends_it_as_described(operation: Operation, form: str | None) -> None:
    recorder = Recorder(answer_to(description(), operation))
    with EigenpalClient("k", transport=httpx.MockTransport(recorder), trigger=TRIGGER) as client:
        given = arguments(description(), operation, form)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = method_of(client, operation, form)(**_callable_with(operation, form, given))
    assert_as_described(operation, form, given, recorder, result, caught)


def _callable_with(operation: Operation, form: str | None, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a call; those that are in conflict by their nature are left to tests of their own."""
    uploads = operation.id == "run" and form == MULTIPART
    return {name: value for name, value in given.items() if not (uploads and name in INSIDE_INPUT)}


def assert_as_described(
    operation: Operation,
    form: str | None,
    given: Mapping[str, Any],
    recorder: Recorder,
    result: Any,
    caught: list[warnings.WarningMessage],
) -> None:
    (sent,) = recorder.sent
    assert list(differences(sent, expected(description(), operation, form, given))) == []
    assert sent.headers["authorization"] == "Bearer k"
    if operation.status == 204:
        assert result is None
    elif operation.media_type not in (None, JSON):
        assert result == recorder.answer.content
    elif operation.answer is not None:
        assert result.to_dict() == recorder.answer.json()
    assert [warning.category for warning in caught] == [DeprecationWarning] * operation.deprecated


# ------------------------------------------------------------------------------------------------ that it can fail


def add_operation(document: Any) -> None:
    item = copy.deepcopy(document["paths"]["/api/v1/workflows/{id}"]["get"])
    document["paths"]["/api/v1/workflows/{id}/graph"] = {"get": {**item, "operationId": "workflows.graph"}}


def add_parameter(document: Any) -> None:
    parameter = {"name": "colour", "in": "query", "schema": {"type": "string"}, "x-python-name": "colour"}
    document["paths"]["/api/v1/runs"]["get"]["parameters"].append(parameter)


def add_member(schema: str, member: str, kind: Mapping[str, Any]) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        document["components"]["schemas"][schema].setdefault("properties", {})[member] = kind

    return change


STRING = {"type": "string"}
NEWS: Mapping[str, tuple[Callable[[Any], None], str]] = {
    "an operation": (add_operation, "workflows.graph:"),
    "a parameter": (add_parameter, "runs.list: takes no colour"),
    "a member of a JSON body": (add_member("PatchAgentBody", "iconUrl", STRING), "agents.update: takes no icon_url"),
    "a part of a multipart body": (add_member("RunStartMultipartBody", "note", STRING), "run: takes no note"),
    "a part of an upload": (add_member("RunExpectedUploadBody", "note", STRING), "copy_output: takes no note"),
    "a member of an answer": (add_member("WorkflowDetail", "owner", STRING), "Workflow has no field for 'owner'"),
    "a member deep in an answer": (
        add_member("RunUsageTokens", "thinking", {"type": "number"}),
        "TokenUsage has no field for 'thinking'",
    ),
    "a member of a list row": (add_member("AgentSummary", "owner", STRING), "Agent has no field for 'owner'"),
    "a member of one of several shapes": (
        add_member("AgentRunExecution", "score", {"type": "number"}),
        "AgentRunExecution has no field for 'score'",
    ),
    "a member that is likely": (add_member("EmailAlias", "owner", STRING), "EmailAlias has no field for 'owner'"),
    "another type": (add_member("RunTiming", "durationMs", STRING), "RunTiming.duration_ms is"),
    "any JSON": (add_member("RunTiming", "durationMs", {}), "RunTiming.duration_ms is any JSON"),
}


@pytest.mark.parametrize("news", NEWS)
def test_what_is_new_in_the_description_is_found_missing(news: str, clients: list[Any]) -> None:
    change, gap = NEWS[news]
    document = copy.deepcopy(description())
    change(document)
    for client in clients:
        assert any(gap in found for found in declared_gaps(TypingGaps(document), client))


@pytest.mark.parametrize("part", ["method", "path", "query", "body"])
def test_what_is_sent_otherwise_than_described_is_found(part: str) -> None:
    operation = next(operation for operation in operations(description()) if operation.id == "agents.put_file")
    given = arguments(description(), operation, JSON)
    wanted = expected(description(), operation, JSON, given)
    other: Any = {"other": "thing"} if part in {"query", "body"} else "OTHER"
    changed = attrs.evolve(wanted, **{part: other})
    assert [found.partition(" ")[0] for found in differences(wanted, changed)] == [part]
    assert list(differences(wanted, wanted)) == []
