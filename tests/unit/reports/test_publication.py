"""A published study can be read as the study it was; what is too large is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.errors import StoreError
from profiler.store import save_run
from reports.cli import main
from reports.publication import publish
from reports.studies.cell import Cell, CellEnd, CellKind, CellState, digests
from reports.studies.study_folder import (
    StudyDocument,
    cell_folder,
    read_study,
    write_end,
    write_study,
)
from tests.sample import sample_profile

MEASURE = Cell(name="measure", kind=CellKind.MEASURE, models=("resnet18",), device="cpu")
TRAIN = Cell(name="train", kind=CellKind.TRAIN, models=("lightweight",), device="cpu")


class Verified:
    holds = True


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("reports.publication.verify", lambda profile: Verified)
    folder = tmp_path / "study"
    cells = (MEASURE, TRAIN)
    document = StudyDocument(id="s", title="S", created_utc="", version="", cells=cells)
    write_study(folder, document)
    for cell in cells:
        code = digests(cells)[cell.name]
        end = CellEnd(
            code=code, state=CellState.FINISHED, command=(), started_utc="", duration_s=1.0,
            device="cpu", engine="local",
        )  # fmt: skip
        write_end(cell_folder(folder, cell, code), end)
    save_run(sample_profile(), cell_folder(folder, MEASURE, digests(cells)["measure"]) / "runs")
    training = cell_folder(folder, TRAIN, digests(cells)["train"]) / "training"
    training.mkdir()
    (training / "best.safetensors").write_bytes(bytes(500_000))
    (training / "recipe.json").write_text("{}")
    (training / "journal-0.jsonl").write_text("raw")
    (folder / "report.md").write_text("# S")
    return folder


def test_what_is_published_is_the_study_with_its_runs_and_no_large_file(study, tmp_path, capsys):
    target = tmp_path / "results" / "cpu"
    assert main(["publish", str(study), str(target), "--most-mb", "0.1"]) == 0
    shown = capsys.readouterr().out
    assert "1 runs were verified" in shown
    assert "best.safetensors, 5" in shown
    published = read_study(target)
    assert [run.name for _, run in published.runs_of(MEASURE)] == [sample_profile().name]
    names = {path.name for path in target.rglob("*") if path.is_file()}
    assert {"study.json", "report.md", "recipe.json", "end.json", "profile.json"} <= names
    assert not names & {"best.safetensors", "journal-0.jsonl", ".lock"}
    assert max(p.stat().st_size for p in target.rglob("*") if p.is_file()) <= 100_000


def test_a_run_whose_joules_do_not_follow_is_not_published(study, tmp_path, monkeypatch):
    class Refuted:
        holds = False

    monkeypatch.setattr("reports.publication.verify", lambda profile: Refuted)
    with pytest.raises(StoreError, match="do not follow from its readings"):
        publish(read_study(study), tmp_path / "out", most_bytes=10**6)
    assert not (tmp_path / "out").exists()


def test_nothing_is_replaced(study, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    assert main(["publish", str(study), str(tmp_path / "out")]) == 1
    assert "exists already" in capsys.readouterr().err
