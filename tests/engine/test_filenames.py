"""Names a server gives: whatever they are, one component stays, that every file system takes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path, PurePosixPath, PureWindowsPath

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from eigenpal.engine.filenames import safe_name, shortened


@pytest.mark.parametrize(
    ("given_path", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("output/report.pdf", "report.pdf"),
        ("output\\report.pdf", "report.pdf"),
        ("output/", "output"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "download"),
        ("", "download"),
        (".", "download"),
        ("a/..", "download"),
        ("a/...", "download"),
        (" . ", "download"),
        ("C:\\windows\\a.txt", "a.txt"),
        ("C:a.txt", "C_a.txt"),
        ("a.txt:hidden", "a.txt_hidden"),
        ('<a>|"b"?*', "_a___b___"),
        ("a\x00b\nc\x7f.txt", "a_b_c_.txt"),
        ("a\u2028b", "a_b"),
        ("exe\u202egpj.exe", "exe_gpj.exe"),
        ("report.pdf. .", "report.pdf"),
        (" report.pdf", "report.pdf"),
        (".bashrc", "_bashrc"),
        ("..bashrc", "_.bashrc"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("Lpt1.tar.gz", "_Lpt1.tar.gz"),
        ("nul .txt", "_nul .txt"),
        ("COM\u00b9", "_COM\u00b9"),
        ("console.txt", "console.txt"),
        ("com10", "com10"),
        ("\ud800a", "_a"),
        ("Übersicht 2026 final.pdf", "Übersicht 2026 final.pdf"),
        ("家計簿👩‍👩‍👧.xlsx", "家計簿👩‍👩‍👧.xlsx"),
        ("%2e%2e%2fa", "%2e%2e%2fa"),
    ],
)
def test_a_name_is_made_safe(given_path: str, name: str) -> None:
    assert safe_name(given_path) == name


def test_a_long_name_keeps_its_extension_and_differs_from_others_cut_alike() -> None:
    names = [safe_name(f"output/{'ü' * 200}{ending}.pdf") for ending in ("a", "b")]
    assert all(len(name.encode()) <= 255 and name.endswith(".pdf") for name in names)
    assert len(set(names)) == 2


def test_what_is_too_long_for_an_extension_is_none() -> None:
    assert len(safe_name("a." + "b" * 300).encode()) == 255


@given(st.text(min_size=1), st.integers(64, 255))
def test_a_shortened_name_fits(name: str, most_bytes: int) -> None:
    assert len(shortened(name, most_bytes).encode("utf-8", "surrogatepass")) <= most_bytes


segments = st.one_of(
    st.text(),
    st.text(alphabet="./\\: \x00a~CON"),
    st.sampled_from(["..", ".", "CON", "nul.txt", "a" * 300 + ".pdf", "\ud83d\ude00" * 80, "x" * 246 + " .pdf"]),
)


@given(st.lists(segments, max_size=4).map("/".join))
@example("a" * 250 + "." * 10)
@example("CON" + " " * 300 + ".txt")
@example("." + "a" * 254)
def test_any_name_becomes_one_component_that_stays_inside_its_folder(path: str) -> None:
    name = safe_name(path)
    assert 1 <= len(name.encode()) <= 255
    assert name.isprintable() or all(ord(character) > 0x7F for character in name if not character.isprintable())
    assert name not in {".", ".."}
    assert not name.startswith(".")
    assert not name.endswith((" ", "."))
    for kind in (PurePosixPath, PureWindowsPath):
        assert kind(name).parts == (name,)
        assert (kind("folder") / name).parent == kind("folder")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.13 has another, which 3.11 lacks
        assert not PureWindowsPath(name).is_reserved()
    assert os.path.commonpath([Path("/folder"), os.path.normpath(Path("/folder", name))]) == os.path.normpath("/folder")
    assert safe_name(name) == name
