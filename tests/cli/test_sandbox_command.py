"""`eigenpal sandbox` as users meet it: a process, its output, its signals, its exit status."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.text import Text
from typer.testing import CliRunner

from eigenpal.cli.commands import app
from eigenpal.cli.welcome import welcome
from eigenpal.sandbox import Sandbox
from tests.docs.pages import ROOT
from tests.sandbox.conftest import connect

GREET = """
from eigenpal.sandbox import RunContext, workflow

@workflow("greet")
def greet(context: RunContext) -> dict[str, str]:
    return {"greeting": "hello"}
"""
SLOW = """
@workflow("slow")
def slow(context: RunContext) -> None:
    context.sleep(60)
"""


class Running:
    """The command, running: what it has printed, and a client of the sandbox."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.welcome = self.read_to("Ctrl-C stops it.")
        self.url = self.fact("API")
        self.key = self.fact("API key")

    def read_to(self, end: str) -> str:
        """Return what is printed up to the line that has a text."""
        assert self.process.stdout is not None
        lines: list[str] = []
        while not lines or end not in lines[-1]:
            line = self.process.stdout.readline()
            assert line, f"it ended: {''.join(lines)}{self.process.stderr and self.process.stderr.read()}"
            lines.append(line)
        return "".join(lines)

    def fact(self, name: str) -> str:
        """Return one of the facts at the top of the output."""
        found = re.search(rf"^  {name}  +(.*)$", self.welcome, re.MULTILINE)
        assert found, self.welcome
        return found[1]

    def request(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Send one request."""
        headers = {"authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, trust_env=False, verify=False) as client:
            return client.request(method, f"/api/v1{path}", json=body or None)

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal and return exit status, the rest of the output, and the errors."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=10)
        return self.process.returncode, output, errors


@contextmanager
def started(folder: Path, *options: str, **variables: str) -> Iterator[Running]:
    """Run the command in a folder, on a free port."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EIGENPAL_")}
    with subprocess.Popen(
        [sys.executable, "-m", "eigenpal.cli", "sandbox", "--port", "0", *options],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def failure(arguments: Sequence[str]) -> str:
    """Return what the command says when it can't start."""
    result = CliRunner(env={"EIGENPAL_API_KEY": "", "COLUMNS": "200"}).invoke(app, ["sandbox", *arguments])
    assert result.exit_code in (1, 2), result.output
    assert "eigenpal/" not in result.output  # no frame of ours: what is wrong is the user's to mend
    assert isinstance(result.exception, SystemExit)
    return result.output


def pasted(welcome: str) -> tuple[str, str]:
    """Return the blocking and the async program of the output."""
    blocking, concurrent = re.split(r"\n# Async\n", welcome.partition("# Blocking\n")[2])
    return blocking, concurrent.partition("Ctrl-C")[0]


def test_a_session_with_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flows = tmp_path / "flows.py"
    flows.write_text(GREET + SLOW)
    with started(tmp_path, "--load", "flows.py") as command:
        for program in pasted(command.welcome):
            exec(program, {"__name__": "__main__"})
        assert capsys.readouterr().out == "completed {'greeting': 'hello'}\n" * 2

        slow = command.request("POST", "/runs", target="workflows.slow").json()["id"]
        flows.write_text(GREET.replace("hello", "good evening"))
        command.read_to("Loaded again: workflows.greet\n")
        greeting = command.request("POST", "/runs?wait_for_completion=5", target="workflows.greet").json()
        assert greeting["output"] == {"greeting": "good evening"}
        assert command.request("POST", "/runs", target="workflows.slow").status_code == 404

        flows.write_text("def broken(:\n")
        assert command.process.stderr is not None
        report = "".join(iter(command.process.stderr.readline, "The functions that were loaded before stay.\n"))
        assert "flows.py can't be loaded:" in report
        assert "SyntaxError" in report
        greeting = command.request("POST", "/runs?wait_for_completion=5", target="workflows.greet").json()
        assert greeting["output"] == {"greeting": "good evening"}

        assert command.end(signal.SIGINT) == (0, "Stopped.\n", "")

    with Sandbox(data=tmp_path / ".eigenpal") as again, connect(again, command.key) as client:
        interrupted = client.get(f"/runs/{slow}").json()
        assert interrupted["execution"]["status"] == "failed"
        assert "stopped while this run was in flight" in interrupted["error"]
        assert client.get(f"/runs/{greeting['id']}").json()["output"] == {"greeting": "good evening"}


def test_sigterm_ends_it_too_and_a_key_from_the_environment_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "eig_test_from_the_environment"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EIGENPAL_API_KEY", secret)

    def welcome_and_end(**facts: Any) -> Text:
        text = welcome(**facts)
        exec(pasted(text.plain)[0], {"__name__": "__main__"})  # the sandbox runs while it says so
        signal.raise_signal(signal.SIGTERM)
        return text

    monkeypatch.setattr("eigenpal.cli.sandbox_command.welcome", welcome_and_end)
    handler = signal.getsignal(signal.SIGTERM)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["sandbox", "--port", "0", "--temporary"])

    assert result.exit_code == 0
    assert "completed {'number': '42'" in result.output
    assert "the one in EIGENPAL_API_KEY" in result.output
    assert "temporary, gone when it stops" in result.output
    assert secret not in result.output
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_port_in_use_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        text = failure(["--port", port, "--temporary"])
    assert f"Port {port} is in use. Choose another one with --port" in text


def test_files_that_can_not_be_loaded_are_said_so(tmp_path: Path) -> None:
    broken, empty = tmp_path / "broken.py", tmp_path / "empty.py"
    broken.write_text("import no_such_module\n")
    empty.write_text("def greet(context): ...\n")

    assert "No module named 'no_such_module'" in failure(["--temporary", "--load", str(broken)])
    assert "no workflow or agent is defined here" in failure(["--temporary", "--load", str(empty)])
    assert "can't be read: No such file" in failure(["--temporary", "--load", str(tmp_path / "missing.py")])
    assert "is a directory" in failure(["--temporary", "--load", str(tmp_path)])


def test_a_data_folder_that_can_not_be_used_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "sandbox.sqlite3").write_text("no database, but a text that is long enough to be sure" * 2)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "keys.json").write_text("{")

    assert "is a file" in failure(["--port", "0", "--data", str(tmp_path / "file")])
    assert "not a database" in failure(["--port", "0", "--data", str(tmp_path / "torn")])
    assert "does not hold the API keys" in failure(["--port", "0", "--data", str(tmp_path / "keys")])
    assert "printable ASCII" in failure(["--port", "0", "--temporary", "--key", "two words"])
    assert "no generation '0.5'" in failure(["--port", "0", "--temporary", "--generation", "0.5"])


@pytest.mark.parametrize("options", [["--port", "65536"], ["--latency", "nan"], ["--max-running", "0"], ["--what"]])
def test_options_that_can_not_be_are_usage_errors(options: list[str]) -> None:
    assert options[0] in failure(["--temporary", *options])


def test_the_version_and_the_commands_are_shown() -> None:
    from eigenpal import __version__

    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).output == f"eigenpal {__version__}\n"
    assert "sandbox" in runner.invoke(app, ["--help"]).output


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_the_extra_the_command_names_it(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from eigenpal.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)

    assert done.returncode == 1
    assert done.stderr.endswith('install it with: pip install "eigenpal[cli]"\n')
    assert "Traceback" not in done.stderr


def test_without_the_sandbox_extra_the_command_names_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "eigenpal.sandbox", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    text = failure(["--temporary"])
    assert 'needs the package uvicorn; install it with: pip install "eigenpal[sandbox]"' in text
