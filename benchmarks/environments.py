"""Virtual environments that the benchmarks make for themselves: the official packages, and ours without any extra.

They lie under .nox/ and are kept; delete the folder to have them made anew. The official packages run in there in
processes of their own, and are imported nowhere else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".nox" / "measured"
CURRENT, SAME_GENERATION = "0.20.93", "0.7.2"  # the newest, and the one that speaks the same generation of the API
# What both need, without their floors: the newest asks for a certifi younger than some indexes have. What is then unmet
# is said beside the results.
NEEDED = ("httpx<0.30", "anyio", "attrs", "python-dateutil", "typing-extensions", "certifi")

_SIDES = Path(__file__).parent / "official_side.py"


def official(version: str, *arguments: str) -> list[str]:
    """Return the command that runs one side of a comparison with an official package."""
    return [_official_python(version), str(_SIDES), *arguments]


def official_code(version: str, code: str) -> list[str]:
    """Return the command that runs a program with an official package."""
    # Isolated: the working folder may well be this checkout, whose package has the same name.
    return [_official_python(version), "-I", "-c", code]


def ours(*arguments: str) -> list[str]:
    """Return the command for our side as `pip install "eigenpal[aiohttp]"` gives it."""
    return [*ours_code(_RUN), *arguments]


def ours_plain(*arguments: str) -> list[str]:
    """Return the command for our side as `pip install eigenpal` gives it: no extras."""
    return [*ours_plain_code(_RUN), *arguments]


def ours_code(code: str) -> list[str]:
    """Return the command that runs a program with our package and aiohttp."""
    return [_our_python("with-aiohttp", "aiohttp"), "-c", _HERE + code]


def ours_plain_code(code: str) -> list[str]:
    """Return the command that runs a program with our package and no extras."""
    return [_our_python("plain"), "-c", _HERE + code]


_HERE = f"import sys; sys.path[:1] = [{str(ROOT)!r}]\n"
_RUN = "from benchmarks.our_side import main; main()"


def _official_python(version: str) -> str:
    return str(_made(f"official-{version}", [f"eigenpal=={version}"], NEEDED))


def _our_python(name: str, *extras: str) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [requirement for extra in extras for requirement in project["optional-dependencies"][extra]]
    return str(_made(name, [], (*project["dependencies"], *needed)))


def shortcomings() -> list[str]:
    """Say what an official package asks for and did not get."""
    checks = (_pip(HOME / f"official-{version}", "check", strict=False) for version in (CURRENT, SAME_GENERATION))
    return [line for lines in checks for line in lines if line.startswith("eigenpal ")]


def _made(name: str, bare: list[str], needed: tuple[str, ...]) -> Path:
    """Return the interpreter of an environment, made on first use; `bare` is installed without what it asks for."""
    home, done = HOME / name, HOME / name / "complete"
    wanted = "\n".join([sys.version, *bare, *needed])
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        print(f"making {home.relative_to(ROOT)} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        if bare:
            _pip(home, "install", "--quiet", "--no-deps", *bare)
        _pip(home, "install", "--quiet", *needed)
        done.write_text(wanted, encoding="utf-8")
    return _python(home)


def _pip(home: Path, *arguments: str, strict: bool = True) -> list[str]:
    command = [str(_python(home)), "-m", "pip", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if strict and ran.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ran.stderr}")
    return ran.stdout.splitlines()


def _python(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
