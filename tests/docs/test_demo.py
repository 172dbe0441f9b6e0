"""The demo of several services, run as `nox -s demo -- --services` runs it."""

from __future__ import annotations

import runpy
import sys

import pytest

from tests.docs.pages import ROOT


def test_the_demo_of_the_services_does_one_job_on_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = ROOT / "examples" / "demo.py"
    monkeypatch.setattr(sys, "argv", [str(demo), "--services"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(demo), run_name="__main__")
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert "Pay invoice (payment.create)" in shown
    rows = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines() if line.startswith("│ ")]
    jobs = {row[1]: row for row in rows if row[1]}
    assert list(jobs) == ["EigenPal", "ArchAstro", "epilot"]
    assert [row[3] for row in jobs.values()] == ["completed"] * 3
    assert [row[5] for row in jobs.values()] == [
        "number: ACME-2026-0042",
        "paid_before: False",
        "response: The invoice is paid.",
    ]
    assert jobs["epilot"][6] == "total_tokens: 890"
