"""The error tree: what is what, what every error carries, and that all of it survives a process boundary."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import traceback
from typing import Any

import pytest

import eigenpal
from eigenpal import errors
from eigenpal.engine.codec import structure
from eigenpal.errors import (
    EigenpalError,
    EigenpalInputError,
    EigenpalNotFoundError,
    EigenpalRunError,
    EigenpalTimeoutError,
    EigenpalUsageError,
)
from eigenpal.models.runs import Run
from eigenpal.service import read_error
from tests.spec.strategies import examples

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, EigenpalError)]
each_kind = pytest.mark.parametrize("kind", KINDS)

CARRIED: dict[str, Any] = {
    "status": 404,
    "request_id": "req_1",
    "method": "GET",
    "url": "https://host/a",
    "headers": {"x-request-id": "req_1"},
    "envelope": {"issues": [{"field": "a", "message": "b"}]},
    "retry_after": 1.5,
    "maybe_started": True,
}


def test_the_tree_is_the_one_that_is_drawn() -> None:
    drawing = re.findall(r"^([│├└─ ]*)(Eigenpal\w+)", errors.__doc__ or "", re.MULTILINE)
    drawn: dict[str, str] = {}
    above: list[str] = []
    for indent, name in drawing:
        depth = len(indent) // 4
        above[depth:] = [name]
        drawn[name] = above[depth - 1] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in KINDS}


@each_kind
def test_every_error_is_public_and_documented(kind: type[EigenpalError]) -> None:
    assert getattr(eigenpal, kind.__name__) is kind
    assert kind.__doc__
    assert kind.__name__.startswith("Eigenpal")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(EigenpalTimeoutError, TimeoutError), (EigenpalInputError, ValueError), (EigenpalUsageError, RuntimeError)],
)
def test_an_error_with_a_builtin_meaning_is_caught_as_it(kind: type[EigenpalError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="^told$"):
        raise kind("told")


@each_kind
def test_an_error_carries_what_it_was_given_and_defaults_for_the_rest(kind: type[EigenpalError]) -> None:
    plain = kind("told")
    assert (plain.message, str(plain), plain.args) == ("told", "told", ("told",))
    assert (plain.status, plain.retries_taken, plain.maybe_started) == (0, 0, False)
    assert (plain.request_id, plain.method, plain.url, plain.envelope, plain.retry_after) == (None,) * 5
    assert plain.headers == {}
    full = kind("told", **CARRIED)
    assert {name: getattr(full, name) for name in CARRIED} == CARRIED


@each_kind
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_is_pickled_with_everything_it_carries(kind: type[EigenpalError], protocol: int) -> None:
    error = kind("told", **CARRIED)
    error.retries_taken = 3
    error.message += " Not sent again."
    error.add_note("a note of a user")
    for other in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert vars(other) == vars(error)
        assert str(other) == "told Not sent again."
        assert "a note of a user" in "".join(traceback.format_exception(other))


@pytest.mark.parametrize("kind", [EigenpalTimeoutError, EigenpalRunError])
def test_an_error_of_a_run_is_pickled_with_the_run(kind: type[EigenpalTimeoutError | EigenpalRunError]) -> None:
    error = kind("told")
    assert (error.run_id, error.run) == (None, None)
    error.run = structure(Run, examples()["RunFailedWorkflow"]["value"])
    error.run_id = error.run.id
    other = pickle.loads(pickle.dumps(error))
    assert other.run_id == error.run_id
    assert other.run == error.run
    assert other.run.to_dict() == error.run.to_dict()


@pytest.mark.parametrize(
    ("envelope", "issues"),
    [
        (None, []),
        ("text", []),
        ([], []),
        ({}, []),
        ({"issues": None}, []),
        ({"issues": {"a": 1}}, []),
        ({"issues": [None, 5, {}, {"message": "a"}]}, [{"message": "a"}]),
    ],
)
def test_the_issues_of_any_envelope_are_a_list_of_mappings(envelope: Any, issues: list[Any]) -> None:
    assert list(read_error(envelope).issues) == issues


def test_errors_do_not_share_their_headers() -> None:
    assert EigenpalNotFoundError("a").headers is not EigenpalNotFoundError("b").headers


def test_an_error_can_be_told_by_its_most_general_kind() -> None:
    for kind in KINDS:
        with pytest.raises(EigenpalError):
            raise kind("told")
