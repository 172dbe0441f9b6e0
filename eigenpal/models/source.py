"""The organisation's source repository: files, releases, lockfiles, sealed secrets."""

from __future__ import annotations

from typing import NoReturn, Self

import attrs

from eigenpal.engine.model import Model, model
from eigenpal.engine.secret import Secret
from eigenpal.models.triggers import Release


@model
class SourceRepository(Model):
    """Where the organisation's Git repository is."""

    git_repository_path: str
    remote_url: str


@model
class SourceFile(Model):
    """One file of the repository, as text."""

    ref: str
    path: str
    content_type: str
    content: str


@model
class SourceReleases(Model):
    """Every release of one package, newest first."""

    package_path: str
    releases: list[Release]


@model
class LockedPackage(Model):
    """One package of a lockfile with what it depends on."""

    package_path: str
    requested_ref: str
    resolved_ref: str
    commit: str
    resolved_tag: str | None = None
    dependencies: list[LockedPackage] = attrs.field(factory=list["LockedPackage"])


@model
class Lockfile(Model):
    """The lockfile that a start would write now."""

    lockfile_version: int
    eigenpal_version: str
    input_hash: str
    root: LockedPackage


@model
class EncryptedSecret(Model):
    """A sealed secret; only the service can open it."""

    algorithm: str
    key_id: str
    nonce: str
    ciphertext: str
    tag: str


@model
class EncryptedSecrets(Model):
    """Answer to sealing: `encrypted` for one secret, `secrets` by name for several."""

    encrypted: EncryptedSecret | None = None
    secrets: dict[str, EncryptedSecret] | None = None


@model
class DecryptedSecrets(Model):
    """Answer to opening: `plaintext` for one secret, `secrets` by name for several; `reveal()` gives the text.

    Items and `to_dict()` have the texts in the clear, as the server sent them.
    """

    plaintext: Secret | None = None
    secrets: dict[str, Secret] | None = None

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("opened secrets are not pickled; pickle the sealed ones and open them again")
