"""R4: a body is read piece by piece, bounded, and every way it can go wrong is a typed error."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import pytest

from eigenpal.engine.reading import BodyReader
from eigenpal.engine.transport.port import TransportFailure
from eigenpal.errors import EigenpalConnectionError, EigenpalDecodeError, EigenpalError

pytestmark = pytest.mark.anyio

CONTENT = b"The quick brown fox. " * 500


class Wire:
    """An answer whose body is given; ends with a failure if there is one, and knows how much of it was taken."""

    status = 200

    def __init__(self, chunks: Sequence[bytes], encoding: str | None = None, failure: Exception | None = None) -> None:
        self.headers: Mapping[str, str] = {} if encoding is None else {"content-encoding": encoding}
        self.taken = 0
        self._chunks = iter(chunks)
        self._failure = failure

    def raw_chunks(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            self.taken += 1
            return chunk
        raise self._failure or StopAsyncIteration

    async def aclose(self) -> None:
        raise AssertionError("whoever reads does not close")


def reader(wire: Wire) -> BodyReader:
    return BodyReader(
        wire,
        unanswered=lambda failure: EigenpalConnectionError(f"no answer ({failure.reason}): {failure.detail}"),
        undecodable=lambda problem: EigenpalDecodeError(f"answered 200, but {problem}"),
    )


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(content) + compressor.flush()


ENCODINGS: Mapping[str, tuple[str | None, Callable[[bytes], bytes]]] = {
    "none": (None, bytes),
    "empty name": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "two members": ("gzip", lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:])),
    "both": ("deflate, gzip", lambda content: gzip.compress(zlib.compress(content))),
}


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("kind", ENCODINGS)
async def test_a_body_is_read_whole_however_it_comes(kind: str, size: int) -> None:
    encoding, compress = ENCODINGS[kind]
    assert await reader(Wire(cut(compress(CONTENT), size), encoding)).read(len(CONTENT)) == CONTENT


@pytest.mark.parametrize("encoding", [None, "identity", "gzip", "deflate"])
async def test_an_empty_body_is_empty_whatever_its_encoding(encoding: str | None) -> None:
    assert await reader(Wire([], encoding)).read(10) == b""
    assert await reader(Wire([b"", b""], encoding)).read(10) == b""


@pytest.mark.parametrize("kind", ENCODINGS)
async def test_r4_a_body_larger_than_the_limit_is_refused_and_not_read_further(kind: str) -> None:
    encoding, compress = ENCODINGS[kind]
    wire = Wire(cut(compress(CONTENT), 10) + [b""] * 1000, encoding)
    with pytest.raises(EigenpalDecodeError, match="larger than 100 bytes, which no answer of this API needs"):
        await reader(wire).read(100)
    assert wire.taken < 100


async def test_r4_a_bomb_is_refused_while_it_is_small() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(16)) + compressor.flush()
    wire = Wire(cut(bomb, 1000), "gzip")
    with pytest.raises(EigenpalDecodeError, match="larger than 2000000 bytes"):
        await reader(wire).read(2_000_000)
    assert wire.taken < len(bomb) / 1000 / 4


@pytest.mark.parametrize("kind", ["gzip", "deflate", "raw deflate", "both"])
async def test_a_compressed_body_that_ends_early_is_a_broken_connection(kind: str) -> None:
    encoding, compress = ENCODINGS[kind]
    wire = Wire(cut(compress(CONTENT)[:-5], 10), encoding)
    with pytest.raises(EigenpalConnectionError, match=r"broken.*: the compressed body ended early"):
        await reader(wire).read(len(CONTENT))


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", b"{}"),
        ("gzip", b"<html>"),
        ("deflate", b"\xff\xff\xff\xff"),
        ("gzip", gzip.compress(CONTENT, mtime=0)[:-8] + b"\0" * 8),
        ("gzip", gzip.compress(CONTENT, mtime=0)[:30] + b"\xff" * 30),
        ("br", b"anything"),
        ("gzip, zstd", b"anything"),
    ],
    ids=["JSON", "HTML", "no deflate", "wrong checksum", "broken inside", "unknown", "one of two unknown"],
)
async def test_a_body_that_can_not_be_decompressed_is_a_decode_error(encoding: str, content: bytes) -> None:
    with pytest.raises(EigenpalDecodeError, match="its body can't be decompressed: ") as caught:
        await reader(Wire([content], encoding)).read(len(CONTENT))
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("chunks", [[], [gzip.compress(CONTENT, mtime=0)[:50]]], ids=["at once", "half-way"])
async def test_a_connection_that_breaks_is_typed(encoding: str | None, chunks: list[bytes]) -> None:
    wire = Wire(chunks, encoding, TransportFailure("timeout", sent=True, detail="nothing came"))
    with pytest.raises(EigenpalConnectionError, match=r"no answer \(timeout\): nothing came") as caught:
        await reader(wire).read(len(CONTENT))
    assert caught.value.__suppress_context__


async def test_an_error_that_is_ours_already_passes_as_it_is() -> None:
    failure = EigenpalError("as it is")
    with pytest.raises(EigenpalError) as caught:
        await reader(Wire([], None, failure)).read(1)
    assert caught.value is failure


async def test_pieces_come_as_soon_as_they_are_there() -> None:
    wire = Wire([b"a", b"b"])
    pieces = reader(wire)
    assert await anext(pieces) == b"a"
    assert wire.taken == 1
    assert [piece async for piece in pieces] == [b"b"]


async def test_large_pieces_of_a_compressed_body_are_handed_over_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eigenpal.engine.response.INFLATE_BYTES", 100)
    wire = Wire([gzip.compress(CONTENT), b""], "gzip")
    pieces = reader(wire)
    first = await anext(pieces)
    assert len(first) == 100
    assert wire.taken == 1
    rest = [piece async for piece in pieces]
    assert max(map(len, rest)) <= 100
    assert b"".join([first, *rest]) == CONTENT
