"""Reading the form of an upload: one file in the part `file`, and perhaps a few texts beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from starlette.requests import Request

from eigenpal.sandbox.call import Call
from eigenpal.sandbox.multipart import FilePart, read_form
from eigenpal.sandbox.problems import Problem, invalid
from eigenpal.sandbox.start_request import discard

_FILE = "file"


def is_multipart(request: Request) -> bool:
    """Tell whether the body of a request is a form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data"


async def read_upload(call: Call, *, texts: Collection[str] = ()) -> tuple[FilePart, Mapping[str, str]]:
    """Return the file of a form, already on disk, and its texts.

    Args:
        call: The request.
        texts: Names of the text parts that are looked at; others are left alone.

    Raises:
        Problem: 400, 413 or 415: the form can't be read, has no file, or more than one; nothing is left on disk.
    """
    services = call.services
    if not is_multipart(call.request):
        raise Problem(415, "A file is uploaded as multipart/form-data.", field="header.content-type")
    form = await read_form(
        call.request.stream(),
        call.request.headers["content-type"],
        blobs=services.blobs,
        new_name=lambda: services.ids.new("blob"),
        is_file=lambda name, has_filename: name == _FILE or (has_filename and name not in texts),
    )
    try:
        if [file.part for file in form.files] != [_FILE]:
            message = f"The form needs one file, in a part named {_FILE}; it has {len(form.files)}."
            raise invalid(f"body.{_FILE}", message, code="required" if not form.files else None)
        (upload,) = form.files
        return upload, {name: text for name, text in form.texts.items() if name in texts}
    except BaseException:
        discard(form.files, services.blobs)
        raise
