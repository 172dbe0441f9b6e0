"""The pages: each takes a visit and returns its HTML. Called in threads, since a search may take a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from eigenpal.sandbox.page.masking import mask_body, mask_pairs, mask_query
from eigenpal.sandbox.page.rendering import render
from eigenpal.sandbox.page.run_browser import RunBrowser, Wanted
from eigenpal.sandbox.page.run_view import (
    MAX_EVENTS,
    events,
    files_of,
    part_of,
    run_duration,
    step_values,
    timeline,
    values,
)
from eigenpal.sandbox.page.wording import MAX_WHOLE, excerpt, laid_out
from eigenpal.sandbox.problems import not_found
from eigenpal.sandbox.recording import RecordedRequest, Recorder
from eigenpal.sandbox.rows import RunRow
from eigenpal.sandbox.states import Status
from eigenpal.sandbox.store import Store

RUNS_ON_A_PAGE = 50
REQUESTS_ON_A_PAGE = 100
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# How the request log is filtered: by the first digit of the status, or where there is none.
_OUTCOMES: Mapping[str, Callable[[int | None], bool]] = {
    "2xx": lambda status: status is not None and status < 300,
    "3xx": lambda status: status is not None and 300 <= status < 400,
    "4xx": lambda status: status is not None and 400 <= status < 500,
    "5xx": lambda status: status is not None and status >= 500,
    "cut": lambda status: status is None,
}


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show. The store has a connection of its own, so that no page holds up the API."""

    store: Store
    browser: RunBrowser
    recorder: Recorder
    now: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at a page: the values of its path and of its query."""

    sources: Sources
    path: Mapping[str, str]
    query: Mapping[str, str]

    def run(self) -> RunRow:
        """Return the run that the path names.

        Raises:
            Problem: 404, there is none.
        """
        run = self.sources.store.run(self.path["id"])
        if run is None:
            raise not_found(f"There is no run {self.path['id']!r}.")
        return run

    def text(self, name: str) -> str:
        """Return a query value without spaces around it; empty when it isn't there."""
        return self.query.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class Pager:
    """Which page of how many a list is at."""

    number: int
    last: int
    total: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows are on the pages before."""
        return (self.number - 1) * self.size


def runs(visit: Visit) -> str:
    """The list of runs."""
    browser = visit.sources.browser
    wanted = Wanted(**{name: visit.text(name) for name in ("kind", "status", "target", "tenant", "text")})
    counts = browser.counts(wanted)
    pager = _pager(visit, counts.get(wanted.status, 0) if wanted.status else sum(counts.values()), RUNS_ON_A_PAGE)
    return render(
        "runs.html",
        here="runs",
        runs=browser.runs(wanted, limit=pager.size, offset=pager.offset),
        counts=counts,
        total=sum(counts.values()),
        statuses=[status.value for status in Status],
        targets=browser.targets(),
        tenants=browser.tenants(),
        pager=pager,
        query=asdict(wanted),
        filtered=any(asdict(wanted).values()),
        now=visit.sources.now(),
        run_duration=run_duration,
    )


def run(visit: Visit) -> str:
    """One run."""
    found, store, now = visit.run(), visit.sources.store, visit.sources.now()
    steps = store.steps(found.id)
    trace, event_count = visit.sources.browser.first_events(found.id, MAX_EVENTS)
    return render(
        "run.html",
        here="run",
        run=found,
        duration=run_duration(found.started_at, found.completed_at, now),
        bars=timeline(found, steps, now),
        steps=step_values(steps),
        values=values(found),
        error=None if found.error is None else excerpt(found.error),
        traceback=None if found.traceback is None else excerpt(found.traceback),
        events=list(events(trace)),
        event_count=event_count,
        most_events=MAX_EVENTS,
        files=files_of(store.files(found.id)),
        now=now,
    )


def whole(visit: Visit) -> str:
    """One value of a run, whole, as plain text."""
    found, part = visit.run(), visit.path["part"]
    store = visit.sources.store
    if part == "trace":
        return "".join(f"{event}\n" for event in store.trace_events(found.id))
    if part.startswith("step-"):
        stored = next((step.output for step in store.steps(found.id) if f"step-{step.position}" == part), None)
    else:
        stored = part_of(found, part)
    if stored is None:
        raise not_found(f"The run has no {part!r}.")
    return stored if part in ("error", "traceback") else laid_out(stored, MAX_WHOLE)


def requests(visit: Visit) -> str:
    """The log of requests, newest first."""
    query = {name: visit.text(name) for name in ("method", "outcome", "text")}
    recorded = list(visit.sources.recorder)[::-1]
    found = [request for request in recorded if _fits(request, **query)]
    pager = _pager(visit, len(found), REQUESTS_ON_A_PAGE)
    return render(
        "requests.html",
        here="requests",
        requests=found[pager.offset : pager.offset + pager.size],
        recorded=len(recorded),
        methods=_METHODS,
        outcomes=_OUTCOMES,
        pager=pager,
        query=query,
        filtered=any(query.values()),
        mask_query=mask_query,
        now=visit.sources.now(),
    )


def request(visit: Visit) -> str:
    """One request."""
    request_id = visit.path["id"]
    found = next((each for each in visit.sources.recorder if each.request_id == request_id), None)
    if found is None:
        raise not_found(f"The log has no request {request_id!r}; it keeps the latest ones only.")
    media_type = found.headers.get("content-type", "")
    body = None if found.body is None else mask_body(found.path, media_type, found.body)
    return render(
        "request.html",
        here="request",
        request=found,
        headers=mask_pairs(found.headers.items()),
        query=mask_pairs(found.query.items()),
        body=None if body is None else excerpt(body),
        mask_query=mask_query,
        now=visit.sources.now(),
    )


def _fits(request: RecordedRequest, *, method: str, outcome: str, text: str) -> bool:
    if method and request.method != method:
        return False
    if outcome in _OUTCOMES and not _OUTCOMES[outcome](request.status):
        return False
    needle = text.lower()
    return needle in request.path.lower() or needle in request.request_id or needle in request.query_string.lower()


def _pager(visit: Visit, total: int, page_size: int) -> Pager:
    text = visit.text("page")
    number = int(text) if text.isdecimal() and len(text) < 10 else 1
    last = max(1, -(-total // page_size))
    return Pager(min(max(1, number), last), last, total, page_size)
