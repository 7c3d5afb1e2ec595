"""What every run-time of the table must do, on one small network."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import profiler
from profiler.machine.device import find_device
from profiler.measurement.call_counts import count_call
from profiler.runtimes import RUNTIMES
from profiler.runtimes.agreement import LEAST_SQNR_DB
from profiler.runtimes.compile import load
from profiler.runtimes.deploy import AgreementSamples, carry_out, deploy, job_of, runtime_of
from profiler.values.applied_transform import AppliedTransform, LeftAlone
from profiler.workload.prepared import PreparedModel, prepare
from profiler.workload.transformed import keep_transforms

from .tiny import images, tiny

# Outside torch the quantized path is the longer one and holds the other: one export a run-time.
PRECISIONS = {
    "eager": "fp32",
    "compile": "fp32",
    "onnxruntime": "int8",
    "openvino": "int8",
    "executorch": "int8",
}
ITEMS = 40


def needs(name: str) -> None:
    found = RUNTIMES[name]
    for package in (*found.packages, *found.int8_packages):
        if find_spec(package) is None:
            pytest.skip(f'{package} is not installed: pip install "wattprof[{name}]"')


@cache
def deployed(name: str) -> PreparedModel:
    """The network on a run-time, batch 2; made once."""
    model, device = tiny(), find_device("cpu")
    if PRECISIONS[name] == "int8":
        calibration = [images(16, seed) for seed in (1, 2)]
        model = profiler.transform(model, "int8", data=calibration, runtime=name)
    bench = prepare(model, images(2), device, runtime=runtime_of(model, name))
    samples = AgreementSamples(inputs=images(ITEMS, seed=3), description="noise")
    return deploy(bench, device, runtime=name, samples=samples)


def test_the_table_and_the_contract_name_the_same() -> None:
    assert set(PRECISIONS) == set(RUNTIMES)


@pytest.fixture(params=sorted(PRECISIONS))
def name(request: pytest.FixtureRequest) -> str:
    needs(request.param)
    return str(request.param)


def test_it_answers_as_eager_torch_does_and_says_how_well(name: str) -> None:
    deployment = deployed(name).deployment
    if name == "eager":
        assert deployment is None
        return
    assert deployment is not None
    sqnr_db, top1 = deployment.sqnr_db, deployment.top1_agreement
    assert sqnr_db is not None
    assert top1 is not None
    assert sqnr_db.point > LEAST_SQNR_DB[PRECISIONS[name]]
    assert f"{ITEMS} items of noise" in sqnr_db.source
    assert sqnr_db.low is not None
    assert sqnr_db.low < sqnr_db.point
    assert top1.low is not None
    assert 0.7 < top1.low < top1.point <= 1


def test_it_states_version_precision_file_and_what_ran_where(name: str) -> None:
    deployment = deployed(name).deployment
    if deployment is None:
        return
    assert (deployment.runtime, deployment.precision) == (name, PRECISIONS[name])
    assert deployment.version
    assert deployment.export_s is not None
    assert deployment.export_s.point > 0
    assert (deployment.file_bytes is None) == (RUNTIMES[name].suffix is None)
    if name != "compile":
        assert deployment.as_asked_count == 3


def test_counts_are_those_of_the_source_model(name: str) -> None:
    eager = count_call(prepare(tiny(), images(2), find_device("cpu")))
    counts = count_call(deployed(name))
    assert counts.mac_count == eager.mac_count
    assert counts.parameter_count.point == eager.parameter_count.point
    scores = counts.score(2), eager.score(2)
    assert all(scores)
    assert (scores[0] != scores[1]) == (PRECISIONS[name] == "int8")


def test_a_call_can_be_made_again_and_changes_no_input(name: str) -> None:
    bench = deployed(name)
    (given,), _ = bench.inputs
    before = given.clone()
    bench.call()
    bench.call()
    assert torch.equal(given, before)


def test_what_pruning_left_alone_is_not_said_to_have_fallen_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny()
    head, stem = (LeftAlone(layer=layer, reason="is left") for layer in ("head", "stem"))
    pruned = AppliedTransform(name="prune=0.5", parameter_count_before=9, left_alone=(head,))
    quantized = AppliedTransform(
        name="int8", weight_bits=8, activation_bits=8, parameter_count_before=9, left_alone=(stem,)
    )
    keep_transforms(model, (pruned, quantized))
    job = job_of(prepare(model, images(2), find_device("cpu")), "compile")
    monkeypatch.setattr("profiler.runtimes.compile.quantized_parts", lambda model: [model])
    assert load(job, None).layers.fell_back == (stem,)


def test_files_of_any_batch_take_any_batch(tmp_path: Path) -> None:
    needs("onnxruntime")
    bench = prepare(tiny(), images(2), find_device("cpu"))
    executable, _, _ = carry_out(job_of(bench, "onnxruntime"), tmp_path)
    for count in (1, 5):
        seen = images(count, seed=9)
        expected = tiny()(seen).detach()
        torch.testing.assert_close(executable.call(seen), expected, atol=1e-4, rtol=1e-3)
