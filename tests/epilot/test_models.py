"""Models against the API description: whatever it allows decodes and comes back, and nothing else crashes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import eigenpal.epilot.models
from eigenpal import epilot
from eigenpal.engine.checks import Mismatch
from eigenpal.engine.codec import structure
from eigenpal.engine.model import Model, wire_name
from eigenpal.epilot.models.wire import EpilotModel
from eigenpal.lifecycle import Lifecycle
from tests.spec.document import resolved
from tests.spec.strategies import UNKNOWN_MEMBERS, Instances, any_json, document

quick = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCHEMAS: Mapping[str, Any] = document("epilot")["components"]["schemas"]
# Model to schema, where the names differ. A dotted name is an object without a name of its own inside of a schema.
SCHEMA_OF = {
    "Agent": "AgentDefinition",
    "AgentsPage": "ListAgentsResponse",
    "EventError": "AgentExecutionEvent.error",
    "EventToolCall": "AgentExecutionEvent.toolCalls",
    "Execution": "ExecutionResponse",
    "ExecutionStep": "ExecutionIterationProjection",
    "ExecutionsPage": "ListExecutionsResponse",
    "FlowEntity": "ExecutionInput.flow_context",
    "InputParameter": "InputParameterDefinition",
    "InputParameters": "InputParametersSchema",
    "PreviewAction": "ToolPreview.action",
    "StreamError": "StreamEvent.error",
    "TraceAction": "ExecutionIteration.action",
    "TraceIteration": "ExecutionIteration",
}
# Schemas that are sent and not received, or that are no objects: they are arguments, an error, enumerations.
WITHOUT_MODEL = {
    "AgentId",
    "ApproveExecutionRequest",
    "CreateAgentRequest",
    "Error",
    "ExecuteAgentRequest",
    "RejectExecutionRequest",
    "UpdateAgentRequest",
    *(name for name, schema in SCHEMAS.items() if "enum" in schema),
}


def models() -> dict[str, type[Model]]:
    """Return every model by name."""
    modules = [found.name for found in iter_modules(eigenpal.epilot.models.__path__, "eigenpal.epilot.models.")]
    return {
        name: kind
        for module in modules
        for name, kind in vars(import_module(module)).items()
        if isinstance(kind, type) and issubclass(kind, Model) and kind.__module__ == module
        if kind is not EpilotModel
    }


def schema_of(name: str) -> Mapping[str, Any]:
    """Return the schema that a model stands for."""
    schema, _, member = SCHEMA_OF.get(name, name).partition(".")
    found: Mapping[str, Any] = SCHEMAS[schema]
    if member:
        found = found["properties"][member]
        found = found.get("items", found)
    return found


MODELS = models()
INSTANCES = Instances(lambda: SCHEMAS)
each_model = pytest.mark.parametrize("name", sorted(MODELS))


def fields(kind: type[Model]) -> dict[str, attrs.Attribute[Any]]:
    attrs.resolve_types(kind)
    return {wire_name(field, kind): field for field in attrs.fields(kind) if field.init}


def test_every_schema_has_a_model_and_every_model_a_schema() -> None:
    named = {SCHEMA_OF.get(name, name) for name in MODELS}
    assert {name for name in named if "." not in name} == set(SCHEMAS) - WITHOUT_MODEL


def test_every_model_can_be_imported_from_the_package() -> None:
    assert set(MODELS) <= set(epilot.__all__)


@each_model
def test_every_member_of_a_schema_is_a_field_of_its_model_and_no_field_is_made_up(name: str) -> None:
    assert set(fields(MODELS[name])) == set(schema_of(name)["properties"])


@each_model
def test_no_field_is_needed_that_the_schema_does_not_require(name: str) -> None:
    needed = {wire for wire, field in fields(MODELS[name]).items() if field.default is attrs.NOTHING}
    assert needed <= set(schema_of(name).get("required", []))


@each_model
def test_every_value_of_an_enumeration_is_a_member(name: str) -> None:
    for wire, member in schema_of(name)["properties"].items():
        schema = resolved(document("epilot"), member)
        values = resolved(document("epilot"), schema.get("items", schema)).get("enum", [])
        found = [value.value for kind in enums_in(fields(MODELS[name])[wire].type) for value in kind]
        assert sorted(found) == sorted(values), wire


def enums_in(kind: Any) -> Iterator[type[Enum]]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        yield kind
    for inner in get_args(kind):
        yield from enums_in(inner)


@each_model
@quick
@given(data=st.data())
def test_what_a_schema_allows_decodes_and_comes_back_as_it_was(name: str, data: st.DataObject) -> None:
    wire = data.draw(INSTANCES.of(schema_of(name)))
    sent = copy.deepcopy(wire)
    if wire is None:
        return
    decoded = structure(MODELS[name], wire)
    assert_holds(decoded, sent)
    assert wire == sent
    assert pickle.loads(pickle.dumps(decoded)) == decoded
    assert repr(decoded).startswith(name)


def assert_holds(value: Any, wire: Any) -> None:
    """Assert that a decoded value has all of the JSON it was made from, as items and as attributes."""
    if isinstance(value, Model):
        assert value.to_dict() == dict(value) == wire
        known = fields(type(value))
        for name, field in known.items():
            if name in wire:
                assert_holds(getattr(value, field.name), wire[name])
            else:
                assert getattr(value, field.name) in (None, [], "object")
        for name in UNKNOWN_MEMBERS:
            assert getattr(value, name, None) == wire.get(name)
    elif isinstance(value, datetime):
        written = datetime.fromisoformat(wire)
        assert value == (written if written.tzinfo else written.replace(tzinfo=UTC))
    elif isinstance(value, dict):
        for name, member in value.items():
            assert_holds(member, wire[name])
    elif isinstance(value, list):
        for item, one in zip(value, wire or [], strict=True):
            assert_holds(item, one)
    else:
        assert value == wire


@each_model
@quick
@given(value=any_json)
def test_any_json_decodes_or_is_a_mismatch(name: str, value: Any) -> None:
    decoded = decoded_or_mismatch(MODELS[name], value)
    assert decoded.path.startswith("$") if isinstance(decoded, Mismatch) else decoded.to_dict() == value


def decoded_or_mismatch(kind: type[Model], value: Any) -> Any:
    try:
        return structure(kind, value)
    except Mismatch as mismatch:
        return mismatch


@pytest.mark.parametrize("name", [name for name, kind in sorted(MODELS.items()) if "examples" in schema_of(name)])
def test_an_example_of_the_description_comes_back_as_it_was(name: str) -> None:
    for example in schema_of(name)["examples"]:
        assert structure(MODELS[name], example).to_dict() == example


def test_a_model_made_by_hand_has_the_wire_form_of_its_schema() -> None:
    parameters = epilot.InputParameters(
        parameters=[epilot.InputParameter(name="fields", label="Fields", type="entity-attribute", depends_on="entity")],
        required=["fields"],
    )
    assert parameters.to_dict() == {
        "type": "object",
        "parameters": [{"name": "fields", "label": "Fields", "type": "entity-attribute", "dependsOn": "entity"}],
        "required": ["fields"],
    }
    change = epilot.PreviewChange(field="phone", from_value=epilot.PreviewValue(type="text", value="0"))
    assert change.to_dict() == {"field": "phone", "from": {"type": "text", "value": "0"}}
    assert change["from"] == {"type": "text", "value": "0"}


def test_statuses_know_what_they_mean_and_unknown_ones_stay_text() -> None:
    assert [status for status in epilot.ExecutionStatus if status.is_terminal] == ["completed", "failed", "cancelled"]
    assert [status for status in epilot.ExecutionStatus if status.needs_human] == ["waiting_approval"]
    paused = structure(epilot.Execution, {"execution_id": "e", "status": "paused"})
    assert (paused.status, paused.is_terminal, paused.needs_human) == ("paused", False, False)


def test_an_execution_is_a_lifecycle() -> None:
    wire = {"execution_id": "e", "status": "failed", "error": {"code": "REJECTED"}, "metrics": {"total_tokens": 3}}
    failed: epilot.Execution = structure(epilot.Execution, wire)
    work: Lifecycle = failed
    assert isinstance(work, Lifecycle)
    assert (failed.id, failed.is_terminal, failed.succeeded, failed.was_rejected) == ("e", True, False, True)
    assert failed.usage == failed.metrics


def test_a_skill_is_known_by_its_source_or_its_id() -> None:
    skills = [{"source": "system"}, {"agent_id": "skill:sorter"}, {"agent_id": "x", "source": "custom"}]
    assert [structure(epilot.Agent, wire).is_system_skill for wire in skills] == [True, True, False]
