"""Listing and downloading the files of runs, whole, in part, or as one zip. Bodies are streamed from disk."""

from __future__ import annotations

import asyncio
import re
import tempfile
import zipfile
from collections.abc import AsyncIterator, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import IO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from eigenpal.sandbox.blobs import READ_SIZE, BlobFolder, read_pieces
from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.documents import artifacts
from eigenpal.sandbox.grammar import safe_path, split_list
from eigenpal.sandbox.problems import Problem, invalid, not_found
from eigenpal.sandbox.rows import FileRow

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)


async def list_artifacts(call: Call) -> Response:
    """GET /runs/{id}/artifacts"""
    run = call.run()
    return json_answer({"artifacts": artifacts(run, call.services.store.files(run.id))})


async def download(call: Call) -> Response:
    """GET /runs/{id}/artifacts/{path}"""
    path = call.path["path"]
    if not safe_path(path):
        raise invalid("path.path", f"The artifact path {path!r} is not allowed: no empty, '.' or '..' segment.")
    file = call.services.store.file_at(call.run().id, path)
    if file is None:
        raise not_found(f"The run has no artifact {path!r}.", hint="GET /runs/{id}/artifacts lists them.")
    return send_file(call, file)


async def download_zip(call: Call) -> Response:
    """GET /runs/{id}/files-zip"""
    run = call.run()
    if run.kind != "agent":
        raise not_found("Only agent runs have a zip.", hint="Download the artifacts of a workflow run one by one.")
    outputs = [file for file in call.services.store.files(run.id) if file.path.startswith("output/")]
    chosen = _chosen(outputs, split_list(call.query_list("files")))
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the stream that sends it
    try:
        size = await asyncio.to_thread(_write_zip, archive, chosen, call.services.blobs)
    except BaseException:
        archive.close()
        raise
    headers = {
        "content-type": "application/zip",
        "content-length": str(size),
        "content-disposition": _disposition(f"{run.id}.zip"),
    }
    return StreamingResponse(_stream_and_close(archive), headers=headers)


def send_file(call: Call, file: FileRow) -> Response:
    """Return the answer that sends a file, whole, in part, or not at all when the client has it already.

    Args:
        call: The request; its headers say how much is wanted.
        file: The file.

    Raises:
        Problem: 416, the part lies behind the end.
    """
    headers = {
        "content-type": file.content_type,
        "content-disposition": _disposition(file.name),
        "accept-ranges": "bytes",
        "etag": f'"{file.digest}"',
        "last-modified": formatdate(file.created_at / 1000, usegmt=True),
    }
    sent = call.request.headers
    if headers["etag"] in sent.get("if-none-match", ""):
        del headers["content-type"]
        return Response(status_code=304, headers=headers)
    wanted = sent.get("range")
    if wanted is not None and sent.get("if-range", headers["etag"]) not in (headers["etag"], headers["last-modified"]):
        wanted = None  # the client holds a part of other bytes
    part = None if wanted is None else byte_range(wanted, file.size)
    first, last = part or (0, file.size - 1)
    headers["content-length"] = str(last - first + 1)
    if part is not None:
        headers["content-range"] = f"bytes {first}-{last}/{file.size}"
    body = _stream(call.services.blobs.path(file.blob), first, last - first + 1)
    return StreamingResponse(body, 206 if part else 200, headers)


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte that a Range header asks for; None means the whole file.

    Args:
        header: The header. What is not one range of bytes is ignored, as HTTP wants it.
        size: Bytes of the file.

    Raises:
        Problem: 416, the range lies behind the end.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    first = int(match[1]) if match[1] else max(0, size - int(match[2]))
    last = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
    if match[1] and match[2] and int(match[2]) < first:
        return None
    if first >= size or (not match[1] and int(match[2]) == 0):
        message = f"The range {header!r} lies outside of the {size} bytes of this file."
        raise Problem(416, message, field="header.range", headers={"content-range": f"bytes */{size}"})
    return first, last


def _chosen(files: Sequence[FileRow], names: Sequence[str]) -> Sequence[FileRow]:
    for name in names:
        if not any(name in (file.name, file.path) for file in files):
            raise not_found(f"The run has no output file {name!r}.", field="query.files")
    return [file for file in files if not names or file.name in names or file.path in names]


def _write_zip(archive: IO[bytes], files: Sequence[FileRow], blobs: BlobFolder) -> int:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as pack:
        for file in files:
            # A fixed date: the same outputs make the same bytes.
            entry = zipfile.ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with pack.open(entry, "w", force_zip64=file.size > 2**31 - 1) as target:
                for piece in read_pieces(blobs.path(file.blob), 0, file.size):
                    target.write(piece)
    size = archive.tell()
    archive.seek(0)
    return size


def _disposition(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


async def _stream(path: Path, start: int, length: int) -> AsyncIterator[bytes]:
    for piece in read_pieces(path, start, length):
        yield piece


async def _stream_and_close(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(READ_SIZE):
            yield piece
