"""Killed at any moment, a sandbox starts again whole: what a client was told is still so, and nothing lies about."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eigenpal.sandbox import Sandbox
from tests.docs.pages import ROOT
from tests.sandbox.conftest import connect
from tests.sandbox.doomed import KEY, POINTS
from tests.sandbox.test_restart import INTERRUPTED

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the lives are forks of one process")

AFTER = (0, 5, 17)  # so many answers to clients, and the kill comes, whatever the server is doing then


class Lives:
    """The lives of sandboxes on one data folder, and what their clients were told."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.started: set[str] = set()
        self.completed: dict[str, Any] = {}
        self._process = process

    def live(self, point: str, answers: int | None = None) -> None:
        """Let a sandbox live under load until a point, or until its clients have got so many answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{point}\n")
        self._process.stdin.flush()
        child, seen = 0, 0
        for line in self._process.stdout:
            told = json.loads(line)
            match told["fact"]:
                case "born":
                    child = told["process"]
                case "started":
                    self.started.add(told["run"])
                case "completed":
                    self.completed[told["run"]] = told["output"]
                case "dead":
                    assert told["killed"], "it was to be killed"
                    return
            seen += told["fact"] in ("up", "started")
            if answers is not None and seen == answers + 1:
                os.kill(child, signal.SIGKILL)
                answers = None
        raise AssertionError("the program of the lives has ended")

    def check(self) -> None:
        """Start a sandbox on the folder and look at everything."""
        with Sandbox(data=self.folder, api_key=KEY) as sandbox, connect(sandbox) as client:
            runs: dict[str, Any] = {}
            offset = 0
            while page := client.get("/runs", params={"limit": 100, "offset": offset}).json()["runs"]:
                runs |= {row["id"]: client.get(f"/runs/{row['id']}?expand=execution").json() for row in page}
                offset += len(page)
            for run_id, run in runs.items():
                steps = {step["status"] for step in run["execution"].get("steps", ())}
                if run["execution"]["status"] == "completed":
                    assert steps == {"success"}
                    copy = client.get(f"/runs/{run_id}/artifacts/output/copy.bin").content
                    given = client.get(f"/runs/{run_id}/artifacts/input/a.bin").content
                    assert copy == given
                    assert run["output"] == {"digest": hashlib.sha256(copy).hexdigest(), "size": len(copy)}
                else:
                    assert (run["execution"]["status"], run["error"]) == ("failed", INTERRUPTED)
                    assert steps <= {"success", "failure"}
            assert self.started <= runs.keys()
            assert {run_id: runs[run_id]["output"] for run_id in self.completed} == self.completed
        self._check_files()

    def _check_files(self) -> None:
        blobs = {path.name: path.read_bytes() for path in (self.folder / "blobs").iterdir()}
        with closing(sqlite3.connect(self.folder / "sandbox.sqlite3")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            rows = database.execute("SELECT blob, size, digest FROM files").fetchall()
            strays = "SELECT count(*) FROM files WHERE run_id NOT IN (SELECT id FROM runs)"
            assert database.execute(strays).fetchone() == (0,)
        assert {blob for blob, _, _ in rows} == blobs.keys()
        for blob, size, digest in rows:
            assert (size, digest) == (len(blobs[blob]), hashlib.sha256(blobs[blob]).hexdigest())


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Lives]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sandbox.doomed", str(tmp_path / "data")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            yield Lives(tmp_path / "data", process)
        finally:
            process.kill()


def test_a_sandbox_that_is_killed_at_its_weakest_points_starts_again_whole(lives: Lives) -> None:
    for point in POINTS:
        lives.live(point)
        lives.check()
    assert lives.started


def test_a_sandbox_that_is_killed_at_any_moment_starts_again_whole(lives: Lives) -> None:
    for answers in AFTER:
        lives.live("never", answers)
        lives.check()
    assert lives.completed
    assert len(lives.started) > len(lives.completed)
