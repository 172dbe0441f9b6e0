"""The log of requests: what it shows, how it filters, and what it keeps to itself."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.page.masking import mask_body, mask_json, mask_query
from tests.sandbox.page.pages import Page


def details(sandbox: Sandbox, visitor: httpx.Client) -> Page:
    return Page(visitor.get(f"/page/requests/{sandbox.requests[-1].request_id}").text)


def test_an_empty_log_says_so(visitor: httpx.Client) -> None:
    assert "No requests yet" in Page(visitor.get("/page/requests").text).text


def test_requests_are_listed_newest_first_with_their_answers(sandbox: Sandbox, visitor: httpx.Client) -> None:
    sandbox.faults.add(route="/api/v1/workflows", status=503)
    sandbox.faults.add(route="/api/v1/agents", drop="after_body")
    visitor.get("/api/v1/runs")
    visitor.get("/api/v1/workflows", params={"limit": 2})
    with pytest.raises(httpx.TransportError):
        visitor.get("/api/v1/agents")
    visitor.post("/api/v1/runs", json={}, headers={"authorization": f"Bearer {sandbox.api_key}"})

    page = Page(visitor.get("/page/requests").text)
    assert page.column(0) == ["400", "cut", "503", "401"]
    assert page.column(1) == ["POST", "GET", "GET", "GET"]
    assert page.column(2) == ["/api/v1/runs", "/api/v1/agents", "/api/v1/workflows?limit=2", "/api/v1/runs"]
    assert page.column(4) == ["2 bytes", "–", "–", "–"]
    assert page.column(5)[1] == "–"
    assert all(duration.endswith("s") for duration in page.column(5)[2:])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"method": "POST"}, ["401"]),
        ({"outcome": "4xx"}, ["401", "401"]),
        ({"outcome": "5xx"}, ["500"]),
        ({"outcome": "cut"}, []),
        ({"outcome": "none"}, ["401", "500", "401"]),
        ({"text": "WORKFLOWS"}, ["500"]),
        ({"text": "limit=2"}, ["500"]),
        ({"text": "nowhere"}, []),
    ],
)
def test_the_log_is_filtered(sandbox: Sandbox, visitor: httpx.Client, query: dict[str, str], found: list[str]) -> None:
    sandbox.faults.add(route="/api/v1/workflows", status=500)
    visitor.get("/api/v1/runs")
    visitor.get("/api/v1/workflows", params={"limit": 2})
    visitor.post("/api/v1/runs")

    assert Page(visitor.get("/page/requests", params=query).text).column(0) == found


def test_a_long_log_comes_page_by_page(sandbox: Sandbox, visitor: httpx.Client) -> None:
    for _ in range(120):
        visitor.get("/api/v1/runs")

    page = Page(visitor.get("/page/requests", params={"page": 2}).text)
    assert len(page.rows) == 20
    assert "101–120 of 120 requests" in page.text


def test_a_request_shows_query_headers_and_body_without_secrets(sandbox: Sandbox, visitor: httpx.Client) -> None:
    secrets = {
        "authorization": f"Bearer {sandbox.api_key}",
        "cookie": "c=S1",
        "x-archastro-api-key": "S2",
        "x-token": "S3",
    }
    body = {"target": "workflows.x", "input": {"apiKey": "S4", "deep": [{"secrets": {"A": "S5"}}], "maxTokens": 17}}
    visitor.post("/api/v1/runs", params={"access_token": "S6", "limit": "3"}, json=body, headers=secrets)

    shown = [details(sandbox, visitor).text, Page(visitor.get("/page/requests").text).text]
    for secret in (sandbox.api_key, "S1", "S2", "S3", "S4", "S5", "S6"):
        assert all(secret not in text for text in shown)
    assert "authorization***" in shown[0].replace(" ", "")
    assert '"maxTokens": 17' in shown[0]
    assert "limit=3" in shown[1]


@pytest.mark.parametrize("path", ["/api/v1/source/secrets/encrypt", "/api/v1/source/secrets/decrypt"])
def test_bodies_that_are_secrets_are_never_shown(sandbox: Sandbox, visitor: httpx.Client, path: str) -> None:
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    visitor.post(path, json={"plain": "hunter2", "list": ["hunter2"]}, headers=headers)

    page = details(sandbox, visitor)
    assert "hunter2" not in page.text
    assert "it holds secrets" in page.text


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"\xff\xfe\x00", "Not text."),
        (bytes(70_000), "Too large to be kept."),
        (b"x" * 20_000, "The first 6,000 of 20,000 characters."),
        (b"[" * 5_000, "[[[["),
    ],
)
def test_a_body_of_any_kind_has_its_words(sandbox: Sandbox, visitor: httpx.Client, content: bytes, shown: str) -> None:
    sandbox.faults.add(status=200)
    visitor.post("/api/v1/runs", content=content)

    assert shown in details(sandbox, visitor).text


def test_a_request_that_the_log_let_go_is_not_found(visitor: httpx.Client) -> None:
    assert visitor.get("/page/requests/req_none").status_code == 404


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"password": "x", "n": 1}, {"password": "***", "n": 1}),
        ({"clientSecret": ["a", {"b": "c", "d": 2}]}, {"clientSecret": ["***", {"b": "***", "d": 2}]}),
        ({"private_key": "x", "key": "y", "keyboard": "z"}, {"private_key": "***", "key": "y", "keyboard": "z"}),
        ([{"x": {"refreshToken": "a"}}], [{"x": {"refreshToken": "***"}}]),
        ("token", "token"),
    ],
)
def test_texts_below_a_secret_name_are_masked(value: Any, masked: Any) -> None:
    assert mask_json(value) == masked


def test_queries_and_forms_are_masked_by_name() -> None:
    assert mask_query("a=1&api_key=x%20y") == "a=1&api_key=***"
    assert mask_query("a=%2F&b") == "a=%2F&b"
    assert mask_body("/x", "application/x-www-form-urlencoded", b"password=1&a=2") == "password=***&a=2"
    assert json.loads(mask_body("/x", "application/json", b'{"token": "t"}') or "") == {"token": "***"}
