"""The organisation's repository: commits of packages, made from changes of files. There is no Git behind it.

Everything that writes source comes through here, so what a package may hold is decided once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eigenpal.sandbox.blobs import BlobFolder
from eigenpal.sandbox.context import guess_type
from eigenpal.sandbox.grammar import release_of, safe_path
from eigenpal.sandbox.ids import IdSource
from eigenpal.sandbox.source_store import Commit, CommitFile, SourceStore

MAIN = "main"  # the only branch
MAX_FILE_BYTES = 5 * 1024 * 1024  # of one source file: prompts and manifests are far smaller
MAX_FILES = 1000  # of one package
MAX_PATH = 500  # characters


class Refused(ValueError):
    """A change that a package can't take.

    Attributes:
        path: The file it is about, empty for the whole of it.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.path = path


@dataclass(frozen=True, slots=True)
class Content:
    """The new content of a file; without a media type, the name suggests one."""

    data: bytes
    content_type: str | None = None


Changes = Mapping[str, Content | None]
"""New content by path; None deletes the file."""


class Repository:
    """Source packages, each with its own history.

    Args:
        store: Where commits are kept.
        blobs: Where the bytes of their files are.
        ids: Source of new ids.
        now: Returns the present moment in milliseconds since 1970.
    """

    def __init__(self, store: SourceStore, blobs: BlobFolder, ids: IdSource, now: Callable[[], int]) -> None:
        self._store = store
        self._blobs = blobs
        self._ids = ids
        self._now = now

    def check(self, changes: Changes) -> None:
        """Refuse changes that no package could take.

        Raises:
            Refused: A path leads out of the package, a file is too large, or there are too many.
        """
        if len(changes) > MAX_FILES:
            raise Refused(f"A package holds at most {MAX_FILES} files.")
        for path, content in changes.items():
            if not safe_path(path) or len(path) > MAX_PATH or ".git" in path.split("/") or not _encodable(path):
                advice = f"give a relative path of at most {MAX_PATH} characters without '..' and '.git'"
                raise Refused(f"{path!r} can't be the path of a source file: {advice}.", path)
            if content is not None and len(content.data) > MAX_FILE_BYTES:
                raise Refused(f"{path!r} has more than {MAX_FILE_BYTES} bytes.", path)

    def commit(
        self,
        tenant: str,
        package: str,
        changes: Changes,
        *,
        version: str | None = None,
        notes: str | None = None,
        author: Mapping[str, object] | None = None,
    ) -> Commit:
        """Add a commit on top of a package's newest one; all of it or nothing. May take as long as the disk does.

        Args:
            tenant: Whose package.
            package: Its path, such as `agents/mail-sorter`.
            changes: What changes; files that are not named stay as they are.
            version: Three numbers make the commit a release.
            notes: Release notes.
            author: Profile of who commits.

        Raises:
            Refused: The changes can't be taken, or the version is taken.
        """
        self.check(changes)
        if version is not None and release_of(version) is None:
            raise Refused(f"{version!r} can't be a version: use three numbers, as in 1.0.0.")
        written = {path: self._write(path, content) for path, content in changes.items() if content is not None}
        try:
            with self._store.database.transaction():
                history = self._store.commits(tenant, package)
                if version is not None and version in {commit.version for commit in history}:
                    raise Refused(f"The package {package} has a release {version} already.")
                files = {file.path: file for file in (self._store.files(history[0].number) if history else ())}
                for path in changes:
                    if path not in written and files.pop(path, None) is None:
                        raise Refused(f"{package} has no file {path!r} to delete.", path)
                files.update(written)
                _check_tree(files)
                now = self._now()
                described = [history[0].sha if history else None, tenant, package, version, notes, now]
                sha = _sha(described, sorted((file.path, file.digest) for file in files.values()))
                commit = Commit(0, tenant, package, sha, version, notes, json.dumps(author) if author else None, now)
                return self._store.add(commit, [files[path] for path in sorted(files)])
        except BaseException:
            for file in written.values():
                self._blobs.delete(file.blob)
            raise

    def _write(self, path: str, content: Content) -> CommitFile:
        writer = self._blobs.writer(self._ids.new("blob"))
        try:
            writer.write(content.data)
            blob = writer.finish()
        except BaseException:
            writer.discard()
            raise
        return CommitFile(path, content.content_type or guess_type(path), blob.size, blob.digest, blob.name)


def _check_tree(files: Mapping[str, CommitFile]) -> None:
    if len(files) > MAX_FILES:
        raise Refused(f"A package holds at most {MAX_FILES} files.")
    for path in files:
        parts = path.split("/")
        for length in range(1, len(parts)):
            if "/".join(parts[:length]) in files:
                raise Refused(f"{path!r} would lie in a file as if that were a folder.", path)


def _sha(*parts: Sequence[object]) -> str:
    return hashlib.sha1(json.dumps(parts).encode(), usedforsecurity=False).hexdigest()


def _encodable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
