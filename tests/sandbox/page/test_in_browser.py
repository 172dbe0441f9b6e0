"""The page in a real browser: it updates by itself, keeps what the visitor did, and can be read by everyone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

from eigenpal.sandbox import RunContext, RunFailed, Sandbox
from tests.sandbox.page.browser import chromium, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)><svg onload=alert(3)>"
# What a page must not have.
FLAWS = {
    "markup of others": "main img, main svg[onload]",
    "a table without a caption": "table:not(:has(caption))",
    "a table without headers": "table:not(:has(th[scope=col]))",
}
WIDTHS = (360, 900, 1600)
_UNNAMED = """() => [...document.querySelectorAll("input, select, button, pre")]
  .filter((each) => !each.labels?.length && !each.textContent.trim() && !each.ariaLabel).length"""
_REPEATED_IDS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  return ids.length - new Set(ids).size;
}"""
# Text needs 4.5 times the brightness of its ground, or the other way round (WCAG 2.2, AA).
_CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const paint = (colours) => {
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((each) => each / 255)
    .map((each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
  const poor = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest(".off")) continue;
    const grounds = [];
    for (let each = element; each; each = each.parentElement) grounds.unshift(getComputedStyle(each).backgroundColor);
    const ground = paint(grounds), text = paint([...grounds, getComputedStyle(element).color]);
    const [less, more] = [light(ground), light(text)].sort((a, b) => a - b);
    const enough = (more + 0.05) / (less + 0.05) >= 4.5;
    if (!enough) poor.add(`${element.localName}.${element.className}: ${text} on ${ground}`);
  }
  return [...poor];
}"""


# For the module only: Playwright has an event loop in this thread, beside which no async test could run.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def gate() -> threading.Event:
    """Lets the run that waits go on."""
    return threading.Event()


@pytest.fixture(scope="module")
def sandbox(gate: threading.Event) -> Iterator[Sandbox]:
    sandbox = Sandbox()

    @sandbox.workflow("hostile")
    def hostile(context: RunContext) -> dict[str, Any]:
        with context.step(HOSTILE) as step:
            step.output = {HOSTILE: HOSTILE * 200}
        context.trace({"type": HOSTILE, "text": HOSTILE})
        context.write_artifact(f"{HOSTILE.replace('/', '')}.html", f"<html>{HOSTILE}")
        if context.input.get("fail"):
            raise RunFailed(HOSTILE)
        return {"out": HOSTILE, "long": "x" * 5_000}

    @sandbox.workflow("patient")
    def patient(context: RunContext) -> dict[str, str]:
        with context.step("first") as step:
            step.output = {"is": "done"}
        with context.step("second"):
            gate.wait(30)
        return {"at": "last"}

    with sandbox:
        yield sandbox
        gate.set()


@pytest.fixture(scope="module")
def runs(sandbox: Sandbox) -> dict[str, str]:
    """Runs with everything that a page can show, by name."""
    return {
        "failed": start(sandbox, "hostile", wait=20, input={"fail": True, HOSTILE: HOSTILE}, metadata={"m": HOSTILE}),
        "completed": start(sandbox, "hostile", wait=20, input={}),
        "running": start(sandbox, "patient"),
    }


def start(sandbox: Sandbox, workflow: str, wait: int = 0, **body: Any) -> str:
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    body["target"] = f"workflows.{workflow}"
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=30, trust_env=False, verify=False) as client:
        answer = client.post("/api/v1/runs", params={"wait_for_completion": wait}, json=body)
    run_id: str = answer.json()["id"]
    return run_id


@pytest.fixture
def context(browser: Browser, sandbox: Sandbox) -> Iterator[BrowserContext]:
    with watched(browser, sandbox.url) as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def pages_of(sandbox: Sandbox, runs: dict[str, str]) -> list[str]:
    request_id = sandbox.requests[-1].request_id
    return [
        "/",
        "/page/requests",
        f"/page/requests/{request_id}",
        *(f"/page/runs/{run_id}" for run_id in runs.values()),
    ]


@dataclass
class Seen:
    """What a page is like: in both colour schemes, at some widths of the window."""

    path: str
    counts: dict[str, int]
    flaws: dict[str, int]
    poor_contrasts: dict[str, list[str]]
    grounds: dict[str, str]
    widths: dict[int, int]


@pytest.fixture(scope="module")
def tour(browser: Browser, sandbox: Sandbox, runs: dict[str, str]) -> list[Seen]:
    """Visit every page once, since loading is what takes time."""
    with watched(browser, sandbox.url) as context:
        page = context.new_page()
        return [look(page, path) for path in pages_of(sandbox, runs)]


def look(page: Page, path: str) -> Seen:
    """Return what there is to see on a page."""
    page.goto(path)
    counts = {selector: page.locator(selector).count() for selector in ("h1", "html[lang=en]", "script")}
    flaws = {flaw: page.locator(selector).count() for flaw, selector in FLAWS.items()}
    flaws |= {"a field without a name": page.evaluate(_UNNAMED), "an id used twice": page.evaluate(_REPEATED_IDS)}
    poor: dict[str, list[str]] = {}
    grounds: dict[str, str] = {}
    widths: dict[int, int] = {}
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        poor[scheme] = page.evaluate(_CONTRASTS)
        grounds[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        widths[width] = page.evaluate("document.documentElement.scrollWidth")
    return Seen(path, counts, {flaw: count for flaw, count in flaws.items() if count}, poor, grounds, widths)


def test_hostile_texts_are_shown_and_never_run(runs: dict[str, str], tour: list[Seen], page: Page) -> None:
    assert len(tour) == 6  # each was watched, and had no markup of others
    page.goto(f"/page/runs/{runs['failed']}")
    assert HOSTILE in page.locator(".failure").inner_text()
    page.goto(f"/page/runs/{runs['completed']}/whole/output")
    assert HOSTILE.replace('"', '\\"') in page.inner_text("body")


def test_an_artifact_is_downloaded_and_not_opened(runs: dict[str, str], page: Page) -> None:
    page.goto(f"/page/runs/{runs['completed']}")
    with page.expect_download() as downloading:
        page.click("#output td.file a")

    assert HOSTILE in downloading.value.path().read_text()


def test_the_list_shows_a_new_run_by_itself(sandbox: Sandbox, runs: dict[str, str], page: Page) -> None:
    page.goto("/?target=hostile")
    before = page.locator("#list tbody tr").count()
    run_id = start(sandbox, "hostile", wait=20, input={})

    page.wait_for_selector(f"#list a[href$='{run_id}']")
    assert page.locator("#list tbody tr").count() == before + 1
    assert page.inner_text("#live-state") == "Live"


def test_a_run_is_followed_to_its_end_and_the_visitor_is_not_disturbed(
    runs: dict[str, str], gate: threading.Event, page: Page
) -> None:
    page.goto(f"/page/runs/{runs['running']}")
    assert page.inner_text("h1 .badge") == "running"
    page.click("#steps summary")
    page.focus("#steps summary")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#input'))")

    gate.set()
    page.wait_for_selector("h1 .badge.good")
    page.wait_for_selector("#value-output")
    assert page.locator("#steps details").first.get_attribute("open") == ""
    assert page.evaluate("document.activeElement.localName") == "summary"
    assert page.title().startswith("patient completed")


def test_a_pause_holds_the_page_still(sandbox: Sandbox, runs: dict[str, str], page: Page) -> None:
    page.clock.install()
    page.goto("/")
    page.get_by_role("button", name="Pause").click()
    assert page.inner_text("#live-state") == "Paused"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    run_id = start(sandbox, "hostile", wait=20, input={})
    page.clock.run_for(60_000)
    assert asked == []

    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector(f"#list a[href$='{run_id}']")


def test_everything_works_without_script(browser: Browser, sandbox: Sandbox, runs: dict[str, str]) -> None:
    with watched(browser, sandbox.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/")
        assert not page.locator("#live").is_visible()
        page.select_option("select[name=status]", "failed")
        page.fill("input[name=text]", "onerror")
        page.click("text=Filter")
        assert page.locator("#list tbody tr").count() == 1
        page.click("#list tbody a")
        assert page.url.endswith(runs["failed"])
        page.click("text=Traceback")
        assert "RunFailed" in page.inner_text("#traceback")


def test_the_keyboard_reaches_everything(runs: dict[str, str], page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.name"))
    assert {"text", "status", "kind", "target", f"/page/runs/{runs['failed']}"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(tour: list[Seen], scheme: str) -> None:
    for seen in tour:
        assert seen.poor_contrasts[scheme] == [], seen.path
        red = int(seen.grounds[scheme].removeprefix("rgb(").split(",")[0])
        assert (red > 128) is (scheme == "light")


def test_no_page_is_wider_than_the_window(tour: list[Seen]) -> None:
    for seen in tour:
        assert [needed for width, needed in seen.widths.items() if needed > width] == [], seen.path


def test_headings_tables_and_fields_have_their_names(tour: list[Seen]) -> None:
    for seen in tour:
        assert seen.counts == {"h1": 1, "html[lang=en]": 1, "script": 1}, seen.path
        assert seen.flaws == {}, seen.path


def test_a_sandbox_that_stopped_is_named_and_found_again(browser: Browser) -> None:
    with Sandbox() as first:
        port = int(first.url.rpartition(":")[2])
        context = browser.new_context(base_url=first.url)
        page = context.new_page()
        page.clock.install()
        page.goto("/")
    page.clock.run_for(1_000)
    page.wait_for_selector("#live-state.bad")
    with Sandbox(port=port):
        page.clock.run_for(15_000)  # the longest wait between two attempts
        page.wait_for_selector("#live-state.good")
    context.close()
