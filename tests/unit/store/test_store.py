import errno
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler.errors import StoreError
from profiler.store import list_runs, load, load_all, new_run_path, resolve_runs, save, save_run
from profiler.store import traces as stored_traces
from profiler.values.applied_transform import LeftAlone
from profiler.values.codec import profile_document
from profiler.values.deployment import Deployment
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import Finding
from profiler.values.layer_cost import LayerCost
from profiler.values.profile import EnergyPart, Environment, Profile, Workload
from profiler.values.quantities import QUANTITIES
from profiler.values.trace import Channel, ChannelKind, CounterTrace, PowerTrace, Window
from tests.sample import resnet18, sample_profile

finite = st.floats(allow_nan=False, allow_infinity=False)
# Surrogates cannot be written as UTF-8; the store replaces them on purpose.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def estimates(draw):
    low, point, high = sorted(draw(st.tuples(finite, finite, st.floats(allow_nan=False))))
    has_interval = draw(st.booleans())
    return Estimate(
        point=point,
        low=low if has_interval else None,
        high=high if has_interval else None,
        unit=draw(text),
        confidence=draw(st.none() | st.floats(0, 1)),
        basis=draw(st.sampled_from(Basis)),
        source=draw(text),
        systematic=draw(st.none() | st.floats(0, 1)),
        estimated_share=draw(st.floats(0, 1)),
    )


channels = st.builds(
    Channel,
    device=text,
    kind=st.sampled_from(ChannelKind),
    source=text,
    contains=st.lists(text, max_size=2).map(tuple),
    gain_error=st.none() | finite,
)


@st.composite
def recorded(draw):
    count = draw(st.integers(0, 4))
    series = st.lists(finite, min_size=count, max_size=count).map(tuple)
    common = {"channel": draw(channels), "last_seen_s": draw(st.none() | finite)}
    if draw(st.booleans()):
        return PowerTrace(time_s=draw(series), power_w=draw(series), **common)
    epochs = st.lists(st.integers(0, 9), min_size=count, max_size=count).map(tuple)
    return CounterTrace(
        earliest_s=draw(series),
        latest_s=draw(series),
        energy_j=draw(series),
        epoch=draw(epochs),
        **common,
    )


optional = st.none() | estimates()
counts = st.integers(0, 2**53)
layers = st.builds(
    LayerCost,
    path=text,
    kind=text,
    call_count=counts,
    parameter_count=counts,
    mac_count=counts,
    read_bytes=counts,
    written_bytes=counts,
    uncounted_ops=st.lists(text, max_size=2).map(tuple),
    latency_s=optional,
)
profiles = st.builds(
    Profile,
    name=text,
    created_utc=text,
    environment=st.builds(
        Environment,
        device_name=text,
        fingerprint=text,
        facts=st.dictionaries(text, text, max_size=3),
    ),
    workload=st.builds(
        Workload,
        model=text,
        device=text,
        batch_size=st.none() | counts,
        input_shapes=st.lists(text, max_size=2).map(tuple),
    ),
    latency_s=st.none(),
    energy_j=st.none(),
    net_energy_j=optional,
    power_w=optional,
    idle_power_w=optional,
    peak_memory_bytes=optional,
    deployment=st.none()
    | st.builds(
        Deployment,
        runtime=text,
        version=text,
        precision=text,
        export_s=optional,
        file_bytes=optional,
        sqnr_db=optional,
        top1_agreement=optional,
        as_asked_count=st.none() | counts,
        fell_back=st.lists(st.builds(LeftAlone, layer=text, reason=text), max_size=2).map(tuple),
    ),
    energy_parts=st.lists(
        st.builds(EnergyPart, device=text, energy_j=estimates(), net_energy_j=optional), max_size=2
    ).map(tuple),
    layers=st.lists(layers, max_size=2).map(tuple),
    traces=st.lists(recorded(), max_size=3).map(tuple),
    windows=st.lists(
        st.builds(Window, name=text, start_s=finite, end_s=st.none() | finite), max_size=2
    ).map(tuple),
    findings=st.lists(st.builds(Finding, kind=text, observed=text, remedy=text), max_size=2).map(
        tuple
    ),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(profile=profiles, as_file=st.booleans())
def test_what_is_loaded_equals_what_was_saved(tmp_path_factory, profile, as_file):
    path = tmp_path_factory.mktemp("runs") / ("run.json" if as_file else "run")
    assert load(save(profile, path)) == profile


def test_a_run_holds_profile_trace_and_layers(tmp_path):
    path = save_run(sample_profile(), tmp_path)
    assert sorted(item.name for item in path.iterdir()) == [
        "layers.csv",
        "profile.json",
        "trace.parquet",
    ]
    assert load(path) == sample_profile()
    assert load(path, with_traces=False).traces == ()


def test_every_estimate_in_the_document_carries_unit_and_basis():
    document = profile_document(sample_profile())
    assert set(document["derived"]) == {row.key for row in QUANTITIES}
    assert document["energy_j"]["unit"] == "J"
    assert all(
        {"point", "low", "high", "unit", "basis", "source"} <= set(value)
        for value in document["derived"].values()
        if value is not None
    )
    assert "traces" not in document


def test_an_infinite_interval_is_valid_json_and_comes_back(tmp_path):
    energy = replace(sample_profile().energy_j, high=math.inf)
    profile = replace(sample_profile(), energy_j=energy)
    path = save(profile, tmp_path / "run")
    raw = (path / "profile.json").read_text()

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(raw, parse_constant=refuse)
    assert load(path).energy_j.high == math.inf


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", "", "\x00x", "=1+1", "é" * 400])
def test_no_name_leads_out_of_the_root(tmp_path, name):
    path = new_run_path(tmp_path, name)
    assert path.parent == tmp_path
    assert path.resolve().parent == tmp_path.resolve()
    assert len(path.name.encode()) < 120


def test_runs_saved_at_the_same_instant_all_survive(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: save_run(sample_profile(), tmp_path), range(16)))
    assert len(set(paths)) == len(list_runs(tmp_path)) == 16


def test_two_processes_saving_to_one_path_leave_one_whole_run(tmp_path):
    first = save(sample_profile(), tmp_path / "run")
    with pytest.raises(StoreError, match="exists already"):
        save(resnet18(), tmp_path / "run")
    assert load(first).name == "lightweight"
    assert [item.name for item in tmp_path.iterdir()] == ["run"]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def fail(traces, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys.modules[save.__module__], "write_traces", fail)
    with pytest.raises(StoreError, match="No space left") as caught:
        save_run(sample_profile(), tmp_path)
    assert caught.value.hint is not None
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(traces, path):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[save.__module__], "write_traces", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_run(sample_profile(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_killed_while_writing_leaves_a_partial_run_only(tmp_path):
    code = (
        "import os, sys, profiler.store.run_files as runs\n"
        "from tests.sample import sample_profile\n"
        "runs.write_traces = lambda traces, path: os._exit(9)\n"
        "runs.save_run(sample_profile(), sys.argv[1])\n"
    )
    repository = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=repository, check=False)
    assert done.returncode == 9
    (run,) = list_runs(tmp_path)
    assert not run.complete
    with pytest.raises(StoreError, match="cut short"):
        load_all(run.path)


def test_a_root_that_is_a_file_is_an_error_with_a_hint(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write") as caught:
        save_run(sample_profile(), tmp_path / "file")
    assert "--out" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "no schema_version"),
        ('{"schema_version": 999}', "schema version 999, and this version reads up to 1"),
        ('{"schema_version": 0}', "never existed"),
        ('{"schema_version": 1}', "name is missing"),
        ("\xff", "not valid JSON"),
    ],
)
def test_a_file_that_is_no_profile_says_why(tmp_path, content, message):
    path = tmp_path / "profile.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(StoreError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 3),
        ("energy_j", {"point": "much"}),
        ("layers", {}),
        ("workload", None),
        ("energy_j", {"point": 1, "low": 2, "high": 3, "unit": "J", "confidence": 1,
                      "basis": "measured", "source": ""}),
        ("energy_j", {"point": 1, "low": None, "high": None, "unit": "J", "confidence": None,
                      "basis": "guessed", "source": ""}),
    ],
)  # fmt: skip
def test_an_edited_profile_is_refused_by_the_name_of_the_field(tmp_path, field, value):
    path = save(sample_profile(), tmp_path / "run")
    document = json.loads((path / "profile.json").read_text())
    document[field] = value
    (path / "profile.json").write_text(json.dumps(document))
    with pytest.raises(StoreError, match=field):
        load(path)


def test_a_damaged_trace_is_an_error_that_leaves_the_profile_readable(tmp_path):
    path = save_run(sample_profile(), tmp_path)
    (path / stored_traces.TRACE_FILE).write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="not a readable trace"):
        load(path)
    assert load(path, with_traces=False).name == "lightweight"


def test_references_resolve_to_runs(tmp_path):
    slim, dense = (save_run(profile, tmp_path) for profile in (sample_profile(), resnet18()))
    assert resolve_runs(slim, tmp_path) == [slim]
    assert resolve_runs(slim / "profile.json", tmp_path) == [slim / "profile.json"]
    assert resolve_runs("resnet", tmp_path) == [dense]
    assert set(resolve_runs(tmp_path, "elsewhere")) == {slim, dense}
    with pytest.raises(StoreError, match="2 runs are called 'Z-'"):
        resolve_runs("Z-", tmp_path)
    with pytest.raises(StoreError, match="is called 'nothing'"):
        resolve_runs("nothing", tmp_path)


def test_what_measure_prints_can_be_loaded(tmp_path):
    documents = [profile_document(profile) for profile in (sample_profile(), resnet18())]
    path = tmp_path / "out.json"
    path.write_text(json.dumps({"schema_version": 1, "profiles": documents}))
    assert [profile.name for profile in load_all(path)] == ["lightweight", "resnet18"]
    with pytest.raises(StoreError, match="2 profiles"):
        load(path)


def test_an_absent_root_holds_no_runs(tmp_path):
    assert list_runs(tmp_path / "absent") == ()


def test_a_layer_named_like_a_formula_is_harmless_in_the_csv(tmp_path):
    layer = replace(sample_profile().layers[0], path="=HYPERLINK(1)")
    path = save(replace(sample_profile(), layers=(layer,)), tmp_path / "run")
    assert "\n'=HYPERLINK(1)," in (path / "layers.csv").read_text()


def test_a_numpy_scalar_is_stored_as_the_number_it_holds(tmp_path):
    energy = replace(sample_profile().energy_j, point=np.float32(0.3125))
    layer = replace(sample_profile().layers[0], mac_count=np.int64(7))
    profile = replace(sample_profile(), energy_j=energy, layers=(layer,))
    assert load(save(profile, tmp_path / "run")) == profile
