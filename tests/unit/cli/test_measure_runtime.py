"""`measure --runtime`: what is stored of it, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiler.cli import main
from profiler.store import load

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "tests" / "unit" / "runtimes" / "tiny.py"
WORDS = ["measure", "--input-shape", "3x8x8", "--device", "cpu", "--batch-size", "2"]
WORDS += ["--max-seconds", "0.4", "--processes", "1", "--model"]


def test_the_run_time_is_stored_with_its_agreement_and_the_source_models_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, f"{TINY}:tiny", "--runtime", "onnxruntime", "--json", "--quiet"]) == 0
    (profile,) = json.loads(capsys.readouterr().out)["profiles"]
    assert (profile["workload"]["runtime"], profile["workload"]["compiled"]) == (
        "onnxruntime",
        False,
    )
    deployment = profile["deployment"]
    assert deployment["sqnr_db"]["point"] > 50
    assert "256 items of digits" in deployment["sqnr_db"]["source"]
    assert profile["size_bytes"] == deployment["file_bytes"]
    # Two items: 8x8 places of 16x3x9 and 16x16x9 weights, and the head.
    assert profile["mac_count"]["point"] == 2 * (64 * (432 + 2304) + 64)
    stored = load(next(Path("runs").iterdir()))
    assert stored.workload.executor == "onnxruntime"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--runtime", "onnxruntime", "--dtype", "bf16"], "is a precision of torch's tensors"),
        (["--runtime", "openvino", "--layers"], "--runtime openvino has made one piece"),
        (["--runtime", "openvino", "--compile"], "are two run-times"),
        (["--runtime", "tvm"], "invalid choice: 'tvm'"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*WORDS, f"{TINY}:tiny", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err.splitlines()[0]
    assert not (tmp_path / "runs").exists()
