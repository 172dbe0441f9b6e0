"""Templates: what fills them, and the words they use. Everything that is put into one is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from eigenpal.sandbox.page import wording
from eigenpal.sandbox.states import Status

if TYPE_CHECKING:
    import jinja2

# What the colours mean; each also stands there as a word.
_TONES: Mapping[str, str] = {
    Status.CREATED: "idle",
    Status.PENDING: "idle",
    Status.RUNNING: "busy",
    Status.WAITING: "attention",
    Status.FINALIZING: "busy",
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "quiet",
    Status.REJECTED: "bad",
    "passed": "quiet",
    "skipped": "quiet",
}


def render(template: str, **values: Any) -> str:
    """Return a page.

    Args:
        template: Its file name.
        values: What the template uses.
    """
    return _templates().get_template(template).render(values)


def link(path: str, **query: object) -> str:
    """Return a path with a query of what is not empty."""
    chosen = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def run_path(run_id: str, *below: str) -> str:
    """Return the path of a run's page, or of something below it."""
    return "/page/runs/" + "/".join(quote(segment, safe="") for segment in (run_id, *below))


def file_path(run_id: str, path: str) -> str:
    """Return the path under which a file of a run is downloaded."""
    return f"{run_path(run_id, 'files')}/{quote(path)}"


def run_tone(status: str) -> str:
    """Return the tone of the status of a run or a step."""
    return _TONES.get(status, "idle")


def status_tone(status: int | None) -> str:
    """Return the tone of an HTTP status; None when there was no answer."""
    if status is None or status >= 500:
        return "bad"
    return "attention" if status >= 400 else "good" if status < 300 else "quiet"


@cache
def _templates() -> jinja2.Environment:
    import jinja2  # here: only who looks at the page waits for it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("eigenpal.sandbox.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {  # pyright: ignore[reportUnknownMemberType] - jinja2 leaves the type open
        "duration": wording.duration,
        "filesize": wording.size,
        "clock": wording.clock_time,
        "iso": wording.iso,
        "tone": run_tone,
        "status_tone": status_tone,
    }
    environment.globals |= {  # pyright: ignore[reportUnknownMemberType] - likewise
        "link": link,
        "run_path": run_path,
        "file_path": file_path,
    }
    return environment
