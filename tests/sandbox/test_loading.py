"""Files of workflows: loaded, loaded again, and left alone when they are broken."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal.sandbox import LoadedFiles, Sandbox, WorkflowFileError
from tests.sandbox.conftest import connect

HEAD = "from eigenpal.sandbox import RunContext, agent, workflow\n"
GREET = HEAD + '@workflow("greet")\ndef greet(context: RunContext) -> dict[str, object]:\n    return {"version": %s}\n'


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of workflows; what they left in the process goes with it."""
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def output(client: httpx.Client, target: str) -> Any:
    """Return the output of a new run, or the status of the refusal."""
    answer = client.post("/runs?wait_for_completion=5", json={"target": target})
    return answer.json()["output"] if answer.is_success else answer.status_code


def notices(files: LoadedFiles) -> bool:
    """Look until a change, if there is one, has settled."""
    return files.changed() or files.changed()


def test_a_file_defines_workflows_and_agents(sandbox: Sandbox, client: httpx.Client, project: Path) -> None:
    text = GREET % 1 + '@agent("helper", model="small")\nasync def helper(context):\n    return {"by": "agent"}\n'
    files = sandbox.load(written(project / "flows.py", text))

    assert files.targets == ("workflows.greet", "agents.helper")
    assert (output(client, "workflows.greet"), output(client, "agents.helper")) == ({"version": 1}, {"by": "agent"})


def test_a_changed_file_replaces_what_it_defined(sandbox: Sandbox, client: httpx.Client, project: Path) -> None:
    files = sandbox.load(written(project / "flows.py", GREET % 1))
    assert not notices(files)

    written(project / "flows.py", HEAD + '@workflow("farewell")\ndef farewell(context):\n    return {}\n')

    assert notices(files)
    files.load()
    assert not notices(files)
    assert (output(client, "workflows.greet"), output(client, "workflows.farewell")) == (404, {})


def test_a_change_of_the_same_second_and_size_counts(sandbox: Sandbox, client: httpx.Client, project: Path) -> None:
    files = sandbox.load(written(project / "flows.py", "import rules\n" + GREET % "rules.VERSION"), *_rules(project, 1))
    for version in (2, 3):
        _rules(project, version)
        assert notices(files)
        files.load()
        assert output(client, "workflows.greet") == {"version": version}


def _rules(project: Path, version: int) -> tuple[()]:
    written(project / "rules.py", f"VERSION = {version}\n")
    return ()


def test_a_file_is_left_alone_until_it_has_stopped_changing(sandbox: Sandbox, project: Path) -> None:
    files = sandbox.load(written(project / "flows.py", GREET % 1))

    written(project / "flows.py", "")
    assert not files.changed()
    written(project / "flows.py", GREET % 2)
    assert not files.changed()
    assert files.changed()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", "SyntaxError"),
        (GREET % 2 + "1 / 0\n", "line 5, in <module>"),
        (GREET % 2 + "raise SystemExit('bye')\n", "SystemExit: bye"),
        (GREET % 2 + "import no_such_module\n", "No module named 'no_such_module'"),
        (GREET % 2 + (GREET % 3).removeprefix(HEAD), "The workflow 'greet' 1.0.0 is defined twice"),
        (HEAD + '@workflow("Not A Slug")\ndef f(context): ...\n', "can't be a slug"),
        (HEAD + '@workflow("greet", inputs={"a": object()})\ndef f(context): ...\n', "can't be written as JSON"),
        ("\0", "null bytes"),
    ],
    ids=["syntax", "crash", "exit", "import", "twice", "slug", "inputs", "bytes"],
)
def test_a_broken_file_keeps_the_old_functions_and_says_why(
    sandbox: Sandbox, client: httpx.Client, project: Path, text: str, reason: str
) -> None:
    files = sandbox.load(written(project / "flows.py", GREET % 1))
    modules = set(sys.modules)
    written(project / "flows.py", text)

    with pytest.raises(WorkflowFileError) as caught:
        files.load()

    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"{project / 'flows.py'} can't be loaded:")
    assert not {"loading.py", "defining.py", "importlib"} & set(re.findall(r"importlib|[a-z]+\.py", str(caught.value)))
    assert (files.targets, output(client, "workflows.greet")) == (("workflows.greet",), {"version": 1})
    assert set(sys.modules) == modules
    assert not notices(files)  # it is not tried again before it changes
    written(project / "flows.py", GREET % 4)
    assert notices(files)
    files.load()
    assert output(client, "workflows.greet") == {"version": 4}


def test_mending_a_module_beside_the_file_is_a_change(sandbox: Sandbox, client: httpx.Client, project: Path) -> None:
    files = sandbox.load(written(project / "flows.py", GREET % 1))
    written(project / "rules.py", "VERSION = (\n")
    written(project / "flows.py", "import rules\n" + GREET % "rules.VERSION")
    assert notices(files)
    with pytest.raises(WorkflowFileError, match="was never closed"):
        files.load()

    _rules(project, 2)

    assert notices(files)
    files.load()
    assert output(client, "workflows.greet") == {"version": 2}


def test_a_file_that_is_gone_keeps_its_functions(sandbox: Sandbox, client: httpx.Client, project: Path) -> None:
    files = sandbox.load(written(project / "flows.py", GREET % 1))
    (project / "flows.py").unlink()

    assert notices(files)
    with pytest.raises(WorkflowFileError, match="can't be read: No such file"):
        files.load()
    assert output(client, "workflows.greet") == {"version": 1}


def test_a_run_in_flight_keeps_the_function_it_began_with(
    sandbox: Sandbox, client: httpx.Client, project: Path
) -> None:
    waiting = HEAD + '@workflow("greet")\ndef greet(context):\n    GATE.wait(20)\n    return {"version": answer()}\n'
    text = "import threading\nGATE = threading.Event()\n" + waiting
    files = sandbox.load(written(project / "flows.py", text + "def answer():\n    return 1\n"))
    (module,) = [sys.modules[name] for name in sys.modules if name.startswith("_loaded_flows")]
    gate: threading.Event = module.GATE
    run = client.post("/runs", json={"target": "workflows.greet"}).json()["id"]

    written(project / "flows.py", GREET % 2)
    files.load()
    assert output(client, "workflows.greet") == {"version": 2}
    gate.set()

    assert client.post(f"/runs/{run}/rerun?wait_for_completion=5").json()["output"] == {"version": 2}
    while not (document := client.get(f"/runs/{run}").json())["finished"]:
        pass
    assert document["output"] == {"version": 1}


def test_what_a_file_had_covered_comes_back_when_it_lets_go(
    sandbox: Sandbox, client: httpx.Client, project: Path
) -> None:
    sandbox.stub("greet", {"version": 0})
    files = sandbox.load(written(project / "flows.py", GREET % 1))
    assert output(client, "workflows.greet") == {"version": 1}

    written(project / "flows.py", "")
    files.load()

    assert (files.targets, output(client, "workflows.greet")) == ((), {"version": 0})


def test_two_files_share_a_module_and_change_together(sandbox: Sandbox, client: httpx.Client, project: Path) -> None:
    _rules(project, 1)
    first = written(project / "first.py", "import rules\n" + GREET % "rules.VERSION")
    second = written(project / "second.py", first.read_text().replace('"greet"', '"greet-again"'))
    files = sandbox.load(first, second)

    _rules(project, 2)
    assert notices(files)
    files.load()

    assert [output(client, target) for target in files.targets] == [{"version": 2}, {"version": 2}]


def test_loading_the_same_file_twice_is_loading_it_again(sandbox: Sandbox, client: httpx.Client, project: Path) -> None:
    _rules(project, 1)
    flows = written(project / "flows.py", "import rules\n" + GREET % "rules.VERSION")
    files = sandbox.load(flows)
    _rules(project, 2)

    assert sandbox.load(str(flows)) is files
    assert output(client, "workflows.greet") == {"version": 2}


def test_the_decorators_leave_a_function_as_it_is_where_no_sandbox_loads_the_file() -> None:
    from eigenpal.sandbox import RunContext, workflow

    def greet(context: RunContext) -> dict[str, int]:
        return {"version": 1}

    assert workflow("greet")(greet) is greet


def test_a_stopped_sandbox_loads_files_too(project: Path) -> None:
    sandbox = Sandbox()
    sandbox.load(written(project / "flows.py", GREET % 1))
    with sandbox, connect(sandbox) as client:
        assert output(client, "workflows.greet") == {"version": 1}
