"""Writes the blocking twin of the async SDK: `python -m eigenpal_sync._generate`, with `--check` only to compare.

Here: which files there are, formatting, writing and comparing. What is written is up to _generate_module.py.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from eigenpal_sync._generate_module import MARK, blocking_module, blocking_package
from eigenpal_sync._generate_source import ASYNC_PACKAGE, BLOCKING_PACKAGE, NotGeneratableError, Source

# Where public async classes live. A file without any has no twin; a package with such files has one.
SOURCES = (
    "eigenpal/client.py",
    "eigenpal/services.py",
    "eigenpal/resources/*.py",
    "eigenpal/archastro/*.py",
    "eigenpal/archastro/resources/*.py",
    "eigenpal/epilot/*.py",
    "eigenpal/epilot/resources/*.py",
)

# Said here, not read from pyproject.toml, so that the code depends on its source alone.
STYLE = ("--isolated", "--line-length", "120", "--target-version", "py311")
FIRST_PARTY = f"lint.isort.known-first-party = ['{ASYNC_PACKAGE}', '{BLOCKING_PACKAGE}']"


def generated(root: Path) -> Mapping[Path, str]:
    """Return the twin's files, relative to the root, with their code as it belongs in them.

    Raises:
        NotGeneratableError: The async source has something there is no rule for.
    """
    sources = [Source.read(root, path.relative_to(root)) for pattern in SOURCES for path in sorted(root.glob(pattern))]
    modules = [source for source in sources if source.path.name != "__init__.py" and source.classes]
    known = {(source.module, node.name) for source in modules for node in source.classes}
    code = {_twin_path(source.path): blocking_module(source, known) for source in modules}
    for folder in sorted({source.path.parent for source in modules}):
        package = Source.read(root, folder / "__init__.py")
        code[_twin_path(package.path)] = blocking_package(package, known)
    return _formatted(code)


def write(root: Path) -> list[str]:
    """Bring the twin's files up to date and return what was done, one line a file."""
    done: list[str] = []
    wanted = generated(root)
    for path, code in wanted.items():
        target = root / path
        if not target.exists() or target.read_text(encoding="utf-8") != code:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(code, encoding="utf-8")
            done.append(f"wrote {path}")
    for path in _stale(root, wanted):
        (root / path).unlink()
        done.append(f"removed {path}")
    return done


def drift(root: Path) -> list[str]:
    """Return how the twin's files differ from what they should be, as lines of a diff."""
    lines: list[str] = []
    wanted = generated(root)
    for path, code in wanted.items():
        target = root / path
        found = target.read_text(encoding="utf-8").splitlines() if target.exists() else []
        lines += difflib.unified_diff(
            found, code.splitlines(), f"{path} as it is", f"{path} as it should be", "", "", 1, ""
        )
    lines += [f"{path} should not exist: its async source is gone" for path in _stale(root, wanted)]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 1: `--check` found a difference; 2: the source can't be generated from."""
    parser = argparse.ArgumentParser(prog="python -m eigenpal_sync._generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is not up to date")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="folder with both packages")
    options = parser.parse_args(arguments)
    try:
        lines = drift(options.root) if options.check else write(options.root)
    except NotGeneratableError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    if options.check and lines:
        sys.stderr.write("the blocking twin is not up to date: run python -m eigenpal_sync._generate\n")
        return 1
    return 0


def _twin_path(path: Path) -> Path:
    return Path(BLOCKING_PACKAGE, *path.parts[1:])


def _stale(root: Path, wanted: Mapping[Path, str]) -> list[Path]:
    """Return the generated files that nothing asks for any more."""
    files = (path for path in sorted((root / BLOCKING_PACKAGE).rglob("*.py")) if path.relative_to(root) not in wanted)
    return [path.relative_to(root) for path in files if path.read_text(encoding="utf-8").startswith(MARK)]


def _formatted(code: Mapping[Path, str]) -> Mapping[Path, str]:
    """Sort imports and format as everything in this project is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in code.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        for command in (("check", "--select", "I", "--fix", "--config", FIRST_PARTY), ("format",)):
            run = subprocess.run(  # noqa: S603 - our own interpreter, no shell
                [sys.executable, "-m", "ruff", *command, "--quiet", "--no-cache", *STYLE, "."],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                raise NotGeneratableError(f"ruff can't format the generated code: {run.stdout}{run.stderr}".rstrip())
        return {path: (folder / path).read_text(encoding="utf-8") for path in code}


if __name__ == "__main__":
    sys.exit(main())
