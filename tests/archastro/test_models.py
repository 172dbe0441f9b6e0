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

import eigenpal.archastro.models
from eigenpal import archastro
from eigenpal.archastro.models.wire import WireModel
from eigenpal.engine.checks import Mismatch
from eigenpal.engine.codec import structure
from eigenpal.engine.model import Model, wire_name
from eigenpal.lifecycle import Lifecycle
from eigenpal.models.runs import Run
from tests.spec.document import resolved
from tests.spec.strategies import UNKNOWN_MEMBERS, Instances, any_json, document
from tests.surface.scripted import RUN

quick = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SCHEMAS: Mapping[str, Any] = document("archastro")["components"]["schemas"]
# Model to schema, where the names differ.
SCHEMA_OF = {
    "AgentRoutineRunsPage": "AgentRoutineRunListResponse",
    "AgentRoutines": "AgentRoutineListResponse",
    "AgentSessionsPage": "AgentSessionListResponse",
    "EventRule": "EventConfig",
}
# Schemas that are sent and not received, or that are no objects: they are arguments, errors, enumerations.
WITHOUT_MODEL = {
    "AgentRoutineInvoke",
    "AgentRoutineUpdate",
    "AgentSessionCreate",
    "AgentSessionMessage",
    "AgentSessionUpdate",
    "Error",
    "StreamError",
    *(name for name, schema in SCHEMAS.items() if "enum" in schema),
}


def models() -> dict[str, type[Model]]:
    """Return every model by name."""
    modules = [found.name for found in iter_modules(eigenpal.archastro.models.__path__, "eigenpal.archastro.models.")]
    return {
        name: kind
        for module in modules
        for name, kind in vars(import_module(module)).items()
        if isinstance(kind, type) and issubclass(kind, Model) and kind.__module__ == module
        if kind is not WireModel
    }


def schema_of(name: str) -> Mapping[str, Any]:
    """Return the schema that a model stands for; that of a map's values where the schema is a map."""
    schema: Mapping[str, Any] = SCHEMAS[SCHEMA_OF.get(name, name)]
    found: Mapping[str, Any] = schema.get("additionalProperties", schema)
    return found


MODELS = models()
INSTANCES = Instances(lambda: SCHEMAS)
each_model = pytest.mark.parametrize("name", sorted(MODELS))


def fields(kind: type[Model]) -> dict[str, attrs.Attribute[Any]]:
    attrs.resolve_types(kind)
    return {wire_name(field, kind): field for field in attrs.fields(kind) if field.init}


def test_every_schema_has_a_model_and_every_model_a_schema() -> None:
    assert {SCHEMA_OF.get(name, name) for name in MODELS} == set(SCHEMAS) - WITHOUT_MODEL


def test_every_model_can_be_imported_from_the_package() -> None:
    assert set(MODELS) <= set(archastro.__all__)


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
        options = [resolved(document("archastro"), option) for option in member.get("anyOf", [member])]
        values = [value for option in options for value in option.get("enum", []) if value is not None]
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
    decoded = structure(MODELS[name], wire)
    assert_holds(decoded, sent)
    assert wire == sent
    assert pickle.loads(pickle.dumps(decoded)) == decoded
    assert repr(decoded).startswith(name)


def assert_holds(value: Any, wire: Any) -> None:
    """Assert that a decoded value has all of the JSON it was made from, as items and as attributes."""
    if isinstance(value, Model):
        assert value.to_dict() == dict(value) == wire
        for name, field in fields(type(value)).items():
            if name in wire:
                assert_holds(getattr(value, field.name), wire[name])
            else:
                assert getattr(value, field.name) is None
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


@pytest.mark.parametrize("name", [name for name in sorted(MODELS) if "examples" in schema_of(name)])
def test_an_example_of_the_description_comes_back_as_it_was(name: str) -> None:
    for example in schema_of(name)["examples"]:
        assert structure(MODELS[name], example).to_dict() == example


def test_a_model_made_by_hand_has_the_wire_form_of_its_schema() -> None:
    acl = archastro.Acl(grants=[archastro.AclGrant(principal_type=archastro.AclPrincipalType.TEAM, actions=["read"])])
    assert acl.to_dict() == {"grants": [{"principal_type": "team", "actions": ["read"]}]}
    config = archastro.PresetConfig(llm=archastro.LLMConfig(model="provider/model"))
    assert config.to_dict() == {"llm": {"model": "provider/model"}}


def test_statuses_know_what_they_mean_and_unknown_ones_stay_text() -> None:
    sessions, runs = archastro.AgentSessionStatus, archastro.AgentRoutineRunStatus
    assert [status for status in sessions if status.is_terminal] == SCHEMAS["AgentSessionStatus"]["x-terminal"]
    assert [status for status in sessions if status.needs_human] == ["waiting"]
    assert [status for status in runs if status.is_terminal] == SCHEMAS["AgentRoutineRunStatus"]["x-terminal"]
    paused = structure(archastro.AgentSession, {"id": "ase_1", "status": "paused"})
    assert (paused.status, paused.is_terminal, paused.needs_human) == ("paused", False, False)


def test_sessions_runs_and_eigenpal_runs_are_one_lifecycle() -> None:
    session = structure(archastro.AgentSession, {"id": "ase_1", "status": "completed", "result": {"n": 1}})
    routine_run = structure(archastro.AgentRoutineRun, {"id": "arr_1", "status": "failed", "error": "later servers"})
    run: Run = structure(Run, dict(RUN))
    works: list[Lifecycle] = [session, routine_run, run]
    assert all(isinstance(work, Lifecycle) for work in works)
    assert [work.succeeded for work in works] == [True, False, True]
    assert [work.is_terminal for work in works] == [True, True, True]
    assert [work.needs_human for work in works] == [False, False, False]
    assert [work.result for work in works] == [{"n": 1}, None, {"total": 118.5}]
    assert [work.error for work in works] == [None, "later servers", None]
    assert [work.usage for work in works] == [None, None, None]


def test_a_page_of_runs_leads_both_ways() -> None:
    page = structure(archastro.AgentRoutineRunsPage, {"data": [], "before_cursor": "old", "after_cursor": None})
    assert page.next_query == {"before_cursor": "old", "after_cursor": None}
    assert page.newer_query is None
    assert page.has_more
    assert (len(page), list(page)) == (0, [])
