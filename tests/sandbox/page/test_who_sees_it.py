"""The page is for who sits at the machine, and changes nothing that a test of the sandbox could see."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import Sandbox
from eigenpal.sandbox.local_only import require_local
from eigenpal.sandbox.problems import Problem
from tests.sandbox.page.pages import Page

PATHS = ["/", "/page/requests", "/page/page.css", "/page/page.js", "/favicon.ico", "/page/nothing", "/page/runs/x"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8770", "127.0.0.1.evil.example", "10.0.0.7", "", "[::]"]
)
@pytest.mark.parametrize("path", ["/", "/page/requests", "/page/runs/x"])
def test_another_name_for_this_machine_is_refused(visitor: httpx.Client, path: str, host: str) -> None:
    answer = visitor.get(path, headers={"host": host})

    assert answer.status_code == 403
    assert "name of this machine" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1234", "LOCALHOST", "[::1]:80", "127.8.9.10"])
def test_every_name_of_this_machine_is_good(visitor: httpx.Client, host: str) -> None:
    assert visitor.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_a_proxy_shows_the_page_to_nobody(visitor: httpx.Client, header: str) -> None:
    assert visitor.get("/", headers={header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize(
    ("peer", "good"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.1.9", False),
        ("::ffff:192.168.1.9", False),
        ("testclient", False),
        (None, False),
    ],
)
def test_only_connections_of_this_machine_pass(peer: str | None, good: bool) -> None:
    client = None if peer is None else SimpleNamespace(host=peer)
    request: Any = SimpleNamespace(client=client, headers=httpx.Headers({"host": "localhost"}))
    request.headers.getlist = lambda name: [request.headers[name]]

    if good:
        require_local(request)
    else:
        with pytest.raises(Problem, match="machine of the sandbox"):
            require_local(request)


def test_looking_is_not_recorded_and_meets_no_fault(sandbox: Sandbox, visitor: httpx.Client) -> None:
    fault = sandbox.faults.add(route="*", status=500, times=None)

    assert [visitor.get(path).status_code for path in PATHS] == [200, 200, 200, 200, 200, 404, 404]
    assert (len(sandbox.requests), fault.fired) == (0, 0)
    assert visitor.get("/api/v1/runs").status_code == 500
    assert (len(sandbox.requests), fault.fired) == (1, 1)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_what_it_does_not_need(visitor: httpx.Client, path: str) -> None:
    headers = visitor.get(path).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if "." in path else "no-store")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(visitor: httpx.Client, method: str) -> None:
    answer = visitor.request(method, "/")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_a_page_that_has_not_changed_is_not_sent_again(sandbox: Sandbox, visitor: httpx.Client) -> None:
    first = visitor.get("/")
    headers = {"if-none-match": first.headers["etag"]}

    again = visitor.get("/", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    visitor.post("/api/v1/runs", json={"target": "workflows.extract-invoice"}, headers=bearer(sandbox))
    assert visitor.get("/", headers=headers).status_code == 200


def test_a_page_needs_nothing_from_elsewhere_and_nothing_inline(visitor: httpx.Client) -> None:
    html = visitor.get("/").text
    page = Page(html)

    assert not {"style", "onclick", "onload"} & page.attributes
    assert "style" not in page.tags
    assert html.count("<script") == html.count('<script src="/page/page.js" defer></script>') == 1
    assert "http://127.0.0.1:…" in page.text  # the example of an empty list
    assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in page.links)


def bearer(sandbox: Sandbox) -> dict[str, str]:
    return {"authorization": f"Bearer {sandbox.api_key}"}
