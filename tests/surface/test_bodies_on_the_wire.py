"""Bodies as they go out: JSON or multipart as the values ask for it, part by part, or refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from eigenpal import AsyncEigenpalClient, EigenpalInputError, FileReference, RunStatus
from eigenpal.models.agents import EmailReplyConfig
from tests.surface.scripted import RECEIPT, scripted

pytestmark = pytest.mark.anyio


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "Größe.pdf"
    path.write_bytes(b"%PDF-1.7")
    return path


async def test_a_start_without_files_is_json_and_with_one_is_multipart(contract: Path) -> None:
    client, script = scripted(RECEIPT)
    await client.run("workflows.a", {"language": "en"}, metadata={"ticket": "T-17"})
    await client.run("workflows.a", {"language": "en", "contract": contract}, metadata={"ticket": "T-17"})
    json_start, multipart_start = script.sent
    assert json_start.headers["content-type"] == "application/json"
    assert json_start.body == {"target": "workflows.a", "input": {"language": "en"}, "metadata": {"ticket": "T-17"}}
    assert multipart_start.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert list(multipart_start.body) == ["target", "metadata", "input", "files.contract"]
    assert multipart_start.body["target"] == b"workflows.a"
    assert json.loads(multipart_start.body["input"]) == {"language": "en"}
    assert json.loads(multipart_start.body["metadata"]) == {"ticket": "T-17"}


async def test_a_file_goes_out_with_its_name_and_media_type(contract: Path) -> None:
    bodies: list[bytes] = []

    async def keep(request: httpx.Request) -> httpx.Response:
        bodies.append(await request.aread())
        assert int(request.headers["content-length"]) == len(bodies[-1])
        return httpx.Response(201, json=RECEIPT)

    async with AsyncEigenpalClient("k", transport=httpx.MockTransport(keep)) as client:
        await client.run("workflows.a", {"contract": contract})
        await client.runs.files.upload("exec_1", b"a,b", filename="a.csv", mime_type="text/x-own")
        await client.runs.expected.upload("exec_1", b"a,b")
    head = 'Content-Disposition: form-data; name="{}"; filename="{}"\r\nContent-Type: {}\r\n\r\n'
    assert head.format("files.contract", "Größe.pdf", "application/pdf").encode() in bodies[0]
    assert head.format("file", "a.csv", "text/x-own").encode() in bodies[1]
    assert head.format("file", "expected.bin", "application/octet-stream").encode() in bodies[2]
    assert b'name="name"' not in bodies[2]


@pytest.mark.parametrize(
    "given",
    [
        {"a": FileReference(file_id="file_1", filename="a.pdf", mime_type="application/pdf")},
        {"a": {"fileId": "file_1", "filename": "a.pdf", "mimeType": "application/pdf"}},
    ],
    ids=["model", "mapping"],
)
async def test_stored_files_are_given_by_id_one_or_several(given: Any) -> None:
    client, script = scripted(RECEIPT)
    await client.run("agents.a", files=given)
    await client.run("agents.a", files={"a": [given["a"]]})
    wire = {"fileId": "file_1", "filename": "a.pdf", "mimeType": "application/pdf"}
    assert [sent.body["files"] for sent in script.sent] == [{"a": wire}, {"a": [wire]}]


@pytest.mark.parametrize("config", [EmailReplyConfig(on="always"), {"on": "always"}], ids=["model", "mapping"])
async def test_a_nested_object_may_be_a_model_or_a_mapping(config: Any) -> None:
    client, script = scripted({"email": {}})
    await client.agents.email_triggers.create_alias("a", email="a@b.example", reply_config=config, allowlist=("c",))
    assert script.sent[0].body == {"email": "a@b.example", "replyConfig": {"on": "always"}, "allowlist": ["c"]}


async def test_values_of_python_are_written_as_the_api_has_them() -> None:
    client, script = scripted({"runs": [], "nextCursor": None}, RECEIPT)
    await client.runs.list(
        status=[RunStatus.FAILED, "paused"], from_date=datetime(2026, 6, 14, tzinfo=UTC), to_date="now()-7d", offset=0
    )
    await client.run("workflows.a", {"day": date(2026, 6, 14), "at": datetime(2026, 6, 14, tzinfo=UTC), "set": {1}})
    assert script.sent[0].query == {
        "status": "failed,paused",
        "from": "2026-06-14T00:00:00Z",
        "to": "now()-7d",
        "offset": "0",
    }
    assert script.sent[1].body["input"] == {"day": "2026-06-14", "at": "2026-06-14T00:00:00Z", "set": [1]}


async def test_what_a_run_answered_can_be_given_to_the_next() -> None:
    client, script = scripted({"email": {"replyConfig": {"on": "always", "newMember": 1}}})
    alias = await client.agents.email_triggers.create_alias("a", email="a@b.example")
    await client.agents.email_triggers.update_alias("a", "aea_1", reply_config=alias.email.reply_config)
    assert script.sent[1].body == {"replyConfig": {"on": "always", "newMember": 1}}


REFUSED: dict[str, Callable[[Any], Any]] = {
    "a body that is no mapping": lambda client: client.source.encrypt_secrets("text"),
    "an input that is no mapping": lambda client: client.run("workflows.a", ["a"]),
    "an object without a JSON form": lambda client: client.run("workflows.a", {"a": object()}),
    "not a number": lambda client: client.run("workflows.a", {"a": float("nan")}),
    "an opened text file": lambda client: client.run("workflows.a", {"a": io.StringIO("text")}),
    "a missing file": lambda client: client.run("workflows.a", {"a": Path("/no/such/file")}),
    "a missing file in an upload": lambda client: client.runs.files.upload("exec_1", Path("/no/such/file")),
    "an upload that is no file": lambda client: client.runs.expected.upload("exec_1", "a,b"),
    "stored files beside files to upload": lambda client: client.run(
        "agents.a", {"a": io.BytesIO(b"1")}, files={"b": {"fileId": "file_1"}}
    ),
    "a hold that is too long": lambda client: client.run("workflows.a", wait_for_completion=601),
    "a hold of a rerun that is too long": lambda client: client.rerun("exec_1", wait_for_completion=601),
    "an empty filter": lambda client: client.runs.list(status=[]),
    "an empty id": lambda client: client.runs.get(""),
    "an id that climbs": lambda client: client.runs.get("../agents"),
    "a path that climbs": lambda client: client.runs.artifacts.download("exec_1", "output/../../x"),
    "two versions": lambda client: client.run("workflows.a@1.0.0", version="2.0.0"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_can_not_be_sent_is_refused_before_anything_is_sent(what: str) -> None:
    client, script = scripted(RECEIPT)
    with pytest.raises(EigenpalInputError):
        await REFUSED[what](client)
    assert script.sent == []
