"""Where two JSON values differ: the documented rules by example, the promises to everyone by property."""

from __future__ import annotations

import ast
import re
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from eigenpal.comparison.differences import json_differences, same, value_differences
from eigenpal.comparison.filenames import match_files, undated

names = st.text(max_size=3) | st.sampled_from(["a", "b", "a.b", "it's", "größe", "[0]", ""])
scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5]) | st.text(max_size=2)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
without_nulls = st.recursive(
    st.booleans() | st.integers(-2, 2) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)

STEP = re.compile(r"\.([^\W\d]\w*)|\[(\d+)\]|\[('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\]")


def steps_of(path: str) -> list[str | int]:
    """Read a path back into the names and indices it goes through."""
    assert path.startswith("$")
    found: list[str | int] = []
    place = 1
    while place < len(path):
        match = STEP.match(path, place)
        assert match, path
        plain, index, quoted = match.groups()
        found.append(plain if plain is not None else int(index) if index is not None else unquoted(quoted))
        place = match.end()
    return found


def unquoted(text: str) -> str:
    value = ast.literal_eval(text)
    assert isinstance(value, str)
    return value


def at(document: Any, path: str) -> Any:
    """Return what is at a path; KeyError or IndexError where there is nothing."""
    for step in steps_of(path):
        document = document[step]
    return document


def changes(expected: Any, actual: Any) -> list[tuple[str, str]]:
    return [(difference.path, str(difference.type)) for difference in json_differences(expected, actual)]


@pytest.mark.parametrize(
    ("expected", "actual", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": True}, {"a": 1}, [("$.a", "changed")]),
        ({"a": [1]}, {"a": [True]}, [("$.a", "changed")]),
        ({"b": 1, "a": 1}, {"c": 1}, [("$.a", "missing"), ("$.b", "missing"), ("$.c", "extra")]),
        ({"a": {"z": 1, "b": {}}}, {"a": {"b": {"x": 1}}}, [("$.a.b.x", "extra"), ("$.a.z", "missing")]),
        ({"a": {}}, {"a": []}, [("$.a", "changed")]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("$.a", "changed")]),
        ([1, 2], [1, 3], [("$", "changed")]),
        (None, {"a": 1}, []),
        ({"a": None, "b": {"c": None}}, {"a": 5, "b": {"c": [1]}}, []),
        ({"a": None}, {}, [("$.a", "missing")]),
        ({"a": 5}, {"a": None}, [("$.a", "changed")]),
        ({"a": [None]}, {"a": [1]}, [("$.a", "changed")]),
        ({"x.y": 1, "it's": 1, "größe": 1, "0": 1}, {}, [(path, "missing") for path in
            ("$['0']", "$.größe", '$["it\'s"]', "$['x.y']")]),
    ],
)  # fmt: skip
def test_json_differences_are_as_documented(expected: Any, actual: Any, found: list[tuple[str, str]]) -> None:
    assert changes(expected, actual) == found


def test_lists_are_looked_into_by_element() -> None:
    found = value_differences({"a": [1, {"b": [1]}, 3]}, {"a": [1, {"b": [2]}, 3, 4]}, null_takes_any=False)
    assert [(difference.path, difference.type) for difference in found] == [
        ("$.a[1].b[0]", "changed"),
        ("$.a[3]", "extra"),
    ]


@given(documents)
def test_nothing_differs_from_itself(document: Any) -> None:
    assert json_differences(document, document) == []
    assert value_differences(document, document, null_takes_any=False) == []


@given(documents, documents)
def test_whether_two_values_differ_does_not_depend_on_the_side(one: Any, other: Any) -> None:
    assert same(one, other) == same(other, one)
    forth = value_differences(one, other, null_takes_any=False)
    back = value_differences(other, one, null_takes_any=False)
    assert [difference.path for difference in forth] == [difference.path for difference in back]
    assert (forth == []) == same(one, other)


@given(without_nulls, without_nulls)
def test_the_documented_differences_are_symmetric_where_nothing_is_null(one: Any, other: Any) -> None:
    assert [path for path, _ in changes(one, other)] == [path for path, _ in changes(other, one)]


@given(documents, documents)
def test_both_ways_to_look_agree_on_whether_there_is_a_difference(expected: Any, actual: Any) -> None:
    whole = json_differences(expected, actual)
    by_element = value_differences(expected, actual, null_takes_any=True)
    assert (whole == []) == (by_element == [])
    for difference in by_element:
        assert any(difference.path.startswith(cause.path) for cause in whole)


@given(documents, documents)
def test_every_path_leads_to_what_differs(expected: Any, actual: Any) -> None:
    found = value_differences(expected, actual, null_takes_any=False)
    assert len({difference.path for difference in found}) == len(found)
    for difference in found:
        if difference.type == "missing":
            assert at(expected, difference.path) is difference.expected
            with pytest.raises((KeyError, IndexError)):
                at(actual, difference.path)
        elif difference.type == "extra":
            assert at(actual, difference.path) is difference.actual
            with pytest.raises((KeyError, IndexError)):
                at(expected, difference.path)
        else:
            assert at(expected, difference.path) is difference.expected
            assert at(actual, difference.path) is difference.actual
            assert not same(difference.expected, difference.actual)


def test_no_nesting_is_too_deep() -> None:
    one: Any = 1
    other: Any = 2
    for _ in range(5_000):
        one, other = [one], [other]
    assert [difference.path for difference in json_differences({"a": one}, {"a": other})] == ["$.a"]


file_names = st.lists(
    st.sampled_from(["a.pdf", "b.pdf", "r-2026-01-02.pdf", "r-2026-01-03.pdf", "20260101"]), max_size=6
)


@given(file_names, file_names, st.booleans())
def test_every_file_is_matched_missing_or_extra_exactly_once(
    expected: list[str], actual: list[str], normalize_dates: bool
) -> None:
    matched, missing, extra = match_files(expected, actual, normalize_dates=normalize_dates)
    assert sorted([*(match.expected for match in matched), *missing]) == sorted(expected)
    assert sorted([*(match.actual for match in matched), *extra]) == sorted(actual)
    assert all(
        match.expected == match.actual or (normalize_dates and undated(match.expected) == undated(match.actual))
        for match in matched
    )
    key = undated if normalize_dates else str
    assert not {key(name) for name in missing} & {key(name) for name in extra}


def test_the_same_name_answers_before_a_name_with_another_date() -> None:
    expected, actual = ["r-2026-01-01.pdf", "r-2026-01-02.pdf"], ["r-2026-01-02.pdf", "r-2026-01-03.pdf"]
    matched, _, _ = match_files(expected, actual, normalize_dates=True)
    assert [(match.expected, match.actual) for match in matched] == [
        ("r-2026-01-01.pdf", "r-2026-01-03.pdf"),
        ("r-2026-01-02.pdf", "r-2026-01-02.pdf"),
    ]


@pytest.mark.parametrize(
    ("name", "placeholder"),
    [
        ("report-2026-11-22.pdf", "report-<date>.pdf"),
        ("20261122_20261123.csv", "<date>_<date>.csv"),
        ("invoice-1234567890.pdf", "invoice-1234567890.pdf"),
        ("2026-1-2.pdf", "2026-1-2.pdf"),
    ],
)
def test_dates_are_years_months_and_days_or_eight_digits(name: str, placeholder: str) -> None:
    assert undated(name) == placeholder
