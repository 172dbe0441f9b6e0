"""The generator, on a small package with every construct it knows: its output works, and nothing passes silently."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eigenpal_sync import _generate
from eigenpal_sync._generate_source import NotGeneratableError
from eigenpal_sync._generate_text import blocking_text
from tests.blocking.conftest import ROOT
from tests.blocking.fake_sources import FILES, USE

pytest.importorskip("ruff", reason="the generator formats with ruff")


@pytest.fixture(scope="module")
def with_twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `written` copies."""
    root = filled(tmp_path_factory.mktemp("with_twin"))
    _generate.write(root)
    return root


@pytest.fixture
def written(with_twin: Path, tmp_path: Path) -> Path:
    """A folder as `root` is, the twin written into it."""
    return shutil.copytree(with_twin, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the fake async package and the real runtime of the blocking one."""
    return filled(tmp_path)


def filled(folder: Path) -> Path:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
    (folder / "eigenpal_sync").mkdir()
    for path in (ROOT / "eigenpal_sync").glob("_*.py"):
        if path.name != "__init__.py":
            shutil.copy(path, folder / "eigenpal_sync")
    return folder


def run_in(root: Path, program: str) -> str:
    """Run a program that sees the fake package and its twin; return all it prints."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return run.stdout


def add_method(root: Path, method: str, *, imports: str = "") -> None:
    """Put a method into the fake client."""
    path = root / "eigenpal" / "client.py"
    text = path.read_text(encoding="utf-8").replace("    def __init__", f"{method}\n\n    def __init__")
    path.write_text(text.replace("import anyio\n", f"import anyio\n{imports}\n"), encoding="utf-8")


def test_the_twin_of_every_construct_works(written: Path) -> None:
    assert run_in(written, USE) == ""


def test_writing_twice_changes_nothing_and_checking_then_finds_nothing(root: Path) -> None:
    assert sorted(_generate.write(root)) == [
        "wrote eigenpal_sync/__init__.py",
        "wrote eigenpal_sync/client.py",
        "wrote eigenpal_sync/resources/__init__.py",
        "wrote eigenpal_sync/resources/items.py",
        "wrote eigenpal_sync/resources/streams.py",
    ]
    assert _generate.write(root) == []
    assert _generate.drift(root) == []
    assert _generate.main(["--check", "--root", str(root)]) == 0


def test_checking_tells_a_changed_source(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_method(written, '    async def fresh(self) -> int:\n        """Be new."""\n        return 1')
    assert _generate.main(["--check", "--root", str(written)]) == 1
    out, err = capsys.readouterr()
    assert "+    def fresh(self) -> int:" in out
    assert "python -m eigenpal_sync._generate" in err
    assert not (written / "eigenpal_sync" / "client.py").read_text(encoding="utf-8").count("fresh")
    assert _generate.main(["--root", str(written)]) == 0
    assert capsys.readouterr().out == "wrote eigenpal_sync/client.py\n"


def test_checking_tells_an_edited_and_a_missing_file(written: Path) -> None:
    edited, missing = written / "eigenpal_sync" / "client.py", written / "eigenpal_sync" / "resources" / "streams.py"
    edited.write_text(edited.read_text(encoding="utf-8") + "\nEDITED = True\n", encoding="utf-8")
    missing.unlink()
    drift = "\n".join(_generate.drift(written))
    assert "-EDITED = True" in drift
    assert "+class Reader(Twin[AsyncReader]):" in drift


def test_a_twin_whose_source_is_gone_is_removed_and_hand_written_files_are_not(written: Path) -> None:
    by_hand = written / "eigenpal_sync" / "resources" / "by_hand.py"
    by_hand.write_text('"""Written by hand."""\n', encoding="utf-8")
    stale = written / "eigenpal_sync" / "resources" / "stale.py"
    shutil.copy(written / "eigenpal_sync" / "resources" / "streams.py", stale)
    assert any("stale.py should not exist" in line for line in _generate.drift(written))
    assert _generate.write(written) == ["removed eigenpal_sync/resources/stale.py"]
    assert not stale.exists()
    assert by_hand.exists()


def test_a_service_beside_the_first_gets_its_own_package(root: Path) -> None:
    service = root / "eigenpal" / "archastro"
    service.mkdir()
    (service / "__init__.py").write_text(
        '"""eigenpal.archastro: the async client of ArchAstro."""\n'
        "from eigenpal.archastro.client import AsyncArchAstroClient\n"
        '__all__ = ["AsyncArchAstroClient"]\n'
    )
    (service / "client.py").write_text(
        '"""The async client."""\n'
        "from functools import cached_property\n"
        "from eigenpal.archastro.resources import AsyncAgents\n"
        "class AsyncArchAstroClient:\n"
        '    """A client."""\n'
        "    def __init__(self) -> None: ...\n"
        "    @cached_property\n"
        "    def agents(self) -> AsyncAgents:\n"
        '        """Agents."""\n'
        "        return AsyncAgents({})\n"
        "    async def aclose(self) -> None:\n"
        '        """Close."""\n'
    )
    (service / "resources.py").write_text(
        '"""Namespaces."""\n'
        "from eigenpal.engine.resource import Resource\n"
        "class AsyncAgents(Resource):\n"
        '    """Agents."""\n'
        "    async def get(self) -> int:\n"
        '        """Get."""\n'
        "        return 1\n"
    )
    _generate.write(root)
    program = "from eigenpal_sync.archastro import ArchAstroClient\nprint(ArchAstroClient().agents.get())"
    assert run_in(root, program) == "1\n"


REFUSED = {
    "async def values(self, on_value: Callable[[int], bool]) -> int: ...": "on_value returns a value and can't",
    "async def values(self, on_value: Alias) -> int: ...": "on_value looks like a callback",
    "def values(self, on_value: Callable[[int], None]) -> int: ...": "takes a callback but is not async",
    "async def values(self) -> list[AsyncItems]: ...": "AsyncItems inside list",
    "async def values(self, items: AsyncItems) -> int: ...": "items takes a AsyncItems",
    "async def values(self) -> AsyncIterator[int]: ...": "values awaits before it iterates",
    "async def values(self): ...": "does not say what it returns",
    "@classmethod\n    def values(cls) -> int: ...": "no rule for the decorator",
    "def __call__(self) -> int: ...": "no rule for __call__",
    "async def values(self, of: Unknown) -> int: ...": "Unknown is used in a signature",
}


@pytest.mark.parametrize("method", REFUSED)
def test_what_there_is_no_rule_for_is_refused_with_its_place(root: Path, method: str) -> None:
    add_method(root, f"    {method}", imports="from collections.abc import AsyncIterator\nAlias = object")
    with pytest.raises(NotGeneratableError, match=r"eigenpal/client\.py") as caught:
        _generate.generated(root)
    assert REFUSED[method] in str(caught.value)


GROUP = '''
"""Clients side by side."""
from __future__ import annotations
from eigenpal.client import AsyncFakeClient

class AsyncGroup:
    """Some clients."""

    def __init__(self, *clients: AsyncFakeClient) -> None:
        """Take each AsyncFakeClient."""
        self._clients = clients

    async def sizes(self) -> list[int]:
        """Return the size of each."""
        return [client.size for client in self._clients]
'''
USE_GROUP = """
from eigenpal import AsyncFakeClient
from eigenpal_sync import FakeClient
from eigenpal_sync.services import Group

with FakeClient("k", size=5) as one, FakeClient("k", size=7) as other:
    assert Group(one, other).sizes() == [5, 7]
    try:
        Group(one, AsyncFakeClient("k"))
    except ValueError as error:
        assert str(error) == "Group takes blocking clients, not AsyncFakeClient", error
    else:
        raise AssertionError("blocking and async at once")
    group = Group(one)
try:
    group.sizes()
except RuntimeError as error:
    assert "closed" in str(error)
else:
    raise AssertionError("works through a closed client")
"""


def test_a_class_that_users_make_of_clients_takes_blocking_ones(root: Path) -> None:
    (root / "eigenpal" / "services.py").write_text(GROUP.lstrip(), encoding="utf-8")
    _generate.write(root)
    assert run_in(root, USE_GROUP) == ""


def test_a_class_made_of_clients_and_more_is_refused(root: Path) -> None:
    text = GROUP.lstrip().replace("*clients: AsyncFakeClient", "*clients: AsyncFakeClient, patience: float = 1.0")
    (root / "eigenpal" / "services.py").write_text(text, encoding="utf-8")
    with pytest.raises(NotGeneratableError, match=r"services\.py:8: AsyncGroup is made of clients and more"):
        _generate.generated(root)


def test_a_client_with_a_callback_of_its_own_is_refused(root: Path) -> None:
    path = root / "eigenpal" / "client.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("price: Decimal | None = None", "on_retry: Callable[[int], None] | None = None"))
    with pytest.raises(NotGeneratableError, match="callback of a whole client"):
        _generate.generated(root)


def test_a_class_that_derives_from_an_async_one_is_refused(root: Path) -> None:
    path = root / "eigenpal" / "client.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n\nclass AsyncOther(AsyncFakeClient): ...\n")
    with pytest.raises(NotGeneratableError, match="derives from an async class"):
        _generate.generated(root)


def test_the_command_says_what_it_can_not_generate(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_method(root, "    async def values(self): ...")
    assert _generate.main(["--root", str(root)]) == 2
    assert "eigenpal/client.py:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("await client.runs.get(id)", "client.runs.get(id)"),
        ("async with AsyncThing() as thing:", "with Thing() as thing:"),
        ("async for x in xs:", "for x in xs:"),
        ("async def main():", "def main():"),
        ("asyncio.run(main())", "main()"),
        ("anyio.run(main)", "main()"),
        ("import asyncio\n\nx = 1", "x = 1"),
        ("an `httpx.AsyncClient` or AsyncThingOther", "an `httpx.AsyncClient` or AsyncThingOther"),
        ("call `aclose()`", "call `close()`"),
        ("The async client", "The blocking client"),
        ("An async iterator", "A blocking iterator"),
    ],
)
def test_docstrings_read_as_blocking_code(text: str, expected: str) -> None:
    assert blocking_text(text, {"AsyncThing": "Thing"}) == expected
