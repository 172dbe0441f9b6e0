"""Starting and stopping: beside any event loop, without leaks, again on the same folder."""

from __future__ import annotations

import asyncio
import gc
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import httpx
import pytest

from eigenpal.sandbox import RunContext, Sandbox
from tests.sandbox.conftest import connect


def test_a_sandbox_answers_as_soon_as_it_is_entered() -> None:
    with Sandbox() as sandbox, connect(sandbox) as client:
        assert client.get("/workflows").status_code == 200


@pytest.mark.anyio
async def test_a_sandbox_runs_beside_asyncio_and_trio() -> None:
    async with Sandbox() as sandbox:
        with connect(sandbox) as client:
            response = await anyio.to_thread.run_sync(client.get, "/workflows")
    assert response.status_code == 200


def test_stopping_leaves_no_thread_and_no_socket() -> None:
    before = set(threading.enumerate())
    with Sandbox() as sandbox, connect(sandbox) as client:
        client.get("/workflows")
        port = httpx.URL(sandbox.url).port
    assert set(threading.enumerate()) == before
    gc.collect()  # an unclosed socket or file would warn here, and warnings are errors
    assert port is not None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_stopping_is_quick_while_requests_and_runs_are_in_flight() -> None:
    sandbox = Sandbox()
    entered = threading.Event()

    @sandbox.workflow("patient")
    def patient(context: RunContext) -> None:
        entered.set()
        context.sleep(60)

    @sandbox.workflow("coroutine")
    async def coroutine(context: RunContext) -> None:
        await asyncio.sleep(60)

    sandbox.start()
    answers: list[httpx.Response] = []
    with connect(sandbox) as client:
        client.post("/runs", json={"target": "workflows.coroutine"})

        def wait() -> None:
            answers.append(client.post("/runs?wait_for_completion=60", json={"target": "workflows.patient"}))

        waiter = threading.Thread(target=wait)
        waiter.start()
        assert entered.wait(5)
        began = time.monotonic()
        sandbox.stop()
        assert time.monotonic() - began < 5  # far less than the function would take
        waiter.join(5)
    assert answers[0].json()["execution"]["status"] == "failed"


def test_a_function_that_never_returns_does_not_keep_the_sandbox_from_stopping() -> None:
    sandbox = Sandbox()
    entered, leave = threading.Event(), threading.Event()

    @sandbox.workflow("stubborn")
    def stubborn(context: RunContext) -> None:
        entered.set()
        leave.wait(10)

    with sandbox, connect(sandbox) as client:
        client.post("/runs", json={"target": "workflows.stubborn"})
        assert entered.wait(5)
        began = time.monotonic()
        sandbox.stop()
        assert time.monotonic() - began < 5  # far less than the function would take
    leave.set()
    for thread in threading.enumerate():
        if thread.name.startswith("eigenpal-sandbox"):
            thread.join(5)


def test_a_stopped_sandbox_can_be_started_again() -> None:
    sandbox = Sandbox()
    for _ in range(3):
        with sandbox, connect(sandbox) as client:
            assert client.post("/runs", json={"target": "workflows.extract-invoice"}).status_code == 201


def test_stopping_twice_is_fine_and_starting_twice_is_not() -> None:
    sandbox = Sandbox()
    sandbox.stop()
    sandbox.start()
    with pytest.raises(RuntimeError, match="running already"):
        sandbox.start()
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(RuntimeError, match="not running"):
        assert sandbox.url


def test_a_port_in_use_is_an_error_of_start_and_leaves_nothing_behind() -> None:
    with Sandbox() as first:
        port = httpx.URL(first.url).port
        assert port is not None
        before = set(threading.enumerate())
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=port).start()
        assert set(threading.enumerate()) == before


def test_the_key_is_in_no_repr() -> None:
    with Sandbox(api_key="eig_test_secret") as sandbox, connect(sandbox) as client:
        client.get("/workflows")
        shown = repr(sandbox) + repr(sandbox.requests) + repr(dict(sandbox.requests[0].headers))
    assert sandbox.api_key == "eig_test_secret"
    assert "secret" not in shown + repr(sandbox)


def test_a_temporary_folder_is_gone_after_stop_and_a_given_one_stays(tmp_path: Path) -> None:
    with Sandbox() as temporary, Sandbox(data=tmp_path / "kept") as sandbox:
        folder = temporary.data_folder
        assert folder is not None
        assert (folder / "sandbox.sqlite3").exists()
    assert not folder.exists()
    assert (tmp_path / "kept" / "sandbox.sqlite3").exists()
    assert (temporary.data_folder, sandbox.data_folder) == (None, tmp_path / "kept")


def test_a_process_that_ends_without_a_stop_leaves_no_folder() -> None:
    program = "from eigenpal.sandbox import Sandbox; s = Sandbox(); s.start(); print(s.data_folder)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip()
    assert not Path(done.stdout.strip()).exists()
    assert done.stderr == ""


def test_without_the_extra_the_import_names_it() -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "try:\n    import eigenpal.sandbox\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "eigenpal[sandbox]"' in done.stdout
    assert "uvicorn" in done.stdout


def test_a_data_folder_that_can_not_be_used_is_an_error_of_start_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "sandbox.sqlite3").write_text("no database, but a text that is long enough to be sure of it" * 2)
    (tmp_path / "file").write_text("")
    before = set(threading.enumerate())

    with pytest.raises(OSError, match="file"):
        Sandbox(data=tmp_path / "file" / "below").start()
    with pytest.raises(sqlite3.DatabaseError):
        Sandbox(data=tmp_path).start()

    assert set(threading.enumerate()) == before
    gc.collect()
