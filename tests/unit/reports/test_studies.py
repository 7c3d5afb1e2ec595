import json
import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest

from profiler.values.codec import profile_document
from reports import studies
from reports.cli import main
from reports.cli.study import DEFAULT_STUDY
from reports.data_error import ReportDataError
from tests.sample import sample_profile


class FakeMeasure:
    """Stands where `subprocess.run` stands: prints a profile as `measure --json` does."""

    def __init__(self, exit_code=0):
        self.exit_code = exit_code
        self.commands = []

    def __call__(self, command, *, stdout, check):
        self.commands.append(command)
        names = [word for flag, word in pairwise(command) if flag == "--model"]
        documents = [profile_document(sample_profile(name)) for name in names]
        printed = {"schema_version": 1, "profiles": documents}
        stdout.write(json.dumps(printed).encode())
        return SimpleNamespace(returncode=self.exit_code)


def test_the_default_study_measures_both_models_on_real_images():
    plan = studies.find_plan(DEFAULT_STUDY)
    assert [flags[:4] for flags in plan.measurements] == [
        ("--model", "resnet18", "--model", "lightweight"),
    ]
    assert all("digits" in flags and "auto" in flags for flags in plan.measurements)


def test_every_flag_of_a_study_is_one_that_measure_takes():
    import argparse

    from profiler.cli.measure import configure

    parser = argparse.ArgumentParser(exit_on_error=False)
    configure(parser)
    for flags in studies.find_plan(DEFAULT_STUDY).measurements:
        assert parser.parse_args([*flags, "--out", "runs", "--json"]).model[0] == flags[1]


def test_a_study_runs_each_model_and_writes_its_report(tmp_path, monkeypatch, capsys):
    measure = FakeMeasure()
    monkeypatch.setattr(studies.subprocess, "run", measure)
    arguments = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "report")]
    assert main(["study", *arguments]) == 0
    assert [command[:4] for command in measure.commands] == [
        [sys.executable, "-m", "profiler", "measure"]
    ]
    assert all(str(tmp_path / "runs") in command for command in measure.commands)
    assert "Beside the study" in capsys.readouterr().out
    assert (tmp_path / "report.html").is_file()


def test_a_failed_measurement_ends_the_study_with_its_exit_code(tmp_path, monkeypatch):
    measure = FakeMeasure(exit_code=2)
    monkeypatch.setattr(studies.subprocess, "run", measure)
    assert main(["study", "--out", str(tmp_path / "report")]) == 2
    assert len(measure.commands) == 1
    assert not list(tmp_path.iterdir())


def test_ctrl_c_during_a_study_is_one_word_and_130(tmp_path, monkeypatch, capsys):
    def pressed(command, *, stdout, check):
        raise KeyboardInterrupt

    monkeypatch.setattr(studies.subprocess, "run", pressed)
    assert main(["study", "--out", str(tmp_path / "report")]) == 130
    assert capsys.readouterr().err.endswith("interrupted\n")


def test_an_unknown_study_tells_the_known_ones(capsys):
    assert main(["study", "nothing"]) == 1
    shown = capsys.readouterr().err
    assert "unknown study 'nothing'" in shown
    assert DEFAULT_STUDY in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('id = "x"\ntitle = "X"', "x.toml lists no 'measure'"),
        ('id = "x"\ntitle = "X"\n[[measure]]\nflags = []', r"measure\[0\].model is missing"),
        ('id = "x"', "x.toml: title is missing"),
    ],
)
def test_a_mistake_in_a_study_names_file_and_field(tmp_path, text, message):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ReportDataError, match=message):
        studies.read_plan(tmp_path / "x.toml")
