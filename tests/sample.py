"""Realistic profiles for tests: two models of the zoo on a GPU or on a CPU without a sensor."""

from __future__ import annotations

from dataclasses import replace

from profiler.values.estimate import Basis, Estimate, counted, stated
from profiler.values.findings import Finding
from profiler.values.layer_cost import LayerCost
from profiler.values.profile import CarbonFactors, EnergyPart, Environment, Profile, Workload
from profiler.values.trace import (
    Channel,
    ChannelKind,
    CounterTrace,
    Fault,
    FaultKind,
    PowerTrace,
    Window,
)

NVML = "NVML total energy counter"
CODECARBON = "CodeCarbon's model (TDP x load)"


def measured(
    point: float, relative: float, unit: str, source: str = "timer", **changes: object
) -> Estimate:
    """A number with a symmetrical 95 % interval."""
    side = abs(point) * relative
    estimate = Estimate(
        point=point,
        low=point - side,
        high=point + side,
        unit=unit,
        confidence=0.95,
        basis=Basis.MEASURED,
        source=source,
    )
    return replace(estimate, **changes)  # type: ignore[arg-type] # any field may be replaced


def sample_traces() -> tuple[CounterTrace | PowerTrace, ...]:
    counter = Channel(
        device="gpu:0",
        kind=ChannelKind.ENERGY,
        source=NVML,
        update_period_s=0.1,
        resolution_j=0.001,
        gain_error=0.05,
        identity="GPU-5c1f9e3a",
    )
    power = Channel(device="gpu:0", kind=ChannelKind.POWER, source="NVML instant power")
    return (
        CounterTrace(
            channel=counter,
            earliest_s=(0.1, 0.2, 0.3),
            latest_s=(0.102, 0.202, 0.302),
            energy_j=(10.0, 20.5, 30.1),
            epoch=(0, 0, 1),
            last_seen_s=0.35,
            faults=(Fault(kind=FaultKind.RESET, start_s=0.25, end_s=0.3, message="it fell"),),
        ),
        PowerTrace(channel=power, time_s=(0.1, 0.15), power_w=(101.5, 99.0), last_seen_s=None),
    )


def _layers(energy_j: Estimate | None, latency_s: float) -> tuple[LayerCost, ...]:
    rows = (
        ("features.0", "Conv2d", 432, 110_592, 0.21),
        ("features.1", "BatchNorm2d", 32, 0, 0.07),
        ("features.3", "Conv2d", 4_608, 294_912, 0.27),
        ("features.6", "MaxPool2d", 0, 0, 0.09),
        ("classifier", "Linear", 12_900, 12_800, 0.06),
    )
    return tuple(
        LayerCost(
            path=path,
            kind=kind,
            call_count=1,
            parameter_count=parameters,
            mac_count=macs,
            read_bytes=4 * parameters + 12_288,
            written_bytes=16_384,
            latency_s=measured(latency_s * share, 0.03, "s", "timed in situ"),
            energy_j=None if energy_j is None else energy_j.scaled(share, "J"),
        )
        for path, kind, parameters, macs, share in rows
    )


def sample_profile(
    name: str = "lightweight",
    *,
    batch_size: int = 128,
    cpu: bool = False,
    latency_s: float = 0.00123,
    energy_j: float = 0.312,
    parameter_count: int = 258_292,
    mac_count: int = 12_159_488,
    created_utc: str = "2026-11-22T01:30:00Z",
) -> Profile:
    """A complete profile; with `cpu`, one of a machine that has no sensor at all."""
    systematic = None if cpu else 0.05
    kind = {
        "source": CODECARBON if cpu else NVML,
        "basis": Basis.ESTIMATED if cpu else Basis.MEASURED,
        "systematic": systematic,
        "estimated_share": 1.0 if cpu else 0.0,
    }
    energy = measured(energy_j, 0.014, "J", **kind)
    device = "cpu" if cpu else "cuda:0"
    return Profile(
        name=name,
        created_utc=created_utc,
        environment=Environment(
            device_name="Intel Xeon (2 cores)" if cpu else "NVIDIA H100 80GB HBM3",
            fingerprint="cpu-7d21" if cpu else "gpu-19ab",
            facts={"python": "3.11.9", "torch": "2.15.0", "governor": "performance"},
        ),
        workload=Workload(
            model=name,
            device=device,
            batch_size=batch_size,
            input_shapes=(f"{batch_size}x3x32x32",),
            data="digits",
            threads=1,
            seed=0,
        ),
        latency_s=measured(latency_s, 0.012, "s"),
        energy_j=energy,
        net_energy_j=None if cpu else measured(energy_j * 0.7, 0.02, "J", **kind),
        power_w=measured(energy_j / latency_s, 0.018, "W", **kind),
        idle_power_w=None if cpu else measured(72.4, 0.01, "W", **kind),
        peak_memory_bytes=None if cpu else measured(312e6, 0.0, "B", "torch allocator"),
        parameter_count=counted(parameter_count, "", "named_parameters"),
        mac_count=counted(mac_count * batch_size, "MAC", "dispatch over formulas"),
        size_bytes=counted(parameter_count * 4 + 3_000, "B", "parameters and buffers"),
        accuracy=stated(0.70, "", Basis.QUOTED, "the study, 100 epochs"),
        score=counted(0.0896, "", "score formula"),
        energy_parts=_parts(energy, cpu),
        carbon=CarbonFactors(
            intensity_g_per_kwh=stated(369, "g/kWh", Basis.QUOTED, "CodeCarbon 2023, USA"),
            pue=stated(1.0, "", Basis.ASSUMED, "no overhead assumed"),
        ),
        layers=_layers(energy, latency_s),
        traces=() if cpu else sample_traces(),
        windows=(Window(name="block 0", start_s=0.1, end_s=0.3, iteration_count=160),),
        findings=_findings(cpu),
        stopped_by="precision",
    )


def _parts(energy: Estimate, cpu: bool) -> tuple[EnergyPart, ...]:
    if not cpu:
        return (EnergyPart(device="gpu:0", energy_j=energy, net_energy_j=None),)
    ram = replace(energy.scaled(0.6, "J"), basis=Basis.ASSUMED, source="20 W of RAM assumed")
    return (
        EnergyPart(device="cpu", energy_j=energy.scaled(0.4, "J"), net_energy_j=None),
        EnergyPart(device="ram", energy_j=ram, net_energy_j=None),
    )


def _findings(cpu: bool) -> tuple[Finding, ...]:
    if not cpu:
        return ()
    return (
        Finding(
            kind="estimate-only",
            observed="no energy sensor could be read; the joules are a model's, not a measurement",
            remedy="python -m profiler doctor",
        ),
    )


def resnet18(**changes: object) -> Profile:
    """The heavier of the two."""
    settings = {
        "latency_s": 0.0104,
        "energy_j": 4.61,
        "parameter_count": 11_220_132,
        "mac_count": 555_468_800,
    }
    return sample_profile("resnet18", **(settings | changes))  # type: ignore[arg-type] # by name
