"""What to run: what users write becomes a target and a version on the wire, or is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx
import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.client import AsyncEigenpalClient
from eigenpal.errors import EigenpalInputError
from eigenpal.resources.targets import wire_target, workflow_target


@pytest.mark.parametrize(
    ("target", "wire"),
    [
        ("workflows.extract-invoice", ("workflows.extract-invoice", None)),
        ("agents.invoice-agent", ("agents.invoice-agent", None)),
        ("workflows.wf_a-B_9xYz", ("workflows.wf_a-B_9xYz", None)),
        ("agents.team.invoice-agent", ("agents.team.invoice-agent", None)),
        ("agents.team/invoice-agent", ("agents.team.invoice-agent", None)),
        ("workflows/extract-invoice", ("workflows.extract-invoice", None)),
        ("workflows.a@1.2.3", ("workflows.a", "1.2.3")),
        ("workflows.a@latest", ("workflows.a", None)),
        ("agents.a@1.2.x", ("agents.a", "1.2.x")),
        ("agents.a@main", ("agents.a", "main")),
        ("workflows.a@wfh_a-B_9", ("workflows.a", "wfh_a-B_9")),
        ("workflows.agents.a", ("workflows.agents.a", None)),
        ({"type": "workflow", "slug": "a"}, ("workflows.a", None)),
        ({"type": "workflow", "id": "wf_1"}, ("workflows.wf_1", None)),
        ({"type": "workflow", "slug": "a", "id": "wf_1"}, ("workflows.a", None)),
        ({"type": "workflow", "slug": "", "id": "wf_1"}, ("workflows.wf_1", None)),
        ({"type": "workflow", "slug": "team/a"}, ("workflows.team.a", None)),
        ({"type": "workflow", "slug": "workflows.a"}, ("workflows.a", None)),
        ({"type": "agent", "slug": "a", "version": "1.2.3"}, ("agents.a", "1.2.3")),
        ({"type": "agent", "slug": "a", "version": "latest"}, ("agents.a", None)),
        ({"type": "agent", "slug": "a", "version": None}, ("agents.a", None)),
        ({"type": "agent", "slug": "agents.team.a"}, ("agents.team.a", None)),
        ({"type": "agent", "slug": "agents/team/a"}, ("agents.team.a", None)),
        (MappingProxyType({"type": "agent", "id": "awf_1"}), ("agents.awf_1", None)),
    ],
)
def test_a_target_goes_on_the_wire_without_its_version(target: Any, wire: tuple[str, str | None]) -> None:
    assert wire_target(target) == wire


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("extract-invoice", ("workflows.extract-invoice", None)),
        ("wf_1", ("workflows.wf_1", None)),
        ("workflows.extract-invoice", ("workflows.extract-invoice", None)),
        ("workflows/extract-invoice", ("workflows.extract-invoice", None)),
        ("team/a@1.2.3", ("workflows.team.a", "1.2.3")),
        ("a@latest", ("workflows.a", None)),
        ("workflows", ("workflows.workflows", None)),
    ],
)
def test_a_workflow_may_be_named_without_its_root(name: str, wire: tuple[str, str | None]) -> None:
    assert workflow_target(name) == wire


@pytest.mark.parametrize(
    ("given", "own", "version"),
    [
        (None, None, None),
        ("1.2.3", None, "1.2.3"),
        (None, "1.2.3", "1.2.3"),
        ("1.2.3", "1.2.3", "1.2.3"),
        ("latest", None, None),
        ("latest", "latest", None),
    ],
)
def test_a_version_may_be_given_on_either_side(given: str | None, own: str | None, version: str | None) -> None:
    suffix = f"@{own}" if own else ""
    assert wire_target(f"workflows.a{suffix}", given) == ("workflows.a", version)
    assert workflow_target(f"a{suffix}", given) == ("workflows.a", version)
    assert wire_target({"type": "workflow", "slug": "a", **({"version": own} if own else {})}, given)[1] == version


REFUSED: list[tuple[Any, str]] = [
    ("", "is not a target"),
    ("extract-invoice", "'extract-invoice' is not a target; write 'workflows.<slug or id>'"),
    ("workflows", "is not a target"),
    ("workflows.", "is not a target"),
    ("workflows..a", "is not a target"),
    ("workflows.a.", "is not a target"),
    ("workflows.a//b", "is not a target"),
    ("workflow.a", "is not a target"),
    ("Workflows.a", "is not a target"),
    (" workflows.a", "is not a target"),
    ("workflows.a ", "is not a target"),
    ("workflows.a b", "is not a target"),
    ("workflows.a\n", "is not a target"),
    ("workflows.../../admin", "is not a target"),
    ("workflows.%2e%2e", "is not a target"),
    ("workflows.größe", "is not a target"),
    ("workflows.a?b=c", "is not a target"),
    ("@1.2.3", "is not a target"),
    ("workflows.a@", "ends with '@' but names no version"),
    ("workflows.a@1@2", "has more than one '@'"),
    ("workflows.a@@", "has more than one '@'"),
    ("workflows.a@ 1", "is not a version"),
    ("workflows.a@1\n", "is not a version"),
    (None, "must be a string or a mapping, not NoneType"),
    (5, "must be a string or a mapping, not int"),
    (["workflows.a"], "must be a string or a mapping, not list"),
    (b"workflows.a", "must be a string or a mapping, not bytes"),
    ({}, "target type must be 'workflow' or 'agent', not None"),
    ({"slug": "a"}, "target type must be 'workflow' or 'agent', not None"),
    ({"type": "workflows", "slug": "a"}, "must be 'workflow' or 'agent', not 'workflows'"),
    ({"type": ["workflow"], "slug": "a"}, "must be 'workflow' or 'agent', not ['workflow']"),
    ({"type": "workflow"}, "needs 'slug' or 'id'"),
    ({"type": "workflow", "slug": ""}, "needs 'slug' or 'id'"),
    ({"type": "workflow", "slug": 5}, "needs 'slug' or 'id'"),
    ({"type": "workflow", "slug": "a@1"}, "is not a target"),
    ({"type": "agent", "slug": "team.a"}, "'team.a' has a dot, so it must begin with 'agents.'"),
    ({"type": "agent", "slug": "team/a"}, "'team.a' has a dot, so it must begin with 'agents.'"),
    ({"type": "agent", "slug": "workflows.a"}, "has a dot, so it must begin with 'agents.'"),
    ({"type": "workflow", "slug": "a", "version": ""}, "'' is not a version"),
    ({"type": "workflow", "slug": "a", "version": 3}, "3 is not a version; give a string such as '1.2.3'"),
]


@pytest.mark.parametrize(("target", "message"), REFUSED)
def test_what_names_nothing_is_refused_with_advice(target: Any, message: str) -> None:
    with pytest.raises(EigenpalInputError) as caught:
        wire_target(target)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("agents.a", "'agents.a' is an agent; start agents with client.run_and_wait"),
        ("agents/a", "is an agent"),
        ("", "is not a target"),
        ("a@", "names no version"),
        ("a b", "is not a target"),
        (5, "must be a string or a mapping, not int"),
    ],
)
def test_what_is_no_workflow_is_refused_with_advice(name: Any, message: str) -> None:
    with pytest.raises(EigenpalInputError) as caught:
        workflow_target(name)
    assert message in str(caught.value)


@pytest.mark.parametrize("version", ["", " ", "1.2.3 ", "1\n", "\0", 3, 1.2, b"1", ["1"]])
def test_a_version_that_is_none_is_refused(version: Any) -> None:
    for attempt in (wire_target, workflow_target):
        with pytest.raises(EigenpalInputError, match="is not a version; give a string such as '1.2.3'"):
            attempt("workflows.a", version)


@pytest.mark.parametrize(
    ("own", "given"), [("1.2.3", "1.2.4"), ("latest", "1.2.3"), ("1.2.3", "latest"), ("1.2.3", "")]
)
def test_two_different_versions_are_refused(own: str, given: str) -> None:
    for attempt in (wire_target, workflow_target):
        with pytest.raises(EigenpalInputError, match="another; give one of them"):
            attempt(f"workflows.a@{own}", given)


mappings: st.SearchStrategy[Mapping[Any, Any]] = st.dictionaries(
    st.sampled_from(["type", "slug", "id", "version", "other"]),
    st.sampled_from(["workflow", "agent", "a", "wf_1", "1.2.3", "latest", ""]) | st.text() | st.none() | st.integers(),
)


@given(st.text() | st.text(alphabet="workflowsagents.@/-_a1 ") | mappings, st.none() | st.text(max_size=3))
def test_any_target_is_one_name_on_the_wire_or_refused(target: Any, version: str | None) -> None:
    try:
        name, wanted = wire_target(target, version)
    except EigenpalInputError:
        return
    root, *segments = name.split(".")
    assert root in {"workflows", "agents"}
    assert segments
    assert all(segment.replace("-", "a").replace("_", "a").isalnum() and segment.isascii() for segment in segments)
    assert wanted != "latest"
    assert wanted is None or (wanted.isprintable() and wanted.strip())


@pytest.mark.anyio
@pytest.mark.parametrize(("target", "message"), REFUSED[::5])
async def test_a_target_is_refused_before_anything_is_sent(target: Any, message: str) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.method} {request.url} was sent")

    async with AsyncEigenpalClient("key", transport=httpx.MockTransport(server)) as client:
        for start in (client.run, client.run_and_wait):
            with pytest.raises(EigenpalInputError) as caught:
                await start(target, {})
            assert message in str(caught.value)
            assert caught.value.status == 0


def test_a_misspelt_name_in_a_mapping_is_refused_since_another_version_might_run() -> None:
    with pytest.raises(EigenpalInputError, match="'verison'"):
        wire_target({"type": "workflow", "slug": "a", "verison": "1.0.0"})
