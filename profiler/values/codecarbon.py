"""What CodeCarbon's own tracker says of a measurement, beside what this measurement says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .estimate import Estimate

CPU, GPU, RAM = "cpu", "gpu", "ram"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerReading:
    """One span as CodeCarbon's tracker accounts for it; it states no intervals.

    Args:
        version: CodeCarbon's.
        tracking_mode: "machine": everything that the machine draws, by whichever process.
        start_s: CLOCK_MONOTONIC seconds at which it began.
        end_s: CLOCK_MONOTONIC seconds at which it ended.
        parts: kWh by device ("cpu", "gpu", "ram"), without PUE; a device that it did not see is
            absent.
        gpu_identities: UUIDs of the GPUs inside "gpu".
        emissions_g: gCO2e of all parts, with PUE, at the intensity it was given; None where it
            went by another.
        cpu_s: CPU seconds that its process took in the span.
        startup_cpu_s: CPU seconds that its process took before.
    """

    version: str
    tracking_mode: str
    start_s: float
    end_s: float
    parts: dict[str, Estimate]
    gpu_identities: tuple[str, ...]
    emissions_g: Estimate | None
    cpu_s: Estimate
    startup_cpu_s: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCarbonPart:
    """One kind of device by both accounts, over the same span.

    Args:
        device: "cpu", "gpu" or "ram".
        energy_kwh: CodeCarbon's, without PUE; "measured" where it reads a sensor.
        own_energy_kwh: of the same devices, by this measurement; None where it did not see them.
        ratio: CodeCarbon's over ours.
    """

    device: str
    energy_kwh: Estimate
    own_energy_kwh: Estimate | None
    ratio: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCarbonOpinion:
    """CodeCarbon's own tracker as the second opinion on a whole measurement.

    Its span is the measurement's, idle and warm-up included: these are no figures of one call.

    Args:
        version: CodeCarbon's.
        tracking_mode: "machine": everything that the machine draws, by whichever process.
        span_s: how long both looked.
        energy_kwh: of all parts, without PUE.
        emissions_g: gCO2e of them, with PUE, at the intensity of this measurement.
        parts: by device, CodeCarbon's and ours.
        ratio: CodeCarbon's over ours, over the parts that both have.
        cpu_s: CPU seconds that its process took in the span.
        core_share: the same as a share of one core.
        startup_cpu_s: CPU seconds that its process took before the span began.
    """

    version: str
    tracking_mode: str
    span_s: Estimate
    energy_kwh: Estimate | None
    emissions_g: Estimate | None
    parts: tuple[CodeCarbonPart, ...]
    ratio: Estimate | None
    cpu_s: Estimate
    core_share: Estimate
    startup_cpu_s: Estimate

    def numbers(self) -> Iterator[tuple[str, Estimate | None]]:
        """Key and value of every number, in the order they are shown."""
        yield "codecarbon_energy_kwh", self.energy_kwh
        for part in self.parts:
            yield f"codecarbon_{part.device}_energy_kwh", part.energy_kwh
            yield f"codecarbon_{part.device}_own_energy_kwh", part.own_energy_kwh
            yield f"codecarbon_{part.device}_ratio", part.ratio
        yield "codecarbon_ratio", self.ratio
        yield "codecarbon_emissions_g", self.emissions_g
        yield "codecarbon_span_s", self.span_s
        yield "codecarbon_cpu_s", self.cpu_s
        yield "codecarbon_core_share", self.core_share
        yield "codecarbon_startup_cpu_s", self.startup_cpu_s
