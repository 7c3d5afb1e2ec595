import json

from profiler.cli import main
from profiler.store import save_run
from tests.sample import sample_profile


def test_runs_are_listed_with_partial_and_unreadable_ones(tmp_path, capsys):
    whole = save_run(sample_profile(), tmp_path)
    (tmp_path / "20200101T000000Z-dead-000000.partial").mkdir()
    broken = save_run(sample_profile("broken"), tmp_path)
    (broken / "profile.json").write_text("{")
    (tmp_path / "not-a-run").mkdir()
    assert main(["runs", "--root", str(tmp_path), "--wide"]) == 0
    listed = capsys.readouterr().out
    assert whole.name in listed
    assert "312 ± 4 mJ" in listed
    assert "partial: cut short" in listed
    assert "unreadable" in listed
    assert "not-a-run" not in listed


def test_json_holds_one_object(tmp_path, capsys):
    whole = save_run(sample_profile(), tmp_path)
    (tmp_path / "dead.partial").mkdir()
    assert main(["runs", "--root", str(tmp_path), "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [(run["path"], run["complete"]) for run in runs] == [
        (str(whole), True),
        (str(tmp_path / "dead.partial"), False),
    ]
    assert runs[0]["batch_size"] == 128


def test_no_runs_is_said_on_stderr(tmp_path, capsys):
    assert main(["runs", "--root", str(tmp_path / "absent")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no runs in" in captured.err
