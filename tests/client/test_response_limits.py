"""An answer is read up to a limit and not further, however it was compressed (R4)."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import cache

import pytest

from eigenpal.errors import EigenpalDecodeError, EigenpalError
from tests.client.conftest import Connect, one_wire
from tests.client.failures import answering
from tests.scripted_server import Peer, scripted_server

pytestmark = pytest.mark.anyio

LIMIT = 1024 * 1024
MEBIBYTE = 1024 * 1024


@cache
def bomb(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(MEBIBYTE)
    return b"".join([*(packer.compress(zeros) for _ in range(mebibytes)), packer.flush()])


async def test_an_answer_above_the_limit_is_refused_while_it_streams(connect: Connect) -> None:
    sent = [0]

    def flood(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.send(b"%x\r\n%s\r\n" % (MEBIBYTE, b" " * MEBIBYTE))
            sent[0] += MEBIBYTE

    with scripted_server(flood) as server:
        async with connect(server.url, max_response_bytes=LIMIT) as client:
            with pytest.raises(EigenpalDecodeError, match=f"larger than {LIMIT} bytes") as caught:
                await client.runs.get("exec_1")
        assert len(server.requests) == 1
    assert caught.value.status == 200
    assert sent[0] < 20 * MEBIBYTE


async def test_an_answer_just_below_the_limit_is_read(connect: Connect) -> None:
    body = b'"' + b"x" * (LIMIT - 2) + b'"'
    with answering(200, gzip.compress(body), Content_Encoding="gzip")() as url:
        async with connect(url, max_response_bytes=LIMIT) as client:
            assert len(await client.request("GET", "/x")) == LIMIT - 2


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 200), ("deflate", 200), ("gzip, gzip", 200), ("gzip", 500)])
async def test_a_bomb_is_refused_in_little_memory(connect: Connect, encoding: str, status: int) -> None:
    body = bomb(12)
    if encoding == "deflate":
        body = zlib.compress(bytes(12 * MEBIBYTE))
    if encoding == "gzip, gzip":
        body = gzip.compress(body)
    with answering(status, body, Content_Encoding=encoding)() as url:
        async with connect(url, max_response_bytes=LIMIT, max_retries=0) as client:
            tracemalloc.start()
            try:
                with pytest.raises(EigenpalDecodeError, match="larger than"):
                    await client.runs.get("exec_1")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert peak < 6 * MEBIBYTE


async def test_encodings_within_encodings_are_refused(connect: Connect) -> None:
    body, depth = b"{}", 400
    for _ in range(depth):
        body = gzip.compress(body, 1)
    with answering(200, body, Content_Encoding=", ".join(["gzip"] * depth))() as url:
        async with connect(url) as client:
            with pytest.raises(EigenpalDecodeError):
                await client.request("GET", "/x")


@one_wire
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-gzip", "GZIP", "identity", "gzip, identity"])
async def test_what_was_asked_for_is_decompressed(connect: Connect, encoding: str) -> None:
    body = b'{"answer": 42}'
    packed = body if encoding == "identity" else zlib.compress(body) if encoding == "deflate" else gzip.compress(body)
    with answering(200, packed, Content_Encoding=encoding)() as url:
        async with connect(url) as client:
            assert await client.request("GET", "/x") == {"answer": 42}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_no_body_is_no_broken_body_whatever_encoding_it_claims(connect: Connect, encoding: str) -> None:
    with answering(204, Content_Encoding=encoding)() as url:
        async with connect(url, max_retries=0) as client:
            assert await client.request("DELETE", "/x", cast_to=None) is None


async def test_several_gzip_members_are_one_body(connect: Connect) -> None:
    body = gzip.compress(b'{"answer":') + gzip.compress(b" 42}")
    with answering(200, body, Content_Encoding="gzip")() as url:
        async with connect(url) as client:
            assert await client.request("GET", "/x") == {"answer": 42}


async def test_an_error_page_of_any_size_is_an_error_with_a_short_message(connect: Connect) -> None:
    with answering(502, b"<html>" + b"x" * (4 * MEBIBYTE), Content_Type="text/html")() as url:
        async with connect(url, max_retries=0) as client:
            with pytest.raises(EigenpalError) as caught:
                await client.runs.get("exec_1")
    assert len(str(caught.value)) < 600
