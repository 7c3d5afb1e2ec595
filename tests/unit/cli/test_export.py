"""`export`: a file that the run-time's own API reads, and every bad input in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from profiler.cli import main

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "tests" / "unit" / "runtimes" / "tiny.py"
WORDS = ["export", "--model", f"{TINY}:tiny+int8", "--input-shape", "3x8x8"]


def test_the_int8_file_run_by_the_run_times_own_api_is_what_was_stated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from tests.unit.runtimes.tiny import images, tiny

    out = tmp_path / "models" / "tiny.onnx"
    assert main([*WORDS, "--runtime", "onnxruntime", "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["files"] == [str(out)]
    assert "weights are random" in printed.err
    deployment = document["deployment"]
    assert deployment["file_bytes"]["point"] == out.stat().st_size
    assert (deployment["precision"], deployment["as_asked_count"]) == ("int8", 3)
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    # Uniform noise in the range of the digits that it was calibrated on.
    seen = images(64).clamp(-1, 1)
    (answer,) = session.run(None, {session.get_inputs()[0].name: seen.numpy()})
    expected = tiny()(seen).detach().numpy()
    noise = np.square(answer - expected).sum() / np.square(expected).sum()
    assert -10 * np.log10(noise) > 10
    assert not np.array_equal(answer, expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--runtime", "compile", "--out", "a.onnx"], "compile leaves no file"),
        (["--runtime", "openvino", "--out", "a.onnx"], "openvino reads .xml files"),
        (["--runtime", "executorch", "--out", "folder.pte"], "is a folder"),
        (["--runtime", "tvm", "--out", "a.so"], "invalid choice: 'tvm'"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.pte").mkdir()
    assert main([*WORDS, *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert said in lines[0]
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["folder.pte"]
