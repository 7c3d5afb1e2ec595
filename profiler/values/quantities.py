"""The table of everything that is reported about a profile, in the order it is shown.

Renderers, the comparison and the JSON output all walk this table, so a new quantity is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .estimate import Basis, Estimate, counted, product, quotient
from .profile import CarbonFactors, Profile

ACCURACY = "accuracy"
MILLION = 1e6
JOULES_PER_KWH = 3.6e6
MOSTLY_ASSUMED = 0.5
"""Share of the joules from which they say less about energy than about time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One reported number: how it is named, and how it is read from a profile.

    `of_variants` is one that only variants have: its absence elsewhere is nothing to report.
    """

    key: str
    label: str
    of: Callable[[Profile], Estimate | None]
    lower_is_better: bool | None = True
    of_variants: bool = False

    def label_for(self, profile: Profile) -> str:
        """The label with what one item of this workload is."""
        item = profile.workload.item
        if item == "image":
            return self.label
        return self.label.replace("image", item).replace("inferences", f"{item}s")


def per_item(estimate: Estimate | None, profile: Profile, unit: str) -> Estimate | None:
    """A per-call figure divided by the items of a call."""
    batch_size = profile.workload.batch_size
    if estimate is None or not batch_size:
        return None
    return estimate.scaled(1 / batch_size, unit)


def throughput_per_s(profile: Profile) -> Estimate | None:
    """Items per second."""
    batch_size = profile.workload.batch_size
    if profile.latency_s is None or not batch_size:
        return None
    items = counted(batch_size, "item", "batch size")
    return quotient(items, profile.latency_s, unit="item/s", source=profile.latency_s.source)


def energy_per_million_kwh(profile: Profile) -> Estimate | None:
    """Gross kWh for a million items, PUE not applied."""
    return _million(profile, profile.energy_j)


def net_energy_per_million_kwh(profile: Profile) -> Estimate | None:
    """Net kWh for a million items, PUE not applied."""
    return _million(profile, profile.net_energy_j)


def _million(profile: Profile, energy_j: Estimate | None) -> Estimate | None:
    item_j = per_item(energy_j, profile, "J")
    return None if item_j is None else item_j.scaled(MILLION / JOULES_PER_KWH, "kWh")


def carbon_g(profile: Profile) -> Estimate | None:
    """Grams of CO2 equivalent for a call: gross kWh x PUE x intensity."""
    if profile.energy_j is None or profile.carbon is None:
        return None
    return grams(profile.energy_j.scaled(1 / JOULES_PER_KWH, "kWh"), profile.carbon)


def grams(energy_kwh: Estimate, carbon: CarbonFactors) -> Estimate:
    """Grams of CO2 equivalent: gross kWh x PUE x intensity."""
    at_the_meter = product(energy_kwh, carbon.pue, unit="kWh", source=f"{energy_kwh.source}, PUE")
    intensity = carbon.intensity_g_per_kwh
    return product(at_the_meter, intensity, unit="g", source=f"joules x {intensity.source}")


def carbon_per_million_g(profile: Profile) -> Estimate | None:
    """Grams of CO2 equivalent for a million items: gross kWh x PUE x intensity."""
    energy_kwh = energy_per_million_kwh(profile)
    if energy_kwh is None or profile.carbon is None:
        return None
    return grams(energy_kwh, profile.carbon)


def is_told(row: Quantity, profile: Profile) -> bool:
    """Whether a report of the profile has a place for the number, seen or not."""
    return not row.of_variants or row.of(profile) is not None


def assumed_share(profile: Profile) -> float:
    """Share of the joules that is an assumed power times the time, from 0 to 1."""
    parts = [part for part in profile.energy_parts if part.in_total]
    whole_j = sum(part.energy_j.point for part in parts)
    assumed_j = sum(p.energy_j.point for p in parts if p.energy_j.basis is Basis.ASSUMED)
    return assumed_j / whole_j if whole_j > 0 else 0.0


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(key="latency_s", label="latency per call", of=lambda p: p.latency_s),
    Quantity(
        key="latency_per_item_s",
        label="latency per image",
        of=lambda p: per_item(p.latency_s, p, "s"),
    ),
    Quantity(
        key="throughput_per_s", label="throughput", of=throughput_per_s, lower_is_better=False
    ),
    Quantity(key="energy_j", label="energy per call (gross)", of=lambda p: p.energy_j),
    Quantity(key="net_energy_j", label="energy per call (net)", of=lambda p: p.net_energy_j),
    Quantity(
        key="energy_per_item_j",
        label="energy per image (gross)",
        of=lambda p: per_item(p.energy_j, p, "J"),
    ),
    Quantity(
        key="net_energy_per_item_j",
        label="energy per image (net)",
        of=lambda p: per_item(p.net_energy_j, p, "J"),
    ),
    Quantity(key="carbon_g", label="carbon per call", of=carbon_g),
    Quantity(key="power_w", label="average power", of=lambda p: p.power_w),
    Quantity(key="idle_power_w", label="idle power", of=lambda p: p.idle_power_w),
    Quantity(key="peak_memory_bytes", label="peak memory", of=lambda p: p.peak_memory_bytes),
    Quantity(
        key="energy_per_million_kwh",
        label="energy, 1 M inferences (gross)",
        of=energy_per_million_kwh,
    ),
    Quantity(
        key="net_energy_per_million_kwh",
        label="energy, 1 M inferences (net)",
        of=net_energy_per_million_kwh,
    ),
    Quantity(
        key="carbon_per_million_g", label="carbon, 1 M inferences", of=carbon_per_million_g
    ),
    Quantity(key="mac_count", label="MACs per call", of=lambda p: p.mac_count),
    Quantity(
        key="mac_count_per_item",
        label="MACs per image",
        of=lambda p: per_item(p.mac_count, p, "MAC"),
    ),
    Quantity(
        key="effective_mac_count",
        label="effective MACs per call",
        of=lambda p: p.effective_mac_count,
        of_variants=True,
    ),
    Quantity(key="parameter_count", label="parameters", of=lambda p: p.parameter_count),
    Quantity(key="size_bytes", label="size", of=lambda p: p.size_bytes),
    Quantity(
        key="compressed_bytes",
        label="size, compressed",
        of=lambda p: p.compressed_bytes,
        of_variants=True,
    ),
    Quantity(key="score", label="efficiency score", of=lambda p: p.score),
    Quantity(
        key="score_by_ratio",
        label="efficiency score, dense counts and p_s",
        of=lambda p: p.score_by_ratio,
        of_variants=True,
    ),
    Quantity(
        key=ACCURACY, label="accuracy (top-1)", of=lambda p: p.accuracy, lower_is_better=False
    ),
)  # fmt: skip
