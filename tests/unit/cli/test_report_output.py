from __future__ import annotations

from pathlib import Path

import pytest

from profiler.cli import main
from profiler.cli.page import page_width
from profiler.cli.workload import names_of
from profiler.errors import UsageError
from profiler.store import save
from tests.sample import resnet18, sample_profile


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    save(resnet18(), root / "20261122T013000Z-resnet18-aaaaaa")
    save(sample_profile(), root / "20261122T013000Z-lightweight-bbbbbb")
    return root


def test_the_table_for_a_paper_takes_columns_and_a_baseline(root: Path, capsys) -> None:
    flags = ["--format", "latex", "--table", "joules", "--columns", "energy_ratio"]
    assert main(["report", str(root), *flags, "--baseline", "resnet18"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(r"\begin{tabular}") == 1
    assert r"lightweight & 0.068 +- 0.002 \\" in printed
    assert main(["report", str(root), "--table", "joules", "--format", "md"]) == 0
    assert "| lightweight |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--columns", "energy_j"], "--columns is of the table for a paper"),
        (["--table", "joules", "--columns", "joule", "--format", "md"], "no column 'joule'"),
        (["--table", "joules", "--format", "html"], "--table is none of --format html"),
        (["--countries", "XXX"], "'XXX' is not in CodeCarbon's table"),
    ],
)
def test_flags_that_mean_nothing_are_refused(root: Path, capsys, flags, message: str) -> None:
    assert main(["report", str(root), *flags]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "hint:" in told


def test_a_csv_names_the_folder_of_each_run(root: Path, capsys) -> None:
    assert main(["report", str(root), "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert "\n20261122T013000Z-resnet18-aaaaaa,run,resnet18," in printed


def test_text_keeps_to_the_terminal_unless_all_is_asked_for(
    root: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    assert page_width(is_wide=False) == 90
    assert main(["report", str(root), "--format", "text"]) == 0
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= 90
    assert "not shown (--wide shows all)" in narrow
    assert main(["report", str(root), "--format", "text", "--wide"]) == 0
    assert "not shown" not in capsys.readouterr().out
    assert main(["runs", "--root", str(root)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 90


def test_a_training_is_sent_to_the_report_that_reads_it(tmp_path: Path, capsys) -> None:
    (tmp_path / "result.json").write_text("{}")
    assert main(["report", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "holds a training or a study" in told
    assert f"hint: python -m reports build {tmp_path}" in told


def test_each_model_has_a_name_of_its_own_or_none_has() -> None:
    assert names_of(["a", "b"], None) == [None, None]
    assert names_of(["a", "b"], ["x", "y"]) == ["x", "y"]
    for names in (["x"], ["x", "x"], ["x", " "]):
        with pytest.raises(UsageError):
            names_of(["a", "b"], names)
