"""--cache-length in `stats` and `layers`: two workloads in one answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiler.cli import main
from tests.unit.layers.samples import best_of_device

NET = """
from transformers import GPT2Config, GPT2LMHeadModel
def build():
    return GPT2LMHeadModel(GPT2Config(
        n_embd=8, n_layer=1, n_head=2, n_positions=32, vocab_size=50, bos_token_id=0, eos_token_id=0
    ))
"""
CAPTION = "One call with 1x1 int64 and 2 of 1x2x9x4 float32"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "net.py").write_text(NET)
    return ["--model", f"{tmp_path / 'net.py'}:build", "--cache-length", "9"]


def test_stats_counts_both_and_scores_neither(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stats", *words, "--json"]) == 0
    prefill, decode = json.loads(capsys.readouterr().out)["workloads"]
    assert (prefill["name"], decode["name"]) == ("build-prefill", "build-decode")
    dense, head = 12 * 8**2, 8 * 50
    assert prefill["mac_count"] == 9 * dense + head + 2 * 8 * 81
    assert decode["mac_count"] == dense + head + 2 * 8 * 10
    assert (prefill["score"], decode["score"]) == (None, None)


def test_stats_prints_both_with_what_they_were_counted_on(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stats", *words]) == 0
    text = capsys.readouterr().out
    assert text.index("build-prefill: ") < text.index("build-decode: ")
    assert CAPTION in text


def test_layers_has_a_table_of_each(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler.layers.session.hardware_best", lambda *_, **__: best_of_device())
    options = ["--processes", "1", "--max-seconds", "0.3", "--device", "cpu", "--quiet"]
    assert main(["layers", *words, *options, "--json"]) == 0
    workloads = json.loads(capsys.readouterr().out)["workloads"]
    assert [item["name"] for item in workloads] == ["build-prefill", "build-decode"]
    assert workloads[1]["input_shapes"] == ["1x1", "1x2x9x4", "1x2x9x4"]
    assert all(item["layers"] for item in workloads)


@pytest.mark.parametrize("verb", ["stats", "layers"])
def test_new_tokens_need_a_cache(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--model", "lightweight", "--new-tokens", "2"]) == 2
    assert "--cache-length" in capsys.readouterr().err
