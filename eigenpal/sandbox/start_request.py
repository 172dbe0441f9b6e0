"""The body of a start, JSON or multipart, today's layout or an older one, as one value. Checks shapes, starts nothing.

Older layouts that are still accepted: the parts `_json`, `_overrides`, `_metadata`, file parts named by the bare input
name, and the same three names inside the JSON body or its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.json_values import is_list, is_object
from eigenpal.sandbox.members import encodable
from eigenpal.sandbox.multipart import FilePart, Form, parse_json, read_form, read_json
from eigenpal.sandbox.problems import Problem, invalid

_TEXT_PARTS = frozenset({"target", "input", "overrides", "metadata", "_json", "_overrides", "_metadata"})
_BARE_PARTS = frozenset({"_json", "_overrides"})
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
    target_field: str = "body.target"


async def read_start_request(request: Request, blobs: BlobFolder, new_blob_name: Callable[[], str]) -> StartRequest:
    """Return what a start request asks for.

    Args:
        request: The request, its body unread.
        blobs: Where uploaded files go; they are deleted again when this raises.
        new_blob_name: Makes blob names.

    Raises:
        Problem: 400, 413 or 415: the body can't be read or has the wrong shape.
    """
    return await _read(request, blobs, new_blob_name, _is_file_part, _from_form, _from_json)


async def read_bare_start_request(
    request: Request, blobs: BlobFolder, new_blob_name: Callable[[], str], *, target: str
) -> StartRequest:
    """Return what a start request of generation 0.6 asks for: its body is the input itself, its path the target.

    Args:
        request: The request, its body unread.
        blobs: Where uploaded files go; they are deleted again when this raises.
        new_blob_name: Makes blob names.
        target: What the path names.

    Raises:
        Problem: 400, 413 or 415: the body can't be read or has the wrong shape.
    """

    def from_form(form: Form) -> StartRequest:
        parts = {name: parse_json(text, f"body.{name}") for name, text in form.texts.items() if name in _BARE_PARTS}
        return StartRequest(
            target=target,
            target_field="path.target",
            arguments=_object(parts.get("_json"), "body._json") or {},
            overrides=_overrides(parts.get("_overrides"), "body._overrides"),
            metadata=None,
            uploads=form.files,
        )

    def from_json(body: Any) -> StartRequest:
        arguments = dict(_object(body, "<root>") or {})
        overrides = _overrides(arguments.pop("_overrides", None), "body._overrides")
        return StartRequest(target, arguments, overrides, None, target_field="path.target")

    def is_file(name: str, has_filename: bool) -> bool:
        return has_filename and name not in _BARE_PARTS

    return await _read(request, blobs, new_blob_name, is_file, from_form, from_json)


async def _read(
    request: Request,
    blobs: BlobFolder,
    new_blob_name: Callable[[], str],
    is_file: Callable[[str, bool], bool],
    from_form: Callable[[Form], StartRequest],
    from_json: Callable[[Any], StartRequest],
) -> StartRequest:
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        form = await read_form(request.stream(), content_type, blobs=blobs, new_name=new_blob_name, is_file=is_file)
        try:
            for file in form.files:
                if file.part in ("", _FILE_PREFIX):
                    message = "A file part needs the name of an input behind files. in its name."
                    raise invalid(f"body.{file.part}", message)
            return from_form(form)
        except BaseException:
            discard(form.files, blobs)
            raise
    if media_type not in ("", "application/json") and not media_type.endswith("+json"):
        message = f"A run can't be started with a body of type {media_type}."
        raise Problem(415, message, field="header.content-type", hint="Send application/json or multipart/form-data.")
    return from_json(await read_json(request.stream()))


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
    return replace(_from_json(body), uploads=form.files)


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


def _overrides(value: Any, field: str = "body.overrides") -> Mapping[str, Any] | None:
    overrides = _object(value, field)
    if overrides is None:
        return None
    steps = _object(overrides.get("steps"), f"{field}.steps") or {}
    for name, output in steps.items():
        if not is_object(output):
            raise invalid(f"{field}.steps.{name}", "The output that replaces a step must be a JSON object.")
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
            for text in (input_name, one["fileId"], *names):
                encodable(text or "", field)
            references.append(FileReference(input_name, one["fileId"], *names))
    return references
