import json
import math
import os
import pickle
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from profiler.cli import main
from profiler.cli.stdout import stdout_to_stderr
from profiler.measurement.model import measure
from profiler.values.repetition import CpuAccount

TINY = (
    *("--device", "cpu", "--max-seconds", "0.4", "--batch-size", "1", "--data", "synthetic"),
    *("--processes", "1"),
)
HEADER = """
import torch
from torch import nn
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 2)
    def forward(self, x):
        return self.layer(x.flatten(1)[:, :8])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *words, source="", name="Base"):
    """Exit code, stdout and stderr of `measure` on a model of the given source."""
    with open("net.py", "w", encoding="utf-8") as file:
        file.write(HEADER + source)
    code = main(["measure", "--model", f"net.py:{name}", *TINY, *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def forward(body):
    return f"class Net(Base):\n    def forward(self, x):\n        {body}\n"


def assert_refused(found, *, code=1, about=""):
    returned, out, err = found
    assert (returned, out) == (code, "")
    lines = err.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert not lines[0].endswith(".")
    assert about in lines[0]
    assert all(line.startswith("hint: ") for line in lines[1:])
    assert len(lines) <= 2
    assert list(Path("runs").glob("*")) == []


def walk(value, path="", key=""):
    """Every number of a document that is not inside an Estimate, by path; Estimates are checked."""
    if isinstance(value, dict):
        if "point" in value:
            assert {"low", "high", "unit", "confidence", "basis", "source"} <= set(value), path
            assert value["basis"] in ("measured", "counted", "estimated", "assumed", "quoted")
            assert value["source"], path
            assert (value["low"] is None) == (value["high"] is None), path
            if value["low"] is not None:
                assert value["low"] <= value["point"] <= value["high"], path
            return
        for name, item in value.items():
            yield from walk(item, f"{path}.{name}", name)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, f"{path}[]", key)
    elif isinstance(value, float):
        yield path


def test_every_number_of_the_json_carries_unit_basis_and_source(capsys):
    code, out, err = run(capsys, "--json")
    assert code == 0
    assert err.startswith("stored in runs")
    document = json.loads(out)
    assert document["schema_version"] == 1
    (profile,) = document["profiles"]
    bare = set(walk(document))
    # Instants and the kernel's accounts of blocks are no results: their unit is in their name.
    accounts = {field.name for field in fields(CpuAccount)}
    assert {path.rpartition(".")[2] for path in bare} <= {"start_s", "end_s"} | accounts
    for key in ("latency_s", "energy_j", "net_energy_j", "power_w", "idle_power_w"):
        assert profile[key]["point"] is not None
    assert profile["mac_count"]["point"] == 16
    assert profile["parameter_count"]["point"] == 18
    assert profile["derived"]["energy_per_million_kwh"]["unit"] == "kWh"
    assert profile["derived"]["carbon_per_million_g"]["unit"] == "g"


def test_a_terminal_is_shown_one_screen_that_ends_in_the_place_of_the_run(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    (stored,) = os.listdir("runs")
    assert out.splitlines()[-1] == f"stored in runs/{stored}"
    assert "latency per call" in out
    assert len(out.splitlines()) < 70


@pytest.mark.parametrize(
    "body",
    [
        "return {'a': super().forward(x), 'b': 3}",
        "return (super().forward(x), [x])",
        "return None",
    ],
)
def test_any_output_is_measured(body, capsys):
    assert run(capsys, "--json", source=forward(body), name="Net")[0] == 0


def test_what_the_model_prints_stays_off_stdout(capfd):
    body = "import os; print('chatter'); os.write(1, b'noise'); return super().forward(x)"
    code, out, err = run(capfd, "--json", source=forward(body), name="Net")
    assert code == 0
    assert len(json.loads(out)["profiles"]) == 1
    assert "chatter" in err
    assert "noise" in err


def test_stdout_is_itself_again_afterwards(capfd):
    with stdout_to_stderr():
        print("talk")
    print("result")
    os.write(1, b"more\n")
    sys.stdout.flush()
    assert sorted(capfd.readouterr().out.split()) == ["more", "result"]


def test_weights_that_are_not_finite_are_a_finding(capsys):
    source = "class Net(Base):\n    def __init__(self):\n        super().__init__()\n"
    source += "        self.layer.weight.data[0] = float('nan')\n"
    code, out, _ = run(capsys, "--json", source=source, name="Net")
    findings = json.loads(out)["profiles"][0]["findings"]
    assert code == 0
    (broken,) = [item for item in findings if item["kind"] == "non-finite-weights"]
    assert "layer.weight" in broken["observed"]


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ("raise ValueError('boom')", "ValueError: boom"),
        ("raise SystemExit(7)", "SystemExit: 7"),
        ("raise torch.OutOfMemoryError('CUDA out of memory')", "cpu ran out of memory"),
        ("return torch.empty(10**15)", "cpu ran out of memory"),
        ("return (x for _ in range(3))", "generator"),
    ],
)
def test_a_model_that_fails_is_one_sentence(body, about, capsys):
    assert_refused(run(capsys, source=forward(body), name="Net"), about=about)


@pytest.mark.parametrize(
    ("source", "name", "about"),
    [
        ("raise RuntimeError('at import')", "Net", "at import"),
        ("raise SystemExit(0)", "Net", "SystemExit"),
        ("def Net(size): return Base()", "Net", "size"),
        ("Net = 5", "Net", "int"),
        ("def Net(): return 5", "Net", "int"),
        ("", "Bas", "Base"),
    ],
)
def test_a_reference_that_leads_to_no_model_is_one_sentence(source, name, about, capsys):
    assert_refused(run(capsys, source=source, name=name), about=about)


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (("--batch-size", "0"), "--batch-size 0"),
        (("--device", "gpu0"), "gpu0"),
        (("--precision", "nan"), "--precision nan"),
        (("--max-seconds", "inf"), "--max-seconds inf"),
        (("--max-seconds", "-1"), "--max-seconds"),
        (("--intensity", "-3"), "-3"),
        (("--pue", "0.5"), "0.5"),
        (("--country", "XXX"), "XXX"),
        (("--threads", "0"), "--threads 0"),
        (("--seed", "99999999999999999999"), "--seed"),
        (("--dtype", "fp8"), "fp8"),
        (("--input-shape", "3x0x3"), "3x0x3"),
    ],
)
def test_a_wrong_value_is_a_usage_error_that_repeats_it(words, about, capsys):
    assert_refused(run(capsys, *words), code=2, about=about)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_an_error(device, capsys):
    assert_refused(run(capsys, "--device", device), about=f"--device {device} ")


def test_auto_falls_back_and_says_so(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, out, _ = run(capsys, "--device", "auto", "--json")
    (profile,) = json.loads(out)["profiles"]
    assert code == 0
    assert profile["workload"]["device"] == "cpu"
    assert "cpu-fallback" in [finding["kind"] for finding in profile["findings"]]


def test_images_that_do_not_fit_into_memory_are_one_sentence(capsys):
    found = run(capsys, "--input-shape", "3x1000000x1000000")
    assert_refused(found, about="1x3x1000000x1000000 do not fit into memory")


def test_an_empty_folder_and_a_file_that_is_no_image_are_refused(folder, capsys):
    (folder / "empty").mkdir()
    assert_refused(run(capsys, "--data", "folder:empty"), about="holds no images")
    (folder / "bad").mkdir()
    (folder / "bad" / "a.png").write_text("no image")
    assert_refused(run(capsys, "--data", "folder:bad"), about="a.png")


@pytest.mark.parametrize("out", ["net.py/runs", "/proc/runs"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(out, capsys):
    body = "raise AssertionError('it ran')"
    found = run(capsys, "--out", out, source=forward(body), name="Net")
    assert_refused(found, about=f"runs cannot be written to {out}")


def test_a_checkpoint_of_another_shape_names_the_tensor(capsys):
    weights = {"layer.weight": torch.zeros(3, 8), "layer.bias": torch.zeros(2)}
    torch.save(weights, "weights.pt")
    assert_refused(run(capsys, "--checkpoint", "weights.pt"), about="layer.weight")


class Attack:
    def __reduce__(self):
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize("writer", [torch.save, pickle.dump])
def test_a_pickle_that_wants_to_run_code_does_not(writer, folder, capsys):
    with open("weights.pt", "wb") as file:
        writer({"layer.weight": Attack()}, file)
    assert_refused(run(capsys, "--checkpoint", "weights.pt"), about="weights.pt")
    assert not (folder / "attacked").exists()


def test_debug_raises_what_was_behind_the_sentence(capsys):
    with pytest.raises(Exception, match="boom") as caught:
        run(capsys, "--debug", source=forward("raise ValueError('boom')"), name="Net")
    assert isinstance(caught.value.__cause__, ValueError)


def test_two_runs_at_the_same_instant_are_two_folders(capsys):
    assert run(capsys, "--quiet")[0] == run(capsys, "--quiet")[0] == 0
    assert len(os.listdir("runs")) == 2


def test_a_run_is_compared_with_itself_without_a_difference(capsys):
    run(capsys)
    (stored,) = os.listdir("runs")
    assert main(["compare", f"runs/{stored}", f"runs/{stored}", "--json"]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert comparison["verdict"] not in ("less", "more")


def test_the_library_takes_whole_numbers_and_double_precision(tmp_path):
    embedding = torch.nn.Embedding(9, 4, dtype=torch.float64)
    profile = measure(
        embedding, torch.arange(6).reshape(2, 3), device="cpu", max_seconds=0.4, meters=()
    )
    assert (profile.workload.dtype, profile.workload.batch_size) == ("float64", 2)
    assert profile.energy_j is None
    assert math.isfinite(profile.latency_s.point)
