"""Models against the API description: whatever it allows decodes and comes back, and nothing else crashes."""

from __future__ import annotations

import copy
import pickle
import re
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from eigenpal.engine.checks import MAX_SHOWN_VALUE, Mismatch
from eigenpal.engine.codec import structure
from eigenpal.engine.model import Model, short_repr, snake_case, wire_name
from eigenpal.engine.secret import Secret
from eigenpal.models.source import DecryptedSecrets
from tests.models.schemas import ADDED, decodable, modelled, models
from tests.spec.strategies import any_json, description, examples, instances, schemas

quick = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # each of many

MODELS = modelled()
DECODABLE = decodable()
each_schema = pytest.mark.parametrize("schema", sorted(DECODABLE))
# Those that an operation answers with; all others are inside of them.
each_answer = pytest.mark.parametrize(
    "schema", sorted(set(re.findall(r"#/components/schemas/(\w+)", repr(description()["paths"]))) & set(DECODABLE))
)
each_modelled = pytest.mark.parametrize("schema", sorted(MODELS))


def fields(kind: type[Model]) -> dict[str, attrs.Attribute[Any]]:
    attrs.resolve_types(kind)
    return {wire_name(field, kind): field for field in attrs.fields(kind) if field.init}


def test_every_model_stands_for_a_schema() -> None:
    """One that is missing here has to be named in `schemas.py`: the tests below are made from it."""
    assert {kind.__name__ for kind in MODELS.values()} == set(models())


@each_modelled
def test_every_member_of_a_schema_is_a_field_of_its_model_and_no_field_is_made_up(schema: str) -> None:
    members = set(schemas()[schema].get("properties", {}))
    assert set(fields(MODELS[schema])) == members | ADDED.get(schema, set())


@each_modelled
def test_no_field_is_needed_that_the_schema_does_not_require(schema: str) -> None:
    needed = {name for name, field in fields(MODELS[schema]).items() if field.default is attrs.NOTHING}
    assert needed <= set(schemas()[schema].get("required", []))


@each_modelled
def test_every_value_of_an_enumeration_is_a_member(schema: str) -> None:
    for name, member in schemas()[schema].get("properties", {}).items():
        values = sorted(schemas().get(member.get("$ref", "").rpartition("/")[2], {}).get("enum", []))
        kinds = [kind for kind in getattr(fields(MODELS[schema])[name].type, "__args__", ()) if isinstance(kind, type)]
        assert sorted(value.value for kind in kinds if issubclass(kind, Enum) for value in kind if values) == values


@each_schema
@quick
@given(data=st.data())
def test_what_a_schema_allows_decodes_and_comes_back_as_it_was(schema: str, data: st.DataObject) -> None:
    wire = data.draw(instances(schema))
    sent = copy.deepcopy(wire)
    decoded = structure(DECODABLE[schema], wire)
    assert_holds(decoded, sent)
    assert wire == sent


@each_answer
@quick
@given(data=st.data())
def test_an_answer_survives_pickle_and_copy_and_can_be_shown(schema: str, data: st.DataObject) -> None:
    decoded = structure(DECODABLE[schema], data.draw(instances(schema)))
    if isinstance(decoded, DecryptedSecrets):
        with pytest.raises(TypeError, match="opened secrets are not pickled"):
            pickle.dumps(decoded)
        return
    for other in (pickle.loads(pickle.dumps(decoded)), copy.deepcopy(decoded)):
        assert other == decoded
        assert type(other) is type(decoded)
        assert other.to_dict() == decoded.to_dict()
    assert copy.copy(decoded) is decoded
    assert repr(decoded).startswith(type(decoded).__name__)


def assert_holds(value: Any, wire: Any) -> None:
    """Assert that a decoded value has all of the JSON it was made from, as items and as attributes."""
    if isinstance(value, Model):
        assert value.to_dict() == dict(value) == wire
        assert value.keys() == list(wire)
        for name in wire:
            assert name in value
            assert value[name] == value.get(name) == wire[name]
        known = fields(type(value))
        for name, field in known.items():
            if name in wire:
                assert_holds(getattr(value, field.name), wire[name])
            else:
                assert name not in value
                assert getattr(value, field.name) in (None, [], {}, 0)
                assert value[name] == getattr(value, field.name)
        for name in wire.keys() - known:
            assert getattr(value, snake_case(name)) == wire[name]
    elif isinstance(value, datetime):
        written = datetime.fromisoformat(wire)
        assert value == (written if written.tzinfo else written.replace(tzinfo=UTC))
        assert value.tzinfo is not None
    elif isinstance(value, Secret):
        assert value.reveal() == wire
    elif isinstance(value, dict):
        assert value.keys() == wire.keys()
        for name, member in value.items():
            assert_holds(member, wire[name])
    elif isinstance(value, list):
        for item, sent in zip(value, wire or [], strict=True):
            assert_holds(item, sent)
    else:
        assert value == wire


@pytest.mark.parametrize(
    "name", [name for name, example in examples().items() if example["x-validates-against"] in DECODABLE]
)
def test_an_example_comes_back_as_it_was(name: str) -> None:
    example = examples()[name]
    decoded = structure(DECODABLE[example["x-validates-against"]], example["value"])
    assert decoded.to_dict() == example["value"]
    assert pickle.loads(pickle.dumps(decoded)) == decoded


@pytest.mark.parametrize("name", sorted(models()))
@quick
@given(value=any_json)
def test_any_json_decodes_or_is_a_mismatch(name: str, value: Any) -> None:
    kind = models()[name]
    decoded = decoded_or_mismatch(kind, value)
    assert decoded.path.startswith("$") if isinstance(decoded, Mismatch) else decoded.to_dict() == value
    rows = decoded_or_mismatch(list[kind], value)  # type: ignore[valid-type]  # a type made at run time
    assert rows.path.startswith("$") if isinstance(rows, Mismatch) else [row.to_dict() for row in rows] == (value or [])


def decoded_or_mismatch(kind: Any, value: Any) -> Any:
    try:
        decoded = structure(kind, value)
    except Mismatch as mismatch:
        return mismatch
    read(decoded)
    return decoded


def read(value: Any) -> None:
    """Ask for every member of a decoded value: what passed the check can be read in full."""
    if isinstance(value, Model):
        for field in fields(type(value)).values():
            read(getattr(value, field.name))
    elif isinstance(value, list):
        for item in value:
            read(item)
    elif isinstance(value, dict):
        read(list(value.values()))


@each_answer
@quick
@given(data=st.data())
def test_one_wrong_value_anywhere_decodes_or_is_found_at_its_very_place(schema: str, data: st.DataObject) -> None:
    wire = data.draw(instances(schema))
    all_places = sorted(places(wire), key=repr)
    for place in data.draw(st.lists(st.sampled_from(all_places), min_size=1, max_size=4)):  # an answer is slow to make
        wrong = replaced(wire, place, data.draw(st.just(REMOVED) | any_json))
        decoded = decoded_or_mismatch(DECODABLE[schema], wrong)
        if isinstance(decoded, Mismatch):
            path, changed = decoded.path, written(place)
            assert str(decoded) == f"{path} should be {decoded.expected}, not {decoded.found}"
            assert changed.startswith(path) or path.startswith(changed)
            assert decoded.found in [short_repr(value, MAX_SHOWN_VALUE) for value in at(wrong, path)]
        else:
            assert decoded.to_dict() == wrong


REMOVED: Any = object()
Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> list[Place]:
    """Return the place of every value inside JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(deeper for key, item in inner for deeper in places(item, (*place, key)))]


def replaced(value: Any, place: Place, other: Any) -> Any:
    """Return JSON with the value at one place replaced, or removed."""
    if not place:
        return None if other is REMOVED else other
    changed = copy.deepcopy(value)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    if other is REMOVED:
        del holder[place[-1]]
    else:
        holder[place[-1]] = other
    return changed


def written(place: Place) -> str:
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)


def at(value: Any, path: str) -> list[Any]:
    """Return the values at a written path; keys with dots in them may let two places look the same."""
    return [found(value, place) for place in places(value) if written(place) == path]


def found(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value
