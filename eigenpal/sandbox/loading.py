"""Python files that define workflows and agents: loading them, and loading them again once they have changed.

All or nothing: a file that can't be loaded leaves everything as it was. Runs in flight keep their functions.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import invalidate_caches
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Final, TypeAlias

from eigenpal.sandbox.defining import Defining, Definition

Replace: TypeAlias = Callable[[str, Iterable[Definition]], None]
_Stamp: TypeAlias = tuple[int, int, int] | None

_collected: ContextVar[list[Definition] | None] = ContextVar(
    "definitions of the files that are being loaded", default=None
)
# What is installed is neither watched nor loaded again, even where the environment lies beside the file.
_INSTALLED = tuple(
    {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


class WorkflowFileError(Exception):
    """A file of workflows can't be loaded; the text has the reason and the lines of the file that led to it."""


class _Decorators(Defining):
    """`workflow` and `agent` of this module: they define for the sandbox that loads the file, else nothing."""

    def define(self, definition: Definition) -> None:
        collected = _collected.get()
        if collected is None:
            return  # imported by a program of the user's, such as the unit tests of the functions
        what = (definition.kind, definition.slug, definition.version)
        if any((known.kind, known.slug, known.version) == what for known in collected):
            raise ValueError(f"The {definition.kind} {definition.slug!r} {definition.version} is defined twice.")
        collected.append(definition)


workflow: Final = _Decorators().workflow
agent: Final = _Decorators().agent


class LoadedFiles:
    """Files that a sandbox has loaded, and the modules beside them that they import.

    Args:
        paths: The files.
        replace: Puts what they define in place of what they defined before.
    """

    def __init__(self, paths: Sequence[Path], replace: Replace) -> None:
        self._paths = [path.resolve() for path in paths]
        self._replace = replace
        self._modules: set[str] = set()
        self._watched: set[Path] = set(self._paths)
        self._targets: tuple[str, ...] = ()
        self._loaded = self._last_seen = self._stamps()

    @property
    def targets(self) -> Sequence[str]:
        """Targets of what the files define, such as `workflows.greet`, in the order of the files."""
        return self._targets

    def changed(self) -> bool:
        """Tell whether a file is another one than at the last loading, and has been so since the last call.

        So a file that an editor has only half written is not loaded.
        """
        before, self._last_seen = self._last_seen, self._stamps()
        return self._last_seen == before != self._loaded

    def load(self) -> None:
        """Load the files, and put what they define in place of what they defined before.

        Raises:
            WorkflowFileError: One of them can't be loaded; nothing has changed.
        """
        self._loaded = self._last_seen = self._stamps()
        definitions: list[Definition] = []
        known = {name: sys.modules.pop(name) for name in self._modules if name in sys.modules}
        others = set(sys.modules)
        token = _collected.set(definitions)
        try:
            with _without_bytecode():
                for path in self._paths:
                    self._execute(path)
        except BaseException:
            for name in self._own_modules(others):
                del sys.modules[name]
            sys.modules.update(known)
            raise
        finally:
            _collected.reset(token)
        self._modules = self._own_modules(others)
        self._watch(sys.modules[name].__file__ for name in self._modules)
        self._replace("\n".join(map(str, self._paths)), definitions)
        self._targets = tuple(dict.fromkeys(f"{each.kind}s.{each.slug}" for each in definitions))

    def _execute(self, path: Path) -> None:
        folder = str(path.parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)  # stays there, for imports inside functions
        name = f"_loaded_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        loader = _FreshLoader(name, str(path))
        spec = spec_from_file_location(name, path, loader=loader)
        assert spec is not None  # it is None only without a loader
        module = sys.modules[name] = module_from_spec(spec)
        try:
            loader.exec_module(module)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # SystemExit included: a file that exits must not end the server
            self._watch(_files_behind(error))
            raise WorkflowFileError(_report(path, error)) from error

    def _own_modules(self, others: set[str]) -> set[str]:
        return {
            name
            for name, module in sys.modules.items()
            if name not in others and self._is_own(getattr(module, "__file__", None))
        }

    def _watch(self, files: Iterable[str | None]) -> None:
        new = {Path(file).resolve() for file in files if file is not None and self._is_own(file)} - self._watched
        self._watched |= new
        stamps = {path: _stamp(path) for path in new}
        self._loaded = {**self._loaded, **stamps}
        self._last_seen = {**self._last_seen, **stamps}

    def _is_own(self, file: str | None) -> bool:
        path = Path(file or "/").resolve()
        beside = any(path.is_relative_to(loaded.parent) for loaded in self._paths)
        return beside and not any(path.is_relative_to(folder) for folder in _INSTALLED)

    def _stamps(self) -> dict[Path, _Stamp]:
        return {path: _stamp(path) for path in self._watched}

    def __repr__(self) -> str:
        return f"<LoadedFiles {', '.join(path.name for path in self._paths)}: {', '.join(self._targets) or 'nothing'}>"


class _FreshLoader(SourceFileLoader):
    """Compiles the file as it is now; the bytecode cache tells two versions of one second and size not apart."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


@contextmanager
def _without_bytecode() -> Generator[None]:
    """Let imports write no bytecode, for the same reason."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    invalidate_caches()  # a module may have been added a moment ago
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _files_behind(error: BaseException) -> list[str | None]:
    """Return the files that an error came through: mending one of them is a reason to load again."""
    files: list[str | None] = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return [*files, error.filename] if isinstance(error, SyntaxError) else files


def _report(path: Path, error: BaseException) -> str:
    """Return what is wrong, without the frames of this file and of Python's import system."""
    if isinstance(error, OSError) and error.filename == str(path):
        return f"{path} can't be read: {error.strerror}."
    shown = traceback.TracebackException.from_exception(error)
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if not _is_machinery(frame.filename)]
    )
    return f"{path} can't be loaded:\n{''.join(shown.format()).rstrip()}"


def _is_machinery(file: str) -> bool:
    return file.startswith("<frozen importlib") or Path(file).parent == Path(__file__).parent
