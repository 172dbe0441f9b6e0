"""Keys that the sandbox makes outlive it with the data folder; keys that were given are written nowhere."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from eigenpal.sandbox import Sandbox
from tests.sandbox.conftest import connect


def test_the_same_calls_give_the_same_keys_after_a_restart(tmp_path: Path) -> None:
    def keys() -> list[str]:
        with Sandbox(data=tmp_path) as sandbox:
            return [sandbox.api_key, sandbox.add_key("other"), sandbox.add_key("other")]

    first = keys()
    assert keys() == first
    assert len(set(first)) == 3


def test_a_client_keeps_its_key_and_its_runs_over_a_restart(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox) as client:
        key = sandbox.api_key
        run = client.post("/runs", json={"target": "workflows.extract-invoice"}).json()["id"]
    with Sandbox(data=tmp_path) as sandbox, connect(sandbox, key) as client:
        assert client.get(f"/runs/{run}").status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes there")
def test_only_the_owner_may_read_the_keys(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path / "data") as sandbox:
        file = tmp_path / "data" / "keys.json"
        assert sandbox.api_key in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_that_was_given_is_in_no_file_and_the_kept_one_is_not_valid_beside_it(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path) as sandbox:
        kept = sandbox.api_key
    with Sandbox(data=tmp_path, api_key="eig_test_given") as sandbox:
        with connect(sandbox) as client, connect(sandbox, kept) as refused:
            assert client.get("/workflows").status_code == 200
            assert refused.get("/workflows").status_code == 401
        sandbox.add_key("other", "eig_test_another")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"eig_test_given" not in written
    assert b"eig_test_another" not in written
    assert kept.encode() in written


@pytest.mark.parametrize("text", ["", "[]", '{"default": "key"}', '{"default": [""]}', '{"default": [1]}', "\0"])
def test_a_file_that_holds_no_keys_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(ValueError, match=r"keys\.json does not hold .* delete it"):
        Sandbox(data=tmp_path)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Sandbox(api_key=key)
    assert key not in str(caught.value)


def test_a_data_folder_is_used_by_one_sandbox_at_a_time(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path / "data") as sandbox, connect(sandbox) as client:
        with pytest.raises(OSError, match="Another sandbox is using this data folder"):
            Sandbox(data=tmp_path / "data").start()
        assert client.get("/workflows").status_code == 200
    with Sandbox(data=tmp_path / "data"):
        pass


def test_a_data_folder_that_the_sandbox_made_stays_out_of_version_control(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path / "made"), Sandbox(data=tmp_path):
        assert (tmp_path / "made" / ".gitignore").read_text() == "*\n"
        assert not (tmp_path / ".gitignore").exists()


def test_a_data_folder_that_is_a_file_is_an_error_of_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OSError, match="data folder can't be used"):
        Sandbox(data=tmp_path / "data").start()
