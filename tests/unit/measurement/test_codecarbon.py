"""CodeCarbon's tracker beside `measure`: over the span of the protocol, and only when asked."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from profiler.machine.codecarbon_tracker import CodeCarbonTracker
from profiler.measurement import conduct
from profiler.measurement import model as measuring
from profiler.meters.synthetic import SyntheticMeter
from profiler.store import load, save
from profiler.values.profile import Profile
from tests.virtual.codecarbon import stand_in


def measured(**how: object) -> Profile:
    meter = SyntheticMeter(((1.0, 100.0),), update_period_s=0.01, device="cpu:package-0")
    return measuring.measure(
        torch.nn.Linear(4, 4), torch.zeros(2, 4), device="cpu", max_seconds=0.5,
        meters=[(meter, meter.open())], **how,
    )  # type: ignore[arg-type]  # fmt: skip  # options by name


def test_both_accounts_of_the_same_span_stand_in_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = partial(CodeCarbonTracker, script=stand_in(tmp_path, 100.0))
    monkeypatch.setattr(conduct, "CodeCarbonTracker", tracker)
    profile = measured(codecarbon=True)
    opinion = profile.codecarbon
    assert opinion is not None
    cpu, ram = opinion.parts
    assert cpu.ratio is not None
    # The truth is 100 W on both sides, over one span; its edges are known to a few moves.
    assert cpu.ratio.point == pytest.approx(1.0, abs=0.1)
    assert ram.ratio is None
    assert "codecarbon-differs" not in {finding.kind for finding in profile.findings}
    assert load(save(profile, tmp_path / "run")).codecarbon == opinion


def test_a_disagreement_is_among_the_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = partial(CodeCarbonTracker, script=stand_in(tmp_path, 1000.0))
    monkeypatch.setattr(conduct, "CodeCarbonTracker", tracker)
    profile = measured(codecarbon=True)
    assert profile.codecarbon is not None
    assert profile.codecarbon.ratio is not None
    assert profile.codecarbon.ratio.point == pytest.approx(10.0, rel=0.1)
    (finding,) = (item for item in profile.findings if item.kind == "codecarbon-differs")
    assert "puts cpu at" in finding.observed


def test_unasked_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    profile = measured()
    assert profile.codecarbon is None
    assert not [item for item in profile.findings if item.kind.startswith("codecarbon")]
