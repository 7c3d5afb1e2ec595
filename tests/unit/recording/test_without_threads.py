"""No more threads are allowed: the user's work goes on, and what was not recorded is said."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from profiler.machine.diagnosis import diagnose
from profiler.meters import OpenedMeters
from profiler.meters.synthetic import SyntheticMeter
from profiler.recording.recording import Recording


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_recording_goes_on_and_says_what_it_lacks(tmp_path: Path) -> None:
    meter = SyntheticMeter()
    worked = False
    with (
        Recording([(meter, meter.open())], journal=tmp_path / "journal") as recording,
        recording.window("work"),
    ):
        worked = True
    assert worked
    energy = recording["work"]
    assert energy.energy_j is None
    kinds = {finding.kind: finding for finding in energy.findings}
    assert "synthetic" in kinds["not-recorded"].observed
    assert "journal-ended" in kinds


def test_doctor_watches_one_meter_after_the_other() -> None:
    meter = SyntheticMeter(update_period_s=1e-3)
    report = diagnose(0.1, opened=OpenedMeters([(meter, meter.open())], ()))
    assert len(report.sensors) == 1
