import csv
import io
import json
from pathlib import Path

import pytest

from profiler.cli import main
from tests.unit.layers.samples import best_of_device

WORDS = ["layers", "--model", "lightweight", "--device", "cpu", "--data", "synthetic", "--quiet"]
HERE = ["--processes", "1", "--max-seconds", "1.5"]


@pytest.fixture(autouse=True)
def _calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is known already: no test waits for a calibration."""
    best = best_of_device()
    monkeypatch.setattr("profiler.layers.session.hardware_best", lambda *_, **__: best)


def test_json_is_one_object_with_rows_and_closure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, *HERE, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["latency_closure"]["unit"] == "x"
    assert sum(row["mac_count"] for row in document["layers"]) == 12_159_488
    assert all(row["latency_s"]["point"] >= 0 for row in document["layers"])


def test_csv_has_one_line_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*HERE, "--format", "csv", "--by", "kind", "--sort", "macs"]
    assert main([*WORDS, *words]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["path"] == "conv"
    assert {"latency_s", "floor_s", "bound"} <= set(rows[0])


def test_html_is_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "layers.html"
    assert main([*WORDS, *HERE, "--format", "html", "--out", str(path)]) == 0
    assert "<svg" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [["--sort", "beauty"], ["--method", "guess"], ["--depth", "-1"]])
def test_bad_flags_are_usage_errors(words: list[str]) -> None:
    assert main([*WORDS, *words]) == 2


def test_measure_refuses_layers_of_a_compiled_model(tmp_path: Path) -> None:
    words = ["measure", "--model", "lightweight", "--layers", "--compile", "--out", str(tmp_path)]
    assert main(words) == 2


def test_a_run_time_without_modules_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*WORDS, "--runtime", "openvino"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: openvino runs a model as one piece, without layers")
