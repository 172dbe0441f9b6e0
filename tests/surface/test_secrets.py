"""Secrets that the service seals and opens: readable when asked for, and never shown by accident."""

from __future__ import annotations

import copy
import logging
import pickle
from typing import Any

import httpx
import pytest

from eigenpal import EigenpalDecodeError
from eigenpal.engine.secret import Secret
from tests.surface.scripted import scripted

pytestmark = pytest.mark.anyio

SEALED = {"algorithm": "aes-256-gcm", "keyId": "k1", "nonce": "bm9uY2U=", "ciphertext": "Y2lwaGVy", "tag": "dGFn"}
TEXT = "hunter2-and-more"


async def test_an_opened_secret_shows_only_when_revealed() -> None:
    client, _ = scripted({"plaintext": TEXT}, {"secrets": {"SMTP_PASSWORD": TEXT, "IMAP_PASSWORD": TEXT}})
    one = await client.source.decrypt_secrets(execution_id="exec_1", secret_name="SMTP_PASSWORD", encrypted=SEALED)
    several = await client.source.decrypt_secrets(secrets=[])
    assert one.plaintext is not None
    assert several.secrets is not None
    assert one.plaintext.reveal() == several.secrets["SMTP_PASSWORD"].reveal() == one["plaintext"] == TEXT
    for shown in (one, several, one.plaintext, several.secrets, [one], {"answer": several}):
        for text in (repr(shown), str(shown), f"{shown}", f"{shown!r}", format(shown)):
            assert TEXT not in text


async def test_an_opened_secret_is_neither_pickled_nor_lost_in_a_copy() -> None:
    client, _ = scripted({"plaintext": TEXT})
    opened = await client.source.decrypt_secrets({"executionId": "exec_1"})
    for thing in (opened, opened.plaintext):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)
    assert copy.deepcopy(opened) is copy.copy(opened) is opened


@pytest.mark.parametrize(
    "content",
    [
        b'{"plaintext": "hunter2-and-more"',
        b'{"plaintext": ["hunter2-and-more"]}',
        b'{"secrets": {"a": {"text": "hunter2-and-more"}}}',
        b'{"secrets": ["hunter2-and-more"]}',
        b'"hunter2-and-more"',
        b"<html>hunter2-and-more",
    ],
)
async def test_no_error_quotes_an_answer_with_secrets(content: bytes) -> None:
    client, _ = scripted(httpx.Response(200, content=content, headers={"content-type": "application/json"}))
    with pytest.raises(EigenpalDecodeError) as caught:
        await client.source.decrypt_secrets({"executionId": "exec_1"})
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.__dict__}"


async def test_no_log_line_has_a_secret_or_the_key(caplog: pytest.LogCaptureFixture) -> None:
    client, _ = scripted({"plaintext": TEXT}, {"encrypted": SEALED})
    with caplog.at_level(logging.DEBUG):
        await client.source.decrypt_secrets({"executionId": "exec_1"})
        await client.source.encrypt_secrets(source_path="agents/a", secret_name="A", plaintext=TEXT)
    assert caplog.records
    assert TEXT not in caplog.text
    assert "eig_live_key" not in caplog.text


async def test_an_opened_secret_can_be_sealed_again_as_it_is() -> None:
    client, script = scripted({"plaintext": TEXT}, {"encrypted": SEALED}, {"plaintext": TEXT})
    opened = await client.source.decrypt_secrets({"executionId": "exec_1"})
    sealed = await client.source.encrypt_secrets(source_path="a", secret_name="A", plaintext=opened.plaintext)
    await client.source.decrypt_secrets(execution_id="exec_1", secret_name="A", encrypted=sealed.encrypted)
    assert script.sent[1].body == {"sourcePath": "a", "secretName": "A", "plaintext": TEXT}
    assert script.sent[2].body == {"executionId": "exec_1", "secretName": "A", "encrypted": SEALED}


async def test_several_secrets_are_sealed_by_name() -> None:
    client, script = scripted({"secrets": {"A": SEALED}})
    items: Any = [{"sourcePath": "a", "secretName": "A", "plaintext": Secret(TEXT)}]
    sealed = await client.source.encrypt_secrets(secrets=items)
    assert sealed.secrets is not None
    assert sealed.secrets["A"].key_id == "k1"
    assert sealed.encrypted is None
    assert script.sent[0].body == {"secrets": [{"sourcePath": "a", "secretName": "A", "plaintext": TEXT}]}


async def test_download_tokens_are_hidden_in_logs(caplog: pytest.LogCaptureFixture) -> None:
    client, script = scripted({})
    with caplog.at_level(logging.DEBUG):
        await client.runs.artifacts.download_zip("aex_1", token=TEXT)
    assert script.sent[0].query == {"token": TEXT}
    assert TEXT not in caplog.text
