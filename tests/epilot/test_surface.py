"""Every operation, parameter, member of a request and member of an answer is there, typed, and right on the wire.

All of it follows from the API description: what is new there fails here until the clients have it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import attrs
import httpx
import pytest

import eigenpal.epilot.models
from eigenpal.engine.model import Model
from eigenpal.epilot import AsyncEpilotClient, EpilotClient
from tests.spec.calling import Recorder, answer_to, arguments, differences, expected, method_of
from tests.spec.document import JSON, Operation, operations
from tests.spec.strategies import document
from tests.spec.surface import Refusal, declared_gaps
from tests.spec.typing_gaps import TypingGaps

pytestmark = pytest.mark.anyio

DESCRIPTION = document("epilot")
# Members that are any JSON here, and why.
ANY_JSON = {
    "InputParameter.default": "a value of whatever type the parameter has",
    "InputParameter.visible_when": "values of whatever type the other parameters have",
    "PreviewValue.value": "text, number, boolean or badge, by the type beside it",
}
CALLBACK = "https://hooks.example/finished"
FORMS = [(operation, form) for operation in operations(DESCRIPTION) for form in operation.forms]
each_form = pytest.mark.parametrize(("operation", "form"), FORMS, ids=[operation.id for operation, _ in FORMS])


def gaps(description: Mapping[str, Any]) -> TypingGaps:
    return TypingGaps(description, ANY_JSON, {})


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    """Return one client of each kind, to be looked at."""
    with EpilotClient("t", transport=Refusal()) as blocking:
        yield [AsyncEpilotClient("t", transport=Refusal()), blocking]


def test_the_description_has_as_many_operations_as_it_says() -> None:
    assert len(FORMS) == DESCRIPTION["x-counts"]["operations"] == 12


def test_every_operation_parameter_and_member_has_a_name_and_a_type_on_both_clients(clients: list[Any]) -> None:
    assert [gap for client in clients for gap in declared_gaps(gaps(DESCRIPTION), client)] == []


def test_what_is_any_json_is_so_for_a_reason_that_still_holds() -> None:
    modules = [found.name for found in iter_modules(eigenpal.epilot.models.__path__, "eigenpal.epilot.models.")]
    kinds = {
        name: kind
        for module in modules
        for name, kind in vars(import_module(module)).items()
        if isinstance(kind, type) and issubclass(kind, Model)
    }
    for place in ANY_JSON:
        name, _, member = place.partition(".")
        attrs.resolve_types(kinds[name])
        assert "Any" in str(attrs.fields_dict(kinds[name])[member].type), place


# ------------------------------------------------------------------------------------------------ on the wire


def given_to(operation: Operation, form: str | None) -> dict[str, Any]:
    given = arguments(DESCRIPTION, operation, form)
    return given | ({"callback_url": CALLBACK} if "callback_url" in given else {})


def assert_as_described(operation: Operation, form: str | None, recorder: Recorder, result: Any) -> None:
    (sent,) = recorder.sent
    wanted = expected(DESCRIPTION, operation, form, given_to(operation, form))
    assert list(differences(sent, wanted)) == []
    assert sent.headers["authorization"] == "Bearer t"
    assert sent.headers["x-epilot-org-id"] == "739224"
    if operation.status == 204:
        assert result is None
    else:
        assert result.to_dict() == recorder.answer.json()


@each_form
async def test_the_async_client_sends_it_as_described(operation: Operation, form: str | None) -> None:
    recorder = Recorder(answer_to(DESCRIPTION, operation))
    async with AsyncEpilotClient("t", org_id="739224", transport=httpx.MockTransport(recorder)) as client:
        result = await method_of(client, operation, form)(**given_to(operation, form))
    assert_as_described(operation, form, recorder, result)


@each_form
def test_the_blocking_client_sends_it_as_described(operation: Operation, form: str | None) -> None:
    recorder = Recorder(answer_to(DESCRIPTION, operation))
    with EpilotClient("t", org_id="739224", transport=httpx.MockTransport(recorder)) as client:
        result = method_of(client, operation, form)(**given_to(operation, form))
    assert_as_described(operation, form, recorder, result)


# ------------------------------------------------------------------------------------------------ that it can fail


def add_operation(description: Any) -> None:
    item = copy.deepcopy(description["paths"]["/v1/executions/{execution_id}/trace"]["get"])
    path = {"parameters": [{"$ref": "#/components/parameters/ExecutionPath"}]}
    description["paths"]["/v1/executions/{execution_id}/feedback"] = {
        **path,
        "get": {**item, "operationId": "executions.feedback"},
    }


def add_parameter(description: Any) -> None:
    parameter = {"name": "colour", "in": "query", "schema": {"type": "string"}}
    description["paths"]["/v1/executions"]["get"]["parameters"].append(parameter)


def add_member(schema: str, member: str, kind: Mapping[str, Any]) -> Callable[[Any], None]:
    def change(description: Any) -> None:
        description["components"]["schemas"][schema]["properties"][member] = kind

    return change


def add_inner_member(description: Any) -> None:
    properties = description["components"]["schemas"]["ExecutionResponse"]["properties"]
    properties["result"]["properties"]["tables"] = {"type": "array", "items": {"type": "string"}}


STRING = {"type": "string"}
NEWS: Mapping[str, tuple[Callable[[Any], None], str]] = {
    "an operation": (add_operation, "executions.feedback:"),
    "a parameter": (add_parameter, "executions.list: takes no colour"),
    "a member of a body": (add_member("CreateAgentRequest", "owner", STRING), "agents.create: takes no owner"),
    "a member of another body": (add_member("UpdateAgentRequest", "owner", STRING), "agents.update: takes no owner"),
    "a member of the start": (add_member("ExecuteAgentRequest", "priority", STRING), "agents.execute: takes no prior"),
    "a member of a decision": (
        add_member("RejectExecutionRequest", "code", STRING),
        "executions.reject: takes no code",
    ),
    "a member of an answer": (add_member("AgentDefinition", "owner", STRING), "Agent has no field for 'owner'"),
    "a member of a list row": (add_member("ExecutionResponse", "cost", STRING), "Execution has no field for 'cost'"),
    "a member deep in an answer": (add_member("PreviewValue", "unit", STRING), "PreviewValue has no field for 'unit'"),
    "a member without a schema name": (add_inner_member, "ExecutionResult has no field for 'tables'"),
    "a page's member": (add_member("ListAgentsResponse", "total", STRING), "AgentsPage has no field for 'total'"),
    "another type": (add_member("ExecutionMetrics", "duration_ms", STRING), "ExecutionMetrics.duration_ms is"),
    "any JSON": (add_member("ExecutionMetrics", "duration_ms", {}), "ExecutionMetrics.duration_ms is any JSON"),
}


@pytest.mark.parametrize("news", NEWS)
def test_what_is_new_in_the_description_is_found_missing(news: str, clients: list[Any]) -> None:
    change, gap = NEWS[news]
    description = copy.deepcopy(DESCRIPTION)
    change(description)
    for client in clients:
        assert any(gap in found for found in declared_gaps(gaps(description), client))


def test_bodies_are_json_everywhere() -> None:
    assert {form for _, form in FORMS} == {JSON, None}
