"""The workflow `extract-invoice`: a PDF or text invoice in, its facts and `line_items.csv` out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eigenpal.sandbox.context import InputFile, RunContext, RunFailed

if TYPE_CHECKING:
    from pypdf import PageObject

STEPS = ("read", "extract", "export")
_EXPECTED_INPUTS = ("invoice", "contract")
_COLUMNS = ("description", "quantity", "unit_price", "amount")


def run(context: RunContext) -> dict[str, Any]:
    """Read an invoice (PDF or text): number, dates, parties, currency, line items and totals."""
    read = context.run_step("read", lambda: read_document(_document(context)))
    invoice = context.run_step("extract", lambda: _extract(str(read.get("text", ""))))
    with context.step("export") as step:
        if not step.overridden:
            path = context.write_artifact("line_items.csv", _csv(invoice), content_type="text/csv")
            step.output = {"path": path, "rows": len(invoice.get("line_items") or [])}
    return dict(invoice)


def read_document(file: InputFile) -> dict[str, Any]:
    """Return the text of a document and how many pages it has.

    Args:
        file: A PDF or a text file; what it is shows in its first bytes, not in its name.

    Raises:
        RunFailed: It is neither, can't be read, or has no text.
    """
    with file.open() as stream:
        is_pdf = b"%PDF-" in stream.read(1024)
    pages = _pdf_pages(file) if is_pdf else [_plain_text(file)]
    text = "\n".join(pages)
    if not text.strip():
        raise RunFailed(f"{file.name} has no text; a scan needs character recognition first.")
    return {"filename": file.name, "pages": len(pages), "text": text}


def _document(context: RunContext) -> InputFile:
    named = [context.files[name] for name in _EXPECTED_INPUTS if name in context.files]
    for given in [*named, *context.files.values()]:
        if not isinstance(given, list):
            return given
        if given:
            return given[0]
    raise RunFailed("No file was given: send the invoice as the input 'invoice'.")


def _pdf_pages(file: InputFile) -> list[str]:
    # Imported here: only who reads a PDF waits for it.
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        with PdfReader(file.path) as reader:
            if reader.is_encrypted and not reader.decrypt(""):
                raise RunFailed(f"{file.name} is protected with a password.")
            return [_page_text(page) for page in reader.pages]
    except RunFailed:
        raise
    except (PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OSError) as error:
        # pypdf raises all of these for files that are broken in one way or another.
        raise RunFailed(f"{file.name} can't be read as a PDF: {error}.") from error


def _page_text(page: PageObject) -> str:
    # The layout mode keeps columns apart, which tables need; older releases of pypdf trip over an empty page in it.
    return "" if page.get_contents() is None else page.extract_text(extraction_mode="layout")


def _plain_text(file: InputFile) -> str:
    data = file.read_bytes()
    for encoding in ("utf-8-sig", "utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise RunFailed(f"{file.name} is neither a PDF nor a text file.")


def _extract(text: str) -> dict[str, Any]:
    from eigenpal.sandbox.invoices.parser import NotAnInvoice, parse_invoice  # its many patterns take time, too

    try:
        return parse_invoice(text).to_json()
    except NotAnInvoice as error:
        raise RunFailed(str(error)) from error


def _csv(invoice: Mapping[str, Any]) -> str:
    target = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(target, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    rows: list[dict[str, Any]] = invoice.get("line_items") or []
    writer.writerows(rows)
    return target.getvalue()
