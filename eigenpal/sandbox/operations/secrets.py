"""Sealing and opening the secrets of source packages: one at a time, or several by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.responses import Response

from eigenpal.sandbox.call import Call, json_answer
from eigenpal.sandbox.grammar import safe_path
from eigenpal.sandbox.ids import derived_id
from eigenpal.sandbox.members import Members, read_members
from eigenpal.sandbox.packages import locked_packages
from eigenpal.sandbox.problems import Problem, invalid, not_found
from eigenpal.sandbox.rows import RunRow
from eigenpal.sandbox.vault import ALGORITHM, Foreign, Place, Tampered

MAX_PLAINTEXT = 64 * 1024  # characters: keys, tokens, certificates
MAX_SEALED = 512 * 1024  # characters of the ciphertext of the longest plaintext in base64, with room to spare

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,199}")
_PARTS = ("keyId", "nonce", "ciphertext", "tag")


async def encrypt(call: Call) -> Response:
    """POST /source/secrets/encrypt"""
    body = await read_members(call)
    _check_form(call, body, ("sourcePath", "secretName", "plaintext"))
    if "secrets" not in body:
        return json_answer({"encrypted": _seal(call, body)})
    return json_answer({"secrets": {name: _seal(call, item) for name, item in _by_name(body).items()}})


async def decrypt(call: Call) -> Response:
    """POST /source/secrets/decrypt"""
    body = await read_members(call)
    _check_form(call, body, ("sourcePath", "secretName", "encrypted", "executionId"))
    if "secrets" not in body:
        place, sealed = _place(call, body), _sealed(body)
        _check_use(call, body, place)
        return json_answer({"plaintext": _open(call, body, place, sealed)})
    items = {name: (item, _place(call, item), _sealed(item)) for name, item in _by_name(body).items()}
    return json_answer({"secrets": {name: _open(call, *parts) for name, parts in items.items()}})


def _check_form(call: Call, body: Members, single: tuple[str, ...]) -> None:
    organisation = body.text("organizationId")
    if organisation is not None and organisation not in (derived_id("org", call.tenant.name), call.tenant.name):
        raise Problem(403, "This key belongs to another organisation.", field="body.organizationId")
    given = [name for name in single if name in body]
    if "secrets" in body and given:
        raise invalid(body.path(given[0]), "Give either one secret or a list of secrets, not both.")


def _by_name(body: Members) -> Mapping[str, Members]:
    items: dict[str, Members] = {}
    for item in body.objects("secrets"):
        name = item.required_text("secretName")
        if name in items:
            raise invalid(item.path("secretName"), f"{name!r} is there twice; the answer could hold only one of them.")
        items[name] = item
    return items


def _place(call: Call, body: Members) -> Place:
    path, name = body.required_text("sourcePath"), body.required_text("secretName")
    if not safe_path(path):
        raise invalid(body.path("sourcePath"), f"{path!r} can't be a path: no empty, '.' or '..' segment.")
    if not _NAME.fullmatch(name):
        hint = "Use upper-case letters, digits and underscores, as in SMTP_PASSWORD."
        raise invalid(body.path("secretName"), f"{name!r} can't be the name of a secret.", hint=hint)
    return Place(call.tenant.name, path, name)


def _seal(call: Call, body: Members) -> dict[str, str]:
    place = _place(call, body)
    plaintext = body.text("plaintext", limit=MAX_PLAINTEXT)
    if plaintext is None:
        raise invalid(body.path("plaintext"), "A text is required here.", code="required")
    return call.services.organisation.vault.seal(place, plaintext)


def _sealed(body: Members) -> Mapping[str, str]:
    encrypted = body.inner("encrypted")
    encrypted.only(("algorithm", *_PARTS))
    encrypted.required_text("algorithm")
    encrypted.choice("algorithm", (ALGORITHM,))
    parts = {name: encrypted.text(name, limit=MAX_SEALED) for name in _PARTS}
    for name, value in parts.items():
        if value is None:
            raise invalid(encrypted.path(name), "A text is required here.", code="required")
    return {"algorithm": ALGORITHM} | {name: value for name, value in parts.items() if value is not None}


def _open(call: Call, body: Members, place: Place, sealed: Mapping[str, str]) -> str:
    try:
        return call.services.organisation.vault.open(place, sealed)
    except Foreign:
        message = "This secret was sealed with a key that this organisation does not have."
        raise Problem(403, message, field=body.path("encrypted")) from None
    except Tampered:
        message = "This secret was changed, or it was sealed for another path or name."
        raise invalid(body.path("encrypted"), message) from None


def _check_use(call: Call, body: Members, place: Place) -> None:
    """Refuse to open a secret for a run that does not use the package it is sealed for.

    Raises:
        Problem: 400 without a run, 404 for an unknown one, 403 for one that does not use the package.
    """
    run_id, commit = body.text("executionId"), body.text("sourceCommit")
    if run_id is None:
        hint = "One secret is opened for one run; several can be opened as secrets."
        raise invalid("body.executionId", "The id of a run is required.", code="required", hint=hint)
    run = call.services.store.run(run_id, call.tenant.name)
    if run is None:
        raise not_found(f"No such run: {run_id!r}.", field="body.executionId")
    if not _uses(call, run, place.source_path, commit):
        at = f" at {commit}" if commit else ""
        raise Problem(403, f"The run does not use {place.source_path}{at}.", field="body.sourcePath")


def _uses(call: Call, run: RunRow, path: str, commit: str | None) -> bool:
    return any(
        (path == package or path.startswith(f"{package}/"))
        and (commit is None or (len(commit) >= 7 and sha.startswith(commit.lower())))
        for package, sha in locked_packages(call.services.organisation.packages.lockfile_of(run))
    )
