"""One service's side of the contract: requests made from its description, and what the sandbox may answer to them.

Most values that name something are of things that exist, so that requests also get past the first lookup.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings

schemathesis = pytest.importorskip("schemathesis", reason='the contract tests need pip install -e ".[contract]"')

from schemathesis import checks  # noqa: E402 - only where it is installed
from schemathesis.core.failures import FailureGroup  # noqa: E402 - as above

__all__ = ["FailureGroup", "Served", "bounded", "keeps_its_word", "operations"]

FOLDER = Path(__file__).parents[1] / "spec"
EXAMPLES = int(os.environ.get("EIGENPAL_CONTRACT_EXAMPLES", "6"))  # of each operation, and each way to go wrong

Known = Mapping[str, Sequence[Any]]
"""Values that exist, by the name of the parameter or body member that takes them."""

# Without shrinking: each try is a request or more, and what was sent is shown anyway.
bounded = settings(
    max_examples=EXAMPLES,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@attrs.frozen
class Served:
    """A running service that has something in it.

    Attributes:
        base_url: Where it is.
        headers: What authorizes a request.
        known: Names of what it has.
        bodies: Bodies of requests that succeed, by operationId.
    """

    base_url: str
    headers: Mapping[str, str]
    known: Known
    bodies: Mapping[str, Sequence[Any]]


def operations(document: str) -> list[Any]:
    """Return the operations of a description, one test parameter each; what removes things comes last."""
    text = (FOLDER / document).read_text(encoding="utf-8")
    schema = schemathesis.openapi.from_dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    found = sorted((result.ok() for result in schema.get_all_operations()), key=lambda one: one.method == "delete")
    return [pytest.param(operation, id=operation.definition.raw["operationId"]) for operation in found]


def keeps_its_word(operation: Any, data: st.DataObject, served: Served, *, valid: bool) -> None:
    """Send one request and check the answer: declared status, type, headers and schema, and never a 5xx.

    Args:
        operation: What to call.
        data: Chooses what to send.
        served: Whom to ask.
        valid: Whether to send what the description allows, or something that it doesn't.
    """
    modes = schemathesis.GenerationMode
    case = data.draw(operation.as_strategy(generation_mode=modes.POSITIVE if valid else modes.NEGATIVE))
    existing = _existing(data, served.known)
    case.path_parameters = existing(case.path_parameters)
    if valid:
        case.query = existing(data.draw(_some_of(case.query or {}, operation)))
        if isinstance(case.body, dict):
            case.body = existing(case.body)
        if (bodies := served.bodies.get(operation.definition.raw["operationId"])) and data.draw(st.booleans()):
            case.body, case.media_type = data.draw(st.sampled_from(bodies)), "application/json"
    response = case.call(base_url=served.base_url, headers=dict(served.headers), timeout=10)
    # The description says what a stream of events looks like as a text; the checks would take each event for one.
    streamed = any(value.startswith("text/event-stream") for value in response.headers.get("content-type", []))
    case.validate_response(response, checks=CHECKS, excluded_checks=[SHAPE] if streamed else [])


SHAPE = checks.response_schema_conformance
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    SHAPE,
]


def _some_of(query: Mapping[str, Any], operation: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for a query with some of its members: where many are wrong, only the first is looked at."""
    needed = {parameter.name for parameter in operation.query if parameter.is_required}
    chosen = st.lists(st.sampled_from(sorted(query)), max_size=2) if query else st.just([])
    return chosen.map(lambda names: {name: query[name] for name in query if name in needed or name in names})


def _existing(data: st.DataObject, known: Known) -> Callable[[Any], dict[str, Any]]:
    def replaced(members: Any) -> dict[str, Any]:
        return {
            name: data.draw(st.sampled_from(known[name])) if name in known and data.draw(often) else value
            for name, value in (members or {}).items()
        }

    return replaced


often = st.sampled_from([True, True, True, False])
