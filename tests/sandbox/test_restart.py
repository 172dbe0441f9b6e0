"""A data folder outlives its sandbox: finished runs intact, interrupted ones failed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from eigenpal.sandbox import ManualClock, RunContext, Sandbox
from tests.sandbox.conftest import connect

INTERRUPTED = "The sandbox stopped while this run was in flight; start it again."


def test_finished_runs_are_the_same_after_a_restart(tmp_path: Path) -> None:
    def snapshot(sandbox: Sandbox) -> list[Any]:
        with connect(sandbox) as client:
            runs = client.get("/runs").json()["runs"]
            every = "expand=input,usage,execution,debug"
            return [
                runs,
                [client.get(f"/runs/{run['id']}?{every}").json() for run in runs],
                [client.get(f"/runs/{run['id']}/definition").json() for run in runs],
                [client.get(f"/runs/{run['id']}/artifacts/input/a.txt").content for run in runs],
                client.get("/workflows").json(),
            ]

    clock = ManualClock()
    with Sandbox(data=tmp_path, clock=clock) as sandbox, connect(sandbox) as client:
        invoice = b"Acme\nInvoice no. 4\nTotal 12.50 EUR\n"
        for text in (invoice, b"no invoice"):
            form = {"target": "workflows.extract-invoice", "metadata": '{"a": 1}'}
            client.post("/runs?wait_for_completion=5", data=form, files={"files.invoice": ("a.txt", text)})
        before = snapshot(sandbox)
    clock.advance(3600)
    with Sandbox(data=tmp_path, clock=clock) as sandbox:
        after = snapshot(sandbox)

    assert after == before
    assert [run["execution"]["status"] for run in before[0]] == ["failed", "completed"]


def test_runs_in_flight_at_stop_fail_and_say_why(tmp_path: Path) -> None:
    entered = threading.Event()
    with Sandbox(data=tmp_path, max_running=1) as sandbox, connect(sandbox) as client:

        @sandbox.workflow("patient")
        def patient(context: RunContext) -> None:
            with context.step("wait"):
                entered.set()
                context.sleep(60)

        ids = [client.post("/runs", json={"target": "workflows.patient"}).json()["id"] for _ in range(2)]
        assert entered.wait(5)

    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        for run_id in ids:
            run = client.get(f"/runs/{run_id}?expand=execution").json()
            assert (run["execution"]["status"], run["error"]) == ("failed", INTERRUPTED)
        assert client.post(f"/runs/{ids[0]}/rerun").status_code == 404  # the function was not registered again


def test_a_killed_process_loses_nothing_but_what_was_in_flight(tmp_path: Path) -> None:
    program = f"""
import sys, urllib.request, json
from eigenpal.sandbox import Sandbox
sandbox = Sandbox(data={str(tmp_path)!r}, api_key="eig_test_a")
sandbox.workflow("quick")(lambda context: {{"ok": True}})
sandbox.workflow("slow")(lambda context: context.sleep(60))
sandbox.start()
def start(slug, wait):
    request = urllib.request.Request(f"{{sandbox.url}}/api/v1/runs?wait_for_completion={{wait}}",
        json.dumps({{"target": f"workflows.{{slug}}"}}).encode(),
        {{"authorization": "Bearer eig_test_a", "content-type": "application/json"}})
    print(json.load(urllib.request.urlopen(request))["id"], flush=True)
start("quick", 5)
start("slow", 0)
(sandbox.data_folder / "blobs" / "blob_cut_short").write_bytes(b"half an upload")
print("ready", flush=True)
import time; time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_PROXY": "*"}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        quick, slow, ready = (process.stdout.readline().strip() for _ in range(3))
        assert ready == "ready"
        process.send_signal(signal.SIGKILL)

    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        assert client.get(f"/runs/{quick}").json()["output"] == {"ok": True}
        assert client.get(f"/runs/{slow}").json()["error"] == INTERRUPTED
        assert list((tmp_path / "blobs").iterdir()) == []


def test_ids_of_workflows_and_versions_stay_over_restarts(tmp_path: Path) -> None:
    def ids(folder: Path) -> list[Any]:
        with Sandbox(data=folder) as sandbox, connect(sandbox) as client:
            rows = client.get("/workflows/extract-invoice/versions").json()["data"]
            return [(row["id"], row["workflowId"]) for row in rows]

    assert ids(tmp_path / "a") == ids(tmp_path / "a") == ids(tmp_path / "b")
