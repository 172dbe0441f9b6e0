"""The body of a start, JSON or multipart, today's layout or an older one, as one value. Checks shapes, starts nothing.

Older layouts that are still accepted: the parts `_json`, `_overrides`, `_metadata`, file parts named by the bare input
name, and the same three names inside the JSON body or its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.json_values import is_list, is_object
from eigenpal.sandbox.multipart import FilePart, Form, parse_json, read_form, read_json
from eigenpal.sandbox.problems import Problem, invalid

_TEXT_PARTS = frozenset({"target", "input", "overrides", "metadata", "_json", "_overrides", "_metadata"})
_FILE_PREFIX = "files."


@dataclass(frozen=True, slots=True)
class FileReference:
    """A stored file given as input."""

    input_name: str
    file_id: str
    filename: str | None
    mime_type: str | None


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a client asks to be started."""

    target: object
    arguments: Mapping[str, Any]
    overrides: Mapping[str, Any] | None
    metadata: Mapping[str, Any] | None
    references: Sequence[FileReference] = ()
    uploads: Sequence[FilePart] = ()


async def read_start_request(request: Request, blobs: BlobFolder, new_blob_name: Callable[[], str]) -> StartRequest:
    """Return what a start request asks for.

    Args:
        request: The request, its body unread.
        blobs: Where uploaded files go; they are deleted again when this raises.
        new_blob_name: Makes blob names.

    Raises:
        Problem: 400, 413 or 415: the body can't be read or has the wrong shape.
    """
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        form = await read_form(
            request.stream(), content_type, blobs=blobs, new_name=new_blob_name, is_file=_is_file_part
        )
        try:
            return _from_form(form)
        except BaseException:
            discard(form.files, blobs)
            raise
    if media_type not in ("", "application/json") and not media_type.endswith("+json"):
        message = f"A run can't be started with a body of type {media_type}."
        raise Problem(415, message, field="header.content-type", hint="Send application/json or multipart/form-data.")
    return _from_json(await read_json(request.stream()))


def discard(files: Sequence[FilePart], blobs: BlobFolder) -> None:
    """Delete uploads that no run will use."""
    for file in files:
        blobs.delete(file.blob.name)


def _is_file_part(name: str, has_filename: bool) -> bool:
    return name.startswith(_FILE_PREFIX) or (has_filename and name not in _TEXT_PARTS)


def _from_form(form: Form) -> StartRequest:
    body: dict[str, Any] = {}
    for name, text in form.texts.items():
        if name == "target":
            body["target"] = text.strip()
        elif name in _TEXT_PARTS:
            body[name] = parse_json(text, f"body.{name}")
    if "_json" in body:
        older = _object(body.pop("_json"), "body._json") or {}
        body["input"] = {**older, **(_object(body.get("input"), "body.input") or {})}
    for file in form.files:
        if file.part in ("", _FILE_PREFIX):
            raise invalid(f"body.{file.part}", "A file part needs the name of an input behind files. in its name.")
    read = _from_json(body)
    return StartRequest(read.target, read.arguments, read.overrides, read.metadata, read.references, form.files)


def _from_json(body: Any) -> StartRequest:
    if not is_object(body):
        raise invalid("<root>", "The body must be a JSON object.")
    arguments = dict(_object(body.get("input"), "body.input") or {})
    older_overrides, older_metadata = arguments.pop("_overrides", None), arguments.pop("_metadata", None)
    overrides = _first(body, ("overrides", "_overrides"), older_overrides)
    metadata = _first(body, ("metadata", "_metadata"), older_metadata)
    return StartRequest(
        target=body.get("target"),
        arguments=arguments,
        overrides=_overrides(overrides),
        metadata=_object(metadata, "body.metadata"),
        references=list(_references(body.get("files"))),
    )


def _first(body: Mapping[str, Any], names: Sequence[str], otherwise: Any) -> Any:
    return next((body[name] for name in names if body.get(name) is not None), otherwise)


def _object(value: object, field: str) -> Mapping[str, Any] | None:
    if value is None or is_object(value):
        return value
    raise invalid(field, "This must be a JSON object.")


def _overrides(value: Any) -> Mapping[str, Any] | None:
    overrides = _object(value, "body.overrides")
    if overrides is None:
        return None
    steps = _object(overrides.get("steps"), "body.overrides.steps") or {}
    for name, output in steps.items():
        if not is_object(output):
            raise invalid(f"body.overrides.steps.{name}", "The output that replaces a step must be a JSON object.")
    return overrides


def _references(value: Any) -> list[FileReference]:
    references: list[FileReference] = []
    for input_name, item in (_object(value, "body.files") or {}).items():
        for one in item if is_list(item) else [item]:
            field = f"body.files.{input_name}"
            if not is_object(one) or not isinstance(one.get("fileId"), str):
                raise invalid(field, "A file reference is an object with a fileId.")
            names = [one.get("filename"), one.get("mimeType")]
            if not all(name is None or isinstance(name, str) for name in names):
                raise invalid(field, "filename and mimeType of a file reference are texts.")
            references.append(FileReference(input_name, one["fileId"], *names))
    return references
