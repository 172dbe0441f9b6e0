# Generated from the async classes by `python -m eigenpal_sync._generate`; change those, not this file.
"""The `source` namespace: the organisation's Git repository, its releases, lockfiles and sealed secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eigenpal.engine.secret import Secret
from eigenpal.models.source import (
    DecryptedSecrets,
    EncryptedSecret,
    EncryptedSecrets,
    Lockfile,
    SourceFile,
    SourceReleases,
    SourceRepository,
)
from eigenpal.resources.source import AsyncSource
from eigenpal_sync._twin import Twin


class Source(Twin[AsyncSource]):
    """The organisation's source repository."""

    def repository(self) -> SourceRepository:
        """Return where the organisation's Git repository is."""
        return self._portal.wait(self._async.repository).result()

    def raw(self, path: str, *, ref: str = "main") -> SourceFile:
        """Return one file of the repository as text.

        Args:
            path: Path inside the repository.
            ref: Branch, tag or commit.

        Raises:
            EigenpalNotFoundError: No such file or ref.
        """
        return self._portal.wait(self._async.raw, path, ref=ref).result()

    def releases(self, package_path: str, *, version: str | None = None) -> SourceReleases:
        """Return the releases of a package, newest first.

        Args:
            package_path: Path of the package, such as `"agents/mail-sorter"`.
            version: Return this version only.

        Raises:
            EigenpalNotFoundError: No such package.
        """
        return self._portal.wait(self._async.releases, package_path, version=version).result()

    def lockfile(self, package_ref: str) -> Lockfile:
        """Return the lockfile that a start would write now; nothing is started or written.

        Args:
            package_ref: Package path or dotted name, with `@<ref>` if need be.

        Raises:
            EigenpalNotFoundError: No such package or ref.
        """
        return self._portal.wait(self._async.lockfile, package_ref).result()

    def encrypt_secrets(
        self,
        body: Mapping[str, Any] | None = None,
        *,
        source_path: str | None = None,
        secret_name: str | None = None,
        plaintext: str | Secret | None = None,
        secrets: Sequence[Mapping[str, str | Secret]] | None = None,
        organization_id: str | None = None,
    ) -> EncryptedSecrets:
        """Seal one secret, or several, with the organisation's key, which never leaves the service.

        Args:
            body: The request as one mapping with wire names; the arguments below go on top of it.
            source_path: Where the secret is used.
            secret_name: Its name, such as `"SMTP_PASSWORD"`.
            plaintext: The text to seal.
            secrets: Several secrets, each with `sourcePath`, `secretName` and `plaintext`.
            organization_id: Organisation to seal for; that of the key unless given.

        Raises:
            EigenpalValidationError: Neither one secret nor several were given whole.
        """
        return self._portal.wait(
            self._async.encrypt_secrets,
            body,
            source_path=source_path,
            secret_name=secret_name,
            plaintext=plaintext,
            secrets=secrets,
            organization_id=organization_id,
        ).result()

    def decrypt_secrets(
        self,
        body: Mapping[str, Any] | None = None,
        *,
        execution_id: str | None = None,
        source_path: str | None = None,
        source_commit: str | None = None,
        secret_name: str | None = None,
        encrypted: EncryptedSecret | Mapping[str, str] | None = None,
        secrets: Sequence[Mapping[str, Any]] | None = None,
        organization_id: str | None = None,
    ) -> DecryptedSecrets:
        """Open one sealed secret, or several. The texts are kept out of reprs and logs; `reveal()` gives them.

        Args:
            body: The request as one mapping with wire names; the arguments below go on top of it.
            execution_id: Id of the run that uses the secret; needed for one secret, and checked against its lockfile.
            source_path: Where the secret is used.
            source_commit: Commit that it is used at.
            secret_name: Its name.
            encrypted: The sealed secret.
            secrets: Several secrets, each with `sourcePath`, `secretName` and `encrypted`.
            organization_id: Organisation that sealed them; that of the key unless given.

        Raises:
            EigenpalValidationError: One secret without a run.
            EigenpalForbiddenError: The secret belongs to another organisation or is not used by the run.
        """
        return self._portal.wait(
            self._async.decrypt_secrets,
            body,
            execution_id=execution_id,
            source_path=source_path,
            source_commit=source_commit,
            secret_name=secret_name,
            encrypted=encrypted,
            secrets=secrets,
            organization_id=organization_id,
        ).result()
