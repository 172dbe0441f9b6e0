"""Every operation, parameter, member of a request and member of an answer is there, typed, and right on the wire.

All of it follows from the API description: what is new there fails here until the clients have it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from eigenpal.archastro import ArchAstroClient, AsyncArchAstroClient
from tests.spec.calling import Recorder, answer_to, arguments, differences, expected, method_of
from tests.spec.document import Operation, operations
from tests.spec.strategies import document
from tests.spec.surface import Refusal, declared_gaps
from tests.spec.typing_gaps import TypingGaps

pytestmark = pytest.mark.anyio

KEY = "sk_key-that-must-not-show-4711"
STREAM = "agent_sessions.stream"  # answers with events, which tests of its own look at


def described() -> dict[str, Any]:
    """Return a copy of the description, the answer of the stream left out."""
    found = copy.deepcopy(document("archastro"))
    for item in found["paths"].values():
        if item.get("get", {}).get("operationId") == STREAM:
            del item["get"]["responses"]["200"]["content"]
    return found


DESCRIPTION = described()
FORMS = [(operation, form) for operation in operations(DESCRIPTION) for form in operation.forms]
each_form = pytest.mark.parametrize(
    ("operation", "form"),
    [(operation, form) for operation, form in FORMS if operation.id != STREAM],
    ids=[operation.id for operation, _ in FORMS if operation.id != STREAM],
)


def gaps(description: Mapping[str, Any]) -> TypingGaps:
    return TypingGaps(description, {}, {})


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    """Return one client of each kind, to be looked at."""
    with ArchAstroClient(KEY, transport=Refusal()) as blocking:
        yield [AsyncArchAstroClient(KEY, transport=Refusal()), blocking]


def test_the_description_has_as_many_operations_as_it_says() -> None:
    assert len(FORMS) == DESCRIPTION["x-counts"]["operations"] == 18


def test_every_operation_parameter_and_member_has_a_name_and_a_type_on_both_clients(clients: list[Any]) -> None:
    assert [gap for client in clients for gap in declared_gaps(gaps(DESCRIPTION), client)] == []


# ------------------------------------------------------------------------------------------------ on the wire


def assert_as_described(operation: Operation, form: str | None, recorder: Recorder, result: Any) -> None:
    (sent,) = recorder.sent
    wanted = expected(DESCRIPTION, operation, form, arguments(DESCRIPTION, operation, form))
    assert list(differences(sent, wanted)) == []
    assert sent.headers["x-archastro-api-key"] == KEY
    assert "authorization" not in sent.headers
    if operation.status == 204:
        assert result is None
    elif isinstance(result, list):
        assert [row.to_dict() for row in result] == recorder.answer.json()
    else:
        assert result.to_dict() == recorder.answer.json()


@each_form
async def test_the_async_client_sends_it_as_described(operation: Operation, form: str | None) -> None:
    recorder = Recorder(answer_to(DESCRIPTION, operation))
    async with AsyncArchAstroClient(KEY, transport=httpx.MockTransport(recorder)) as client:
        result = await method_of(client, operation, form)(**arguments(DESCRIPTION, operation, form))
    assert_as_described(operation, form, recorder, result)


@each_form
def test_the_blocking_client_sends_it_as_described(operation: Operation, form: str | None) -> None:
    recorder = Recorder(answer_to(DESCRIPTION, operation))
    with ArchAstroClient(KEY, transport=httpx.MockTransport(recorder)) as client:
        result = method_of(client, operation, form)(**arguments(DESCRIPTION, operation, form))
    assert_as_described(operation, form, recorder, result)


@pytest.mark.parametrize("statuses", ["failed", ["failed"], ("failed",)])
async def test_one_value_of_an_array_is_written_like_an_array(statuses: Any) -> None:
    recorder = Recorder(httpx.Response(200, json={"data": []}))
    async with AsyncArchAstroClient(KEY, transport=httpx.MockTransport(recorder)) as client:
        await client.agent_sessions.list(status=statuses, routine_run="arr_1", agent="agi_1")
    assert recorder.sent[0].query == {"status[]": "failed", "routine_run[]": "arr_1", "agent": "agi_1"}


async def test_several_values_are_repeated_in_brackets_and_no_comma_splits_them() -> None:
    seen: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200, json={"data": []})

    async with AsyncArchAstroClient(KEY, transport=httpx.MockTransport(answer)) as client:
        await client.agent_sessions.list(agent=["a,b", "c"], status=["failed", "waiting"])
    assert seen == ["/api/v1/agent_sessions?agent[]=a%2Cb&agent[]=c&status[]=failed&status[]=waiting"]


async def test_a_co_owner_is_removed_with_none_and_left_alone_without() -> None:
    recorder = Recorder(httpx.Response(200, json={"id": "arn_1"}))
    async with AsyncArchAstroClient(KEY, transport=httpx.MockTransport(recorder)) as client:
        await client.agent_routines.update("arn_1", user=None)
        await client.agent_routines.update("arn_1", name="x", description=None)
    assert [sent.body for sent in recorder.sent] == [{"user": None}, {"name": "x"}]


# ------------------------------------------------------------------------------------------------ that it can fail


def add_operation(description: Any) -> None:
    item = copy.deepcopy(description["paths"]["/api/v1/agent_routines/{routine}"]["get"])
    parameters = {"parameters": [{"$ref": "#/components/parameters/RoutinePath"}]}
    description["paths"]["/api/v1/agent_routines/{routine}/graph"] = {
        **parameters,
        "get": {**item, "operationId": "agent_routines.graph"},
    }


def add_parameter(description: Any) -> None:
    parameter = {"name": "colour[]", "in": "query", "schema": {"type": "string"}, "x-python-name": "colour"}
    description["paths"]["/api/v1/agent_sessions"]["get"]["parameters"].append(parameter)


def add_member(schema: str, member: str, kind: Mapping[str, Any]) -> Callable[[Any], None]:
    def change(description: Any) -> None:
        description["components"]["schemas"][schema]["properties"][member] = kind

    return change


def add_inner_member(description: Any) -> None:
    rule = description["components"]["schemas"]["EventConfig"]["additionalProperties"]
    rule["properties"]["debounce_ms"] = {"type": "integer"}


STRING = {"type": "string"}
NEWS: Mapping[str, tuple[Callable[[Any], None], str]] = {
    "an operation": (add_operation, "agent_routines.graph:"),
    "a parameter": (add_parameter, "agent_sessions.list: takes no colour"),
    "a member of a body": (add_member("AgentSessionCreate", "goal", STRING), "agent_sessions.create: takes no goal"),
    "a member of a change": (
        add_member("AgentRoutineUpdate", "owner", STRING),
        "agent_routines.update: takes no owner",
    ),
    "a member of a start": (
        add_member("AgentRoutineInvoke", "priority", STRING),
        "agent_routines.invoke: takes no pri",
    ),
    "a member of an answer": (add_member("AgentSession", "team", STRING), "AgentSession has no field for 'team'"),
    "a member of a bare list": (add_member("RoutinePreset", "icon", STRING), "RoutinePreset has no field for 'icon'"),
    "a member deep in an answer": (add_member("LLMConfig", "region", STRING), "LLMConfig has no field for 'region'"),
    "a member of a map's values": (add_inner_member, "EventRule has no field for 'debounce_ms'"),
    "a page's member": (
        add_member("AgentRoutineRunListResponse", "total", STRING),
        "AgentRoutineRunsPage has no field for 'total'",
    ),
    "another type": (add_member("AgentRoutineRun", "duration_ms", STRING), "AgentRoutineRun.duration_ms is"),
    "any JSON": (add_member("AgentRoutineRun", "duration_ms", {}), "AgentRoutineRun.duration_ms is any JSON"),
}


@pytest.mark.parametrize("news", NEWS)
def test_what_is_new_in_the_description_is_found_missing(news: str, clients: list[Any]) -> None:
    change, gap = NEWS[news]
    description = copy.deepcopy(DESCRIPTION)
    change(description)
    for client in clients:
        assert any(gap in found for found in declared_gaps(gaps(description), client))
