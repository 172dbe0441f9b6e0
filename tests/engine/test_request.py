"""R1: values stay where they belong. A path value is one segment, a query value is one value, or it is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, StrEnum
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from eigenpal.engine.request import Operation, Repeat, encode_path, untyped
from eigenpal.engine.unset import UNSET
from eigenpal.errors import EigenpalInputError
from eigenpal.models.executions import RunStatus
from eigenpal.resources import operations
from eigenpal.resources.operations import DOWNLOAD_ARTIFACT, GET_RUN, LIST_RUNS, RUN
from eigenpal.service import EIGENPAL

BRACKETS = attrs.evolve(EIGENPAL, sequences="brackets", wire_name=str)

# Also what a reader of addresses, a proxy or a file system may take for something else.
nasty_text = st.text() | st.text(alphabet="./\\%2eEfF?#;@:&= \t\n\0é\u3000", max_size=12)


def query(operation: Operation[Any] = LIST_RUNS, /, **values: Any) -> str:
    return operation.fill_query(EIGENPAL, values)


# ---------------------------------------------------------------------------------------------------- path


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("exec_1Bv7sJk4QwE9tYp2LzR6m", "exec_1Bv7sJk4QwE9tYp2LzR6m"),
        ("a/b?x#y", "a%2Fb%3Fx%23y"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("%2F", "%252F"),
        ("%00", "%2500"),
        ("a;b=c", "a%3Bb%3Dc"),
        ("user:pw@host", "user%3Apw%40host"),
        ("...", "..."),
        (".hidden", ".hidden"),
        ("a..b", "a..b"),
        ("Größe", "Gr%C3%B6%C3%9Fe"),
        ("~", "~"),
        ("\\", "%5C"),
    ],
)
def test_r1_a_path_value_is_encoded_whole(value: str, segment: str) -> None:
    assert GET_RUN.fill_path([value]) == f"/api/v1/runs/{segment}"


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "../../admin",
        "a/../b",
        "a/.",
        "./a",
        "..\\admin",
        "a\\..",
        "%2e",
        "%2e%2e",
        "%2E%2e",
        ".%2e",
        "..%2f..",
        "..%5cadmin",
        "%252e%252e",
        "%252e%252e%252fadmin",
        "a%2f..%2fb",
        "a\nb",
        "a\r\nHost: evil",
        "a\tb",
        "a\0",
        "a\x7f",
        "a\x85b",
        "a\u2028b",
        "\ud800",
        "a\udc80b",
    ],
)
@pytest.mark.parametrize("operation", [GET_RUN, operations.GET_WORKFLOW], ids=lambda operation: operation.name)
def test_r1_a_path_value_that_could_name_another_path_is_refused(operation: Operation[Any], value: str) -> None:
    with pytest.raises(EigenpalInputError, match="^(run_id|workflow_id) ") as caught:
        operation.fill_path([value])
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, 5, b"exec_1", ["exec_1"], UNSET, object()])
def test_r1_a_path_value_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(EigenpalInputError, match="^run_id must be a string, not "):
        GET_RUN.fill_path([value])
    with pytest.raises(EigenpalInputError, match="must be a string, not "):
        DOWNLOAD_ARTIFACT.fill_path(["exec_1", value])


@settings(max_examples=50, deadline=None)
@given(nasty_text)
@example("../../admin")
@example("%2e%2e%2f")
def test_r1_any_text_is_refused_or_stays_exactly_one_segment(value: str) -> None:
    try:
        path = operations.CANCEL_RUN.fill_path([value])
    except EigenpalInputError:
        return
    parts = urlsplit(f"https://host{path}")
    assert (parts.path, parts.query, parts.fragment) == (path, "", "")
    segments = path.split("/")
    assert len(segments) == len(operations.CANCEL_RUN.path.split("/"))
    assert [unquote(segment) for segment in segments] == ["", "api", "v1", "runs", value, "cancel"]
    assert path.isascii()
    assert path.isprintable()
    for decoded in (unquote(path), unquote(unquote(path)), unquote(unquote(unquote(path)))):
        assert {".", ".."}.isdisjoint(decoded.replace("\\", "/").split("/"))


@settings(max_examples=50, deadline=None)
@given(st.lists(nasty_text, min_size=1, max_size=4).map("/".join))
@example("output/../../../../admin")
def test_r1_an_artifact_path_is_refused_or_keeps_its_segments(value: str) -> None:
    try:
        path = DOWNLOAD_ARTIFACT.fill_path(["exec_1", value])
    except EigenpalInputError:
        return
    prefix = "/api/v1/runs/exec_1/artifacts/"
    assert path.startswith(prefix)
    assert [unquote(part) for part in path.removeprefix(prefix).split("/")] == value.split("/")
    assert "" not in path.removeprefix(prefix).split("/")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("output/a.pdf", "output/a.pdf"),
        ("trace.jsonl", "trace.jsonl"),
        ("output/a b?.pdf", "output/a%20b%3F.pdf"),
        ("output/100%.pdf", "output/100%25.pdf"),
        ("output/請求書\u3000六月.pdf", "output/%E8%AB%8B%E6%B1%82%E6%9B%B8%E3%80%80%E5%85%AD%E6%9C%88.pdf"),
        ("output/Screenshot 9.41\u202fAM.png", "output/Screenshot%209.41%E2%80%AFAM.png"),
        ("output/👩\u200d👩\u200d👧.txt", "output/%F0%9F%91%A9%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7.txt"),
    ],
)
def test_r1_an_artifact_path_keeps_its_slashes_and_any_name_people_give_files(value: str, path: str) -> None:
    assert encode_path("path", value) == path


@pytest.mark.parametrize("value", ["", "/", "/output/a", "output/", "output//a", "output/./a", "..", "output/%2e%2e/a"])
def test_r1_an_artifact_path_with_an_empty_or_a_dot_segment_is_refused(value: str) -> None:
    with pytest.raises(EigenpalInputError, match="^artifact_path"):
        DOWNLOAD_ARTIFACT.fill_path(["exec_1", value])


# ---------------------------------------------------------------------------------------------------- query


@settings(max_examples=30, deadline=None)
@given(nasty_text, nasty_text)
def test_r1_any_text_arrives_as_it_was_given(source: str, cursor: str) -> None:
    text = query(source=source, cursor=cursor)
    assert parse_qsl(text, keep_blank_values=True, strict_parsing=True) == [("source", source), ("cursor", cursor)]
    assert text.isascii()
    assert urlsplit(f"https://host/?{text}").query == text


@settings(max_examples=50, deadline=None)
@given(st.lists(nasty_text.filter(bool), min_size=1, max_size=4))
def test_r1_any_items_arrive_as_they_were_given(items: list[str]) -> None:
    text = LIST_RUNS.fill_query(BRACKETS, {"ids": items})
    assert parse_qsl(text) == [("ids[]", item) for item in items]
    if any("," in item for item in items):
        with pytest.raises(EigenpalInputError, match="comma"):
            query(ids=items)
    else:
        assert parse_qsl(query(ids=items)) == [("ids", ",".join(items))]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"limit": None, "cursor": UNSET}, ""),
        ({"batch_id": "evb_1"}, "batchId=evb_1"),
        ({"example_id_contains": "a"}, "exampleIdContains=a"),
        ({"from_date": "now()-7d"}, "from=now%28%29-7d"),
        ({"to_date": "a", "limit": 5}, "to=a&limit=5"),
        ({"limit": 0}, "limit=0"),
        ({"cursor": ""}, "cursor="),
        ({"ids": "a,b"}, "ids=a%2Cb"),
        ({"ids": ["a", "b"]}, "ids=a%2Cb"),
        ({"ids": ("a",)}, "ids=a"),
        ({"ids": {"a"}}, "ids=a"),
        ({"ids": frozenset({"a"})}, "ids=a"),
        ({"ids": {"a": 1, "b": 2}.keys()}, "ids=a%2Cb"),
        ({"ids": deque(["a", "b"])}, "ids=a%2Cb"),
        ({"status": RunStatus.FAILED}, "status=failed"),
        ({"status": [RunStatus.FAILED, "cancelled"]}, "status=failed%2Ccancelled"),
        ({"from_date": date(2026, 6, 14)}, "from=2026-06-14"),
        ({"from_date": datetime(2026, 6, 14, tzinfo=UTC)}, "from=2026-06-14T00%3A00%3A00Z"),
        (
            {"from_date": datetime(2026, 6, 14, tzinfo=timezone(timedelta(hours=2)))},
            "from=2026-06-14T00%3A00%3A00%2B02%3A00",
        ),
        ({"limit": True}, "limit=true"),
        ({"limit": False}, "limit=false"),
        ({"limit": 1.5}, "limit=1.5"),
    ],
)
def test_r1_a_query_has_wire_names_and_only_what_was_given(values: dict[str, Any], text: str) -> None:
    assert query(**values) == text


def test_r1_a_name_that_follows_no_rule_is_spelt_out_by_its_operation() -> None:
    assert query(RUN, wait_for_completion=5, version="1.2.3") == "wait_for_completion=5&version=1.2.3"


def test_r1_a_service_may_want_a_list_as_repeated_names() -> None:
    assert LIST_RUNS.fill_query(BRACKETS, {"batch_id": "a", "ids": ["b", "c"]}) == "batch_id=a&ids[]=b&ids[]=c"


@pytest.mark.parametrize("empty", [[], (), set(), {}.keys(), [""], ["a", ""]], ids=repr)
@pytest.mark.parametrize("service", [EIGENPAL, BRACKETS], ids=["commas", "brackets"])
def test_r1_a_filter_that_filters_nothing_is_refused(service: Any, empty: Any) -> None:
    with pytest.raises(EigenpalInputError, match="^ids (is|has) an empty .* leave it out instead"):
        LIST_RUNS.fill_query(service, {"ids": empty})


@pytest.mark.parametrize("service", [EIGENPAL, BRACKETS], ids=["commas", "brackets"])
def test_r1_an_empty_list_that_only_would_ask_for_more_is_not_sent(service: Any) -> None:
    assert GET_RUN.fill_query(service, {"expand": []}) == ""


def test_r1_an_item_is_never_torn_into_two() -> None:
    with pytest.raises(EigenpalInputError, match="^ids has the item 'b,c', whose comma would make it several items"):
        query(ids=["a", "b,c"])


class Plain(Enum):
    A = 1


class Kind(StrEnum):
    B = "b"


@pytest.mark.parametrize(
    ("value", "text"), [(Plain.A, "limit=1"), (Kind.B, "limit=b"), ([Plain.A, Kind.B], "limit=1%2Cb")]
)
def test_r1_enums_are_sent_by_value(value: Any, text: str) -> None:
    assert query(limit=value) == text


def generator() -> Iterator[str]:
    yield "a"


@pytest.mark.parametrize(
    "value",
    [b"a", object(), {"a": 1}, generator(), [None], [["a"]], [UNSET], timedelta(days=1), "\ud800", ["a\udfff"]],
)
def test_r1_a_query_value_with_no_text_form_is_refused_by_name(value: Any) -> None:
    with pytest.raises(EigenpalInputError, match="^cursor ") as caught:
        query(cursor=value)
    assert str(caught.value).isprintable()


# ---------------------------------------------------------------------------------------------------- operations


ALL_OPERATIONS = [value for value in vars(operations).values() if isinstance(value, Operation)]


@pytest.mark.parametrize("operation", ALL_OPERATIONS, ids=lambda operation: operation.name)
def test_what_starts_something_is_declared_so(operation: Operation[Any]) -> None:
    """Only a POST can start something; the one that is repeated lightly, cancel, ends in the same state."""
    if operation.method != "POST":
        assert operation.repeat is Repeat.HARMLESS
    elif operation.name in {"run", "rerun"}:
        assert operation.repeat is Repeat.STARTS


@pytest.mark.parametrize(
    ("method", "repeat"),
    [
        ("get", Repeat.HARMLESS),
        ("HEAD", Repeat.HARMLESS),
        ("PUT", Repeat.HARMLESS),
        ("DELETE", Repeat.HARMLESS),
        ("POST", Repeat.STARTS),
        ("PATCH", Repeat.STARTS),
        ("PURGE", Repeat.STARTS),
    ],
)
def test_a_request_without_a_name_is_repeated_only_where_http_says_it_may_be(method: str, repeat: Repeat) -> None:
    operation = untyped(method, "/api/v1/agents", query=None, returns=Any)
    assert operation.repeat is repeat
    assert operation.method == method.upper()


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/api/v1/agents", "/api/v1/agents"),
        ("/api/v1/agents/a%2Fb", "/api/v1/agents/a%2Fb"),
        ("/api/v1/agents/{agentId}", "/api/v1/agents/%7BagentId%7D"),
        ("/api/v1/Größe und mehr", "/api/v1/Gr%C3%B6%C3%9Fe%20und%20mehr"),
        ("/api/v1/a:b@c;d=e", "/api/v1/a:b@c;d=e"),
        ("//evil.example/x", "//evil.example/x"),  # comes after base_url, so it names no host
    ],
)
def test_the_path_of_a_request_without_a_name_is_literal(path: str, sent: str) -> None:
    assert untyped("GET", path, query=None, returns=Any).fill_path(()) == sent


@pytest.mark.parametrize(
    "path",
    [
        "",
        "api",
        "https://evil.example/",
        "/a?b=c",
        "/a#b",
        "/a\nb",
        "/a\0",
        "/../admin",
        "/a/%2e%2e/b",
        "/a/..",
        "/\ud800",
    ],
)
def test_r1_a_path_that_can_not_be_one_is_refused(path: str) -> None:
    with pytest.raises(EigenpalInputError, match="^path must "):
        untyped("GET", path, query=None, returns=Any)


@pytest.mark.parametrize("method", ["", "GET ", "GET\r\n", "G3T", "GÉT", "POST /x HTTP/1.1"])
def test_a_method_that_can_not_be_one_is_refused(method: str) -> None:
    with pytest.raises(EigenpalInputError, match="is not an HTTP method"):
        untyped(method, "/a", query=None, returns=Any)


def test_the_query_names_of_a_request_without_a_name_are_sent_as_they_are() -> None:
    values = {"some_name": 1, "someName": None, "a b": [2, 3]}
    operation = untyped("GET", "/a", query=values, returns=Any)
    assert operation.fill_query(EIGENPAL, values) == "some_name=1&a%20b=2%2C3"
