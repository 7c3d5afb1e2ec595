"""`reports study` with an engine that stands in for processes: it leaves what a command would."""

from __future__ import annotations

import fcntl
import json
from dataclasses import replace
from pathlib import Path

import pytest

from profiler.store import save_run
from profiler.values.codec import encode
from profiler.values.estimate import Basis, stated
from profiler.values.findings import CONTENDED, Finding
from reports import engines
from reports.cli import main
from reports.engines import EngineJob, JobEnd
from reports.material import gather
from reports.studies.results import networks_of_study
from reports.studies.study_folder import read_study
from tests.sample import resnet18, sample_profile

PLAN = """
id = "small"
title = "A small study"
paper = "lightweight-vs-resnet18"
[[grid]]
id = "stats"
kind = "stats"
models = ["lightweight", "nosuch"]
[[grid]]
id = "train"
kind = "train"
models = ["lightweight"]
devices = ["cpu"]
[[grid]]
id = "evaluate"
kind = "evaluate"
models = ["lightweight+int8"]
devices = ["cpu"]
weights = "train"
[[grid]]
id = "measure"
kind = "measure"
models = ["lightweight", "resnet18"]
devices = ["cpu"]
in_turns = true
"""


class FakeEngine:
    """Ends each job at once, leaving what its command would; `failing` names fail."""

    run: list[str]
    failing: set[str]
    pressed: bool
    findings: tuple[Finding, ...] = ()

    def __init__(self) -> None:
        self.run, self.failing, self.pressed, self._ends = [], set(), False, []
        self.closed = 0

    def submit(self, job: EngineJob) -> None:
        self.run.append(job.name)
        is_failing = any(name in job.name for name in self.failing)
        if is_failing:
            (job.folder / "log.txt").write_text("error: there is no model 'nosuch'\nhint: look\n")
        else:
            self._leave(job)
        self._ends.append(
            JobEnd(
                name=job.name,
                exit_code=1 if is_failing else 0,
                started_utc="2026-11-30T12:00:00Z",
                duration_s=3.0,
            )
        )

    def _leave(self, job: EngineJob) -> None:
        (job.folder / "log.txt").write_text("")
        if job.name.startswith("measure"):
            for profile in (sample_profile(cpu=True), resnet18()):
                profile = replace(profile, findings=(*profile.findings, *self.findings))
                save_run(profile, job.folder / "runs")
        top1 = stated(0.9, "", Basis.MEASURED, "test")
        (job.folder / "output.txt").write_text(
            json.dumps({"top1": encode(top1), "data": "digits: test"})
        )

    def wait(self, timeout_s: float) -> tuple[JobEnd, ...]:
        if self.pressed and len(self.run) > 2:
            raise KeyboardInterrupt
        found, self._ends = tuple(self._ends[:1]), self._ends[1:]
        return found

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    made = FakeEngine()
    made.failing = {"nosuch"}
    monkeypatch.setitem(engines.ENGINES, "local", lambda devices, address: made)
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(PLAN)
    return made


def test_a_failed_cell_is_a_row_and_only_what_is_not_finished_is_run_again(fake, capsys):
    assert main(["study", "small.toml"]) == 1
    shown = capsys.readouterr()
    assert "1 of 5 cells failed" in shown.err
    assert "there is no model 'nosuch' (look)" in shown.out
    assert "Beside the study" in shown.out
    assert Path("studies/small/report.html").is_file()
    study = read_study(Path("studies/small"))
    assert len(study.ends) == 5
    assert {end.state for end in study.ends.values()} == {"finished", "failed"}
    fake.run.clear()
    fake.failing = set()
    assert main(["study", "small.toml"]) == 0
    assert fake.run == ["stats-nosuch"]
    assert fake.closed == 2


def test_what_takes_the_weights_of_a_failed_training_fails_with_that_reason(fake, capsys):
    fake.failing = {"train"}
    assert main(["study", "small.toml", "--only", "evaluate*"]) == 1
    study = read_study(Path("studies/small"))
    assert study.ends["evaluate-lightweight+int8-cpu-s0"].reason == (
        "needs the weights of train-lightweight-cpu-s0, which failed"
    )
    assert fake.run == ["train-lightweight-cpu-s0"]


def test_networks_bring_accuracy_and_joules_together(fake):
    main(["study", "small.toml", "--quiet"])
    networks = {each.model: each for each in networks_of_study(read_study(Path("studies/small")))}
    assert networks["lightweight+int8"].accuracy.point == 0.9
    assert networks["lightweight+int8"].accuracy_data == "digits: test"
    assert [p.name for p in networks["resnet18"].profiles] == ["resnet18"]
    assert len(networks["lightweight"].profiles) == 1


def test_its_report_names_the_stored_runs_and_what_the_same_joules_emit_elsewhere(fake, capsys):
    main(["study", "small.toml", "--quiet"])
    capsys.readouterr()
    report = Path("studies/small/report.md").read_text()
    stored = [path.parent.name for path in Path("studies").rglob("profile.json")]
    assert len(stored) == 2
    assert all(name in report for name in stored)
    assert "Carbon by country" in report
    assert "SWE (" in report
    assert main(["build", "studies/small", "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert {row.partition(",")[0] for row in rows[1:]} == set(stored)


def test_what_other_work_disturbed_is_measured_again_when_asked(fake, capsys):
    fake.findings = (Finding(kind=CONTENDED, observed="busy", remedy=""),)
    main(["study", "small.toml"])
    again = "python -m reports study small.toml --again"
    assert f"`{again}` measures them again" in capsys.readouterr().err
    fake.run.clear()
    fake.failing, fake.findings = set(), ()
    assert main(["study", "small.toml", "--again"]) == 0
    assert fake.run == ["stats-nosuch", "measure-cpu-s0"]
    assert "--again" not in capsys.readouterr().err


def test_a_report_tells_no_training_of_an_older_plan(fake):
    main(["study", "small.toml", "--quiet", "--only", "train*"])
    folder = Path("studies/small/cells/train-lightweight-cpu-s0-older/training")
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    assert gather(["studies/small"]).trained == ()


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(fake, capsys):
    fake.pressed = True
    assert main(["study", "small.toml", "--epochs", "2"]) == 130
    told = capsys.readouterr().err.splitlines()[-1]
    assert "go on with `python -m reports study small.toml --epochs 2`" in told
    assert fake.closed == 1
    fake.pressed = False
    done = set(read_study(Path("studies/small")).ends)
    fake.run.clear()
    main(["study", "small.toml", "--epochs", "2"])
    finished = {name for name in done if "nosuch" not in name}
    assert not finished & set(fake.run)


def test_no_cell_begins_that_the_minutes_may_not_suffice_for(fake, capsys):
    fake.failing = set()
    assert main(["study", "small.toml", "--minutes", "0.5"]) == 0
    shown = capsys.readouterr()
    assert "1 of 5 cells were not begun; go on with" in shown.err
    assert "may take 54 s" in " ".join(shown.out.split())
    study = read_study(Path("studies/small"))
    assert study.ends["measure-cpu-s0"].state == "not begun"
    assert main(["study", "small.toml", "--minutes", "2"]) == 0
    assert fake.run[-1] == "measure-cpu-s0"


def test_a_dry_run_prints_cells_and_time_and_runs_nothing(fake, capsys):
    assert main(["study", "small.toml", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "measure-cpu-s0" in shown
    assert "about 54 s" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert fake.run == []
    assert not Path("studies").exists()
    main(["study", "small.toml", "--dry-run", "--json"])
    listed = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["is_finished"] for cell in listed] == [False] * 5


def test_what_measure_left_before_it_was_killed_is_not_taken_twice(fake):
    main(["study", "small.toml", "--quiet"])
    study = read_study(Path("studies/small"))
    cell = next(cell for cell in study.document.cells if cell.kind == "measure")
    (study.folder_of(cell) / "end.json").unlink()
    main(["study", "small.toml", "--quiet"])
    assert len(read_study(Path("studies/small")).runs_of(cell)) == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nothing"], 1, "unknown study 'nothing'"),
        (["missing.toml"], 1, "missing.toml cannot be read"),
        (["quick", "--out", "studies/small"], 2, "holds the study 'small', not 'quick'"),
        (["quick", "--out", "other"], 2, "there is something in 'other' already"),
        (["small.toml", "--address", "auto"], 2, "--address is that of a Ray cluster"),
        (["small.toml", "--max-seconds", "0"], 2, "--max-seconds 0 is not possible"),
        (["small.toml", "--minutes", "-1"], 2, "--minutes -1 is not possible"),
        (["small.toml", "--engine", "rays"], 2, "invalid choice: 'rays'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_a_hint(fake, capsys, words, code, message):
    Path("other").mkdir()
    Path("other/file").touch()
    main(["study", "small.toml", "--quiet"])
    capsys.readouterr()
    assert main(["study", *words]) == code
    shown = capsys.readouterr().err
    assert message in shown
    assert "hint: " in shown or code == 1


def test_a_study_that_another_process_works_on_is_refused(fake, capsys):
    folder = Path("studies/small")
    folder.mkdir(parents=True)
    with (folder / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert main(["study", "small.toml"]) == 1
    assert "another process works on the study" in capsys.readouterr().err
    assert fake.run == []


def test_without_ray_the_engine_says_how_to_install_it(fake, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["study", "small.toml", "--engine", "ray"]) == 2
    assert 'pip install "ray[default]"' in capsys.readouterr().err


def test_a_damaged_study_names_its_file(fake, capsys):
    main(["study", "small.toml", "--quiet"])
    Path("studies/small/study.json").write_text("{}")
    assert main(["study", "small.toml"]) == 1
    assert "study.json' cannot be read" in capsys.readouterr().err
