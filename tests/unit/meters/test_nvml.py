from __future__ import annotations

from collections.abc import Callable, Iterator

import pynvml
import pytest

from profiler.errors import SensorError
from profiler.meters import open_meter
from profiler.meters.base import AsleepError
from profiler.meters.gpu_facts import gpu_facts
from profiler.meters.nvml import NvmlMeter
from profiler.meters.nvml_asleep import SleepingGpus
from profiler.values.trace import Channel, ChannelKind
from tests.virtual.clock import FakeClock
from tests.virtual.nvml import Fault, Scenario, VirtualGpu, VirtualNvml, install
from tests.virtual.power import constant, ramp
from tests.virtual.sysfs import SysfsTree

ENERGY, POWER = ChannelKind.ENERGY, ChannelKind.POWER
OTHER_UUID = "GPU-99999999-2222-3333-4444-555555555555"


class Rig:
    """A virtual machine with an opened meter on it."""

    def __init__(self, clock: FakeClock, scenario: Scenario, environment: dict[str, str]) -> None:
        self.clock = clock
        self.meter = NvmlMeter(environment=environment)
        channels, self.findings = open_meter(self.meter, clock=clock)
        self.channels = {channel.key: channel for channel in channels}
        self.kinds = [finding.kind for finding in self.findings]

    def read(self, key: str) -> float:
        return self.meter.read(self.channels[key])


Start = Callable[..., Rig]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def start(clock: FakeClock) -> Iterator[Start]:
    contexts = []

    def start_rig(*gpus: VirtualGpu, environment: dict[str, str] | None = None, **options) -> Rig:
        scenario = Scenario(gpus=gpus or (virtual_gpu(clock),), **options)
        context = install(scenario, now_s=clock.now_s, sleep=clock.sleep)
        context.__enter__()
        contexts.append(context)
        return Rig(clock, scenario, environment or {})

    yield start_rig
    for context in reversed(contexts):
        context.__exit__(None, None, None)


def virtual_gpu(clock: FakeClock, *faults: Fault, **options) -> VirtualGpu:
    return VirtualGpu(script=constant(300, 60).at(clock.now_s()), faults=faults, **options)


def test_the_counter_gains_the_true_joules_and_names_the_gpu_by_uuid(start, clock) -> None:
    rig = start()
    before_j = rig.read("gpu:0:energy")
    clock.advance(2)
    assert rig.read("gpu:0:energy") - before_j == pytest.approx(600, abs=1e-3)
    channel = rig.channels["gpu:0:energy"]
    assert channel.identity == "GPU-11111111-2222-3333-4444-555555555555"
    assert channel.gain_error == 0.05
    assert channel.update_period_s == 0.1
    assert rig.findings == ()


def test_hopper_power_is_the_instant_field_not_the_one_second_average(start, clock) -> None:
    gpu = VirtualGpu(script=(constant(100, 10) + constant(700, 10)).at(clock.now_s()))
    rig = start(gpu)
    clock.advance(10.25)
    assert rig.read("gpu:0:power") == pytest.approx(700)
    assert "instant" in rig.channels["gpu:0:power"].source


def test_without_the_instant_field_the_source_says_one_second_average(start, clock) -> None:
    rig = start(virtual_gpu(clock, instant_supported=False))
    channel = rig.channels["gpu:0:power"]
    assert channel.averaging_s == 1.0
    assert "one-second average" in channel.source
    assert rig.meter.drain(channel) == ()


def test_memory_power_lies_within_the_gpu(start, clock) -> None:
    rig = start(virtual_gpu(clock, memory_share=0.25))
    assert rig.read("gpu:0/memory:power") == pytest.approx(75)
    assert rig.channels["gpu:0:energy"].contains == ("gpu:0/memory",)


def test_a_driver_that_ignores_scopes_has_no_memory_power(start, clock) -> None:
    assert "gpu:0/memory:power" not in start(virtual_gpu(clock, memory_share=1.0)).channels


def test_a_volta_drains_its_buffered_samples_once_in_order_on_the_monotonic_clock(
    start, clock, monkeypatch
) -> None:
    monkeypatch.setattr("profiler.meters.nvml_samples.time.monotonic", clock.now_s)
    monkeypatch.setattr("profiler.meters.nvml_samples.time.time", lambda: clock.now_s() + 1.7e9)
    volta = VirtualGpu(
        script=ramp(100, 300, 10).at(clock.now_s()),
        name="Tesla V100",
        architecture=5,
        update_period_s=0.02,
        instant_supported=False,
    )
    rig = start(volta)
    channel = rig.channels["gpu:0:power"]
    rig.meter.drain(channel)
    clock.advance(1)
    samples = rig.meter.drain(channel)
    assert len(samples) == 50
    times_s = [sample.time_s for sample in samples]
    assert times_s == sorted(times_s)
    assert times_s[-1] == pytest.approx(clock.now_s(), abs=1e-5)
    assert samples[-1].power_w == pytest.approx(120, abs=0.5)
    assert rig.meter.drain(channel) == ()


def test_samples_are_dropped_when_the_date_jumps(start, clock, monkeypatch) -> None:
    date_s = [1.7e9]
    monkeypatch.setattr("profiler.meters.nvml_samples.time.monotonic", clock.now_s)
    monkeypatch.setattr("profiler.meters.nvml_samples.time.time", lambda: clock.now_s() + date_s[0])
    rig = start(virtual_gpu(clock, architecture=5, name="V100", instant_supported=False))
    channel = rig.channels["gpu:0:power"]
    rig.meter.drain(channel)
    clock.advance(1)
    date_s[0] += 3600
    assert rig.meter.drain(channel) == ()


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [0, 1]),
        ("1", [1]),
        ("1,0", [1, 0]),
        (OTHER_UUID, [1]),
        ("GPU-9999", [1]),
        ("", []),
        ("-1", []),
        ("0,-1,1", [0]),
        ("0,7,1", [0]),
    ],
)
def test_gpus_are_numbered_as_the_process_sees_them(start, clock, visible, expected) -> None:
    gpus = (virtual_gpu(clock), virtual_gpu(clock, uuid=OTHER_UUID))
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    rig = start(*gpus, environment=environment)
    seen = [rig.channels[f"gpu:{n}:energy"].identity for n in range(len(expected))]
    assert seen == [gpus[index].uuid for index in expected]
    assert len(rig.channels) == 2 * len(expected)


def test_an_invalid_entry_is_reported(start, clock) -> None:
    rig = start(environment={"CUDA_VISIBLE_DEVICES": "0,7"})
    assert rig.kinds == ["gpu-hidden"]
    assert "'7'" in rig.findings[0].observed


def test_different_models_by_number_are_reported_as_unordered(start, clock) -> None:
    gpus = (virtual_gpu(clock), virtual_gpu(clock, uuid=OTHER_UUID, name="NVIDIA T4"))
    assert start(*gpus).kinds == ["gpu-order-unknown"]
    assert start(*gpus, environment={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}).findings == ()
    assert start(*gpus, environment={"CUDA_VISIBLE_DEVICES": OTHER_UUID}).findings == ()


@pytest.mark.parametrize("visible", [None, "MIG-bbbb", "0"])
def test_mig_is_named_as_the_whole_gpu_and_left_out_of_totals(start, clock, visible) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    rig = start(virtual_gpu(clock, mig_uuids=("MIG-aaaa", "MIG-bbbb")), environment=environment)
    channel = rig.channels["gpu:0:energy"]
    assert "whole GPU" in channel.source
    assert channel.uncountable is not None
    assert rig.kinds == ["gpu-mig"]


def test_no_library_means_no_gpu_and_no_word(start) -> None:
    rig = start(library_fault="no library")
    assert rig.channels == {}
    assert rig.findings == ()


@pytest.mark.parametrize("fault", ["driver not loaded", "no permission", "version mismatch"])
def test_a_driver_that_refuses_is_a_finding_with_a_remedy(start, fault) -> None:
    rig = start(library_fault=fault)
    assert rig.channels == {}
    assert rig.kinds == ["sensor-unreadable"]
    assert rig.findings[0].remedy


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (["energy unsupported"], {"gpu:0:power"}),
        (["power unsupported"], {"gpu:0:energy"}),
    ],
)
def test_what_is_not_supported_is_no_channel(start, clock, faults, expected) -> None:
    rig = start(virtual_gpu(clock, *[Fault(kind) for kind in faults]))
    assert set(rig.channels) == expected
    assert rig.findings == ()


def test_a_gpu_without_any_sensor_is_a_finding(start, clock) -> None:
    rig = start(virtual_gpu(clock, Fault("energy unsupported"), Fault("power unsupported")))
    assert rig.channels == {}
    assert rig.kinds == ["gpu-without-sensor"]


def test_energy_without_permission_is_a_finding_with_a_remedy(start, clock) -> None:
    rig = start(virtual_gpu(clock, Fault("no permission")))
    assert rig.channels == {}
    assert set(rig.kinds) == {"gpu-unreadable"}
    assert all(finding.remedy for finding in rig.findings)


ESSENTIAL = {
    "nvmlInitWithFlags",
    "nvmlShutdown",
    "nvmlErrorString",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetTotalEnergyConsumption",
}


def test_a_library_with_the_counter_alone_is_enough(start, clock) -> None:
    names = [name.removeprefix("c_") for name in vars(VirtualNvml) if name.startswith("c_")]
    rig = start(missing=tuple(set(names) - ESSENTIAL))
    assert set(rig.channels) == {"gpu:0:energy"}
    before_j = rig.read("gpu:0:energy")
    clock.advance(1)
    assert rig.read("gpu:0:energy") - before_j == pytest.approx(300, abs=1e-3)


@pytest.mark.parametrize("every", [2, 3])
def test_a_sensor_that_fails_at_times_still_opens(start, clock, every) -> None:
    rig = start(virtual_gpu(clock, Fault("failing", every=every)))
    assert "gpu:0:energy" in rig.channels
    outcomes = []
    for _ in range(6):
        try:
            rig.read("gpu:0:energy")
            outcomes.append(True)
        except SensorError:
            outcomes.append(False)
    assert outcomes.count(False) == 6 // every


def test_a_lost_gpu_raises_with_a_hint_and_comes_back(start, clock) -> None:
    rig = start(virtual_gpu(clock, Fault("lost", start_s=1, end_s=2)))
    clock.advance(1.5)
    with pytest.raises(SensorError, match="GPU is lost") as caught:
        rig.read("gpu:0:energy")
    assert caught.value.hint
    clock.advance(1)
    assert rig.read("gpu:0:energy") > 0


def test_one_of_two_gpus_lost_from_the_start_leaves_the_other(start, clock) -> None:
    lost = virtual_gpu(clock, Fault("lost"))
    rig = start(lost, virtual_gpu(clock, uuid=OTHER_UUID))
    assert {key for key in rig.channels if key.endswith("energy")} == {"gpu:1:energy"}
    assert rig.kinds == ["gpu-unreadable"]


def test_a_slow_sensor_is_probed_once_and_its_cost_is_known(start, clock) -> None:
    rig = start(virtual_gpu(clock, Fault("slow", delay_s=0.2)))
    assert rig.channels["gpu:0:energy"].read_cost_s == pytest.approx(0.2)


def test_facts_are_read_by_uuid_with_or_without_prefix(start, clock) -> None:
    rig = start(virtual_gpu(clock, event_reasons=0x44, temperature_c=61))
    identity = rig.channels["gpu:0:energy"].identity
    facts = gpu_facts(identity)
    assert facts == gpu_facts(identity.removeprefix("GPU-"))
    assert facts.power_limit_w == 700
    assert facts.temperature_c == 61
    assert facts.event_reasons == ("power cap", "thermal slowdown (hardware)")
    assert facts.as_text()["driver"] == "570.00"
    assert gpu_facts("GPU-unknown").as_text() == {}


def test_facts_without_nvml_are_all_unknown(start) -> None:
    start(library_fault="no library")
    assert gpu_facts("GPU-1").as_text() == {}


def test_closing_leaves_other_users_of_nvml_their_session(start) -> None:
    rig = start()
    pynvml.nvmlInit()
    rig.meter.close()
    assert pynvml.nvmlDeviceGetCount() == 1
    pynvml.nvmlShutdown()


def test_reading_an_unopened_channel_is_refused() -> None:
    channel = Channel(device="gpu:0", kind=ENERGY, source="")
    with pytest.raises(SensorError, match="gpu:0:energy"):
        NvmlMeter().read(channel)


def test_a_name_that_is_no_utf_8_is_shown_escaped_and_loses_no_gpu(start, clock) -> None:
    odd = virtual_gpu(clock, name=b"NVIDIA \xff100".decode(errors="surrogateescape"))
    rig = start(odd, virtual_gpu(clock, uuid=OTHER_UUID))
    assert {"gpu:0:energy", "gpu:1:energy"} <= set(rig.channels)
    assert "NVIDIA \\xff100" in rig.channels["gpu:0:energy"].source
    assert rig.kinds == ["gpu-order-unknown"]


def test_what_pynvml_itself_gets_wrong_about_one_gpu_is_a_sensor_error(start, clock) -> None:
    rig = start()
    with pytest.raises(SensorError, match="ArgumentError"):
        rig.meter._session.call("nvmlDeviceGetName", object())


def sleeping(tree: SysfsTree, status: str) -> SleepingGpus:
    for slot, vendor in (("0000:01:00.0", "0x10de"), ("0000:00:02.0", "0x8086")):
        tree.add(f"{slot}/vendor", vendor)
        tree.add(f"{slot}/class", "0x030000")
        tree.add(f"{slot}/power/runtime_status", status if vendor == "0x10de" else "active")
    return SleepingGpus(tree.root, reader=tree)


def test_gpus_that_sleep_are_not_woken_and_are_read_once_awake(clock, tmp_path) -> None:
    tree = SysfsTree(tmp_path, clock.now_s)
    with install(Scenario(gpus=(virtual_gpu(clock),)), now_s=clock.now_s) as library:
        meter = NvmlMeter(environment={}, sleeping=sleeping(tree, "suspended"))
        (channel,), (finding,) = open_meter(meter, clock=clock)
        assert (channel.key, finding.kind) == ("gpu:0:energy", "gpu-asleep")
        with pytest.raises(AsleepError):
            meter.read(channel)
        assert library._init_count == 0
        sleeping(tree, "active")
        before_j = meter.read(channel)
        clock.advance(2)
        assert meter.read(channel) - before_j == pytest.approx(600, abs=1e-3)
        meter.close()
        assert library._init_count == 0


def test_a_counter_that_fails_at_the_start_is_told_and_asked_again(start, clock) -> None:
    rig = start(virtual_gpu(clock, Fault("failing", end_s=1.0)))
    assert "gpu-unreadable" in rig.kinds
    with pytest.raises(SensorError):
        rig.read("gpu:0:energy")
    clock.advance(2)
    before_j = rig.read("gpu:0:energy")
    clock.advance(1)
    assert rig.read("gpu:0:energy") - before_j == pytest.approx(300, abs=1e-3)
