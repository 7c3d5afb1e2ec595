"""Why a measured energy is not the paper's: a product of factors, one a cause.

A paper that multiplies MACs by a constant and writes the result down differs from a measurement by

    here / paper = MACs x pJ per MAC x unit x idle x host

where, with E = n x MACs x pJ per MAC for n inferences,

    MACs        counted here / the paper's count
    pJ per MAC  net joules of the processor here over MACs here / the paper's constant
    unit        what the paper's own counts and constant give / what it states
    idle        gross / net joules of the processor
    host        joules of processor and the rest of the machine / of the processor

Each is the ratio of two neighbours in a chain of energies: the product is the whole exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from profiler.values.estimate import Basis, Estimate, counted, quotient, stated, total, weakest
from profiler.values.profile import EnergyPart, Profile
from profiler.values.quantities import JOULES_PER_KWH, MILLION

MACS = "MACs"
PJ_PER_MAC = "pJ per MAC"
UNIT = "unit"
IDLE = "idle power"
HOST = "host"
CAUSES = (MACS, PJ_PER_MAC, UNIT, IDLE, HOST)
PICO = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyClaim:
    """An energy that a paper computed from MACs.

    Args:
        energy_kwh: as it states it, for a million inferences.
        mac_count: that it counts for one inference.
        pj_per_mac: the constant that it multiplied with, as far as its numbers show.
    """

    energy_kwh: float
    mac_count: float
    pj_per_mac: float

    def __post_init__(self) -> None:
        for name in ("energy_kwh", "mac_count", "pj_per_mac"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"'{name}' is not positive: {value}")

    @property
    def computed_j(self) -> float:
        """Joules of an inference by its own count and constant."""
        return self.mac_count * self.pj_per_mac * PICO

    @property
    def stated_j(self) -> float:
        """Joules of an inference that it states."""
        return self.energy_kwh * JOULES_PER_KWH / MILLION


@dataclass(frozen=True, slots=True)
class Factor:
    """One cause: how many times larger it makes the figure here, and between which numbers."""

    cause: str
    ratio: Estimate
    paper: str
    here: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorSplit:
    """The factors of here / paper; their product is `whole.point`.

    The interval of the whole is that of the joules here. Those of the factors belong together: what
    one has too much another has too little, so they do not multiply to it.
    """

    factors: tuple[Factor, ...]
    whole: Estimate


def split_ratio(over: FactorSplit, under: FactorSplit) -> FactorSplit | None:
    """The factors between a paper's ratio of two energies and the measured one.

    Args:
        over: the split of the numerator's energy.
        under: of the denominator's, on the same terms.
    """
    whole = quotient(over.whole, under.whole, unit="x", source="ratio of the two")
    ratios = [
        quotient(above.ratio, below.ratio, unit="x", source=f"{above.cause}, ratio of the two")
        for above, below in zip(over.factors, under.factors, strict=True)
    ]
    known = [ratio for ratio in ratios if ratio is not None]
    if whole is None or len(known) < len(ratios):
        return None
    factors = tuple(
        Factor(above.cause, ratio, f"{above.paper} / {below.paper}", f"{above.here} / {below.here}")
        for above, below, ratio in zip(over.factors, under.factors, known, strict=True)
    )
    return FactorSplit(factors=factors, whole=whole)


def split_energy(claim: ProxyClaim, profile: Profile) -> FactorSplit | None:
    """The factors between a paper's energy and a measured one, for one item.

    Args:
        claim: what the paper states, and what it computed that from.
        profile: the same network, measured; with its parts where there is more than one.

    Returns:
        None where MACs, items or joules are not known.
    """
    items, macs = profile.workload.batch_size, profile.mac_count
    gross, net, host = _processor_and_host(profile)
    if not items or macs is None or gross is None or macs.point <= 0:
        return None
    # Without net joules idle power stays inside the picojoules, and that is said.
    is_told_apart = net is not None and net.point > 0
    own = net if net is not None and net.point > 0 else gross
    mac_count = macs.point / items
    seen = total([gross, *host], source="processor and host")
    whole = None if seen is None else seen.scaled(1 / items / claim.stated_j, "x")
    pj_here = own.scaled(1 / items / mac_count / PICO, "pJ")
    idle = _over(gross, own, "gross / net joules of the processor")
    if whole is None or seen is None:
        return None
    by_macs = counted(mac_count / claim.mac_count, "x", "counted here / the study's count")
    by_unit = stated(
        claim.computed_j / claim.stated_j, "x", Basis.QUOTED, "the study's numbers / its figure"
    )
    computed_kwh = claim.computed_j * MILLION / JOULES_PER_KWH
    factors = (
        Factor(MACS, by_macs, f"{claim.mac_count:,.0f}", f"{mac_count:,.0f}"),
        Factor(
            PJ_PER_MAC,
            pj_here.scaled(1 / claim.pj_per_mac, "x"),
            f"{claim.pj_per_mac:g}",
            f"{pj_here.point:.3g}",
        ),
        Factor(
            UNIT, by_unit, f"{claim.energy_kwh:g} kWh", f"{computed_kwh:.3g} kWh by its own numbers"
        ),
        Factor(
            IDLE,
            idle,
            "none",
            _share(1 - own.point / gross.point) if is_told_apart else "inside pJ per MAC",
        ),
        Factor(
            HOST,
            _over(seen, gross, "joules of machine / processor"),
            "none",
            _share(1 - gross.point / seen.point),
        ),
    )
    basis = weakest((whole.basis, Basis.QUOTED))
    return FactorSplit(
        factors=factors,
        whole=replace(whole, basis=basis, source=f"{seen.source} / the study's figure"),
    )


def _processor_and_host(
    profile: Profile,
) -> tuple[Estimate | None, Estimate | None, tuple[Estimate, ...]]:
    """Gross and net joules of a call by what ran the model, and gross joules of the rest."""
    is_processor = _is_gpu if profile.workload.device != "cpu" else _is_cpu
    own = [part for part in profile.energy_parts if part.in_total and is_processor(part.device)]
    if not own:
        return profile.energy_j, profile.net_energy_j, ()
    nets = [part.net_energy_j for part in own]
    known = [net for net in nets if net is not None]
    rest = [part for part in profile.energy_parts if part not in own]
    return (
        total([part.energy_j for part in own], source="the processor"),
        total(known, source="the processor, net") if len(known) == len(nets) else None,
        tuple(part.energy_j for part in _beside(rest, profile.workload.device)),
    )


def _beside(rest: Sequence[EnergyPart], device: str) -> list[EnergyPart]:
    """The other pieces of the machine, without a second sensor of the same piece."""
    kept = [part for part in rest if part.in_total]
    if device == "cpu":
        return kept
    for is_piece in (_is_cpu, _is_memory):
        pieces = [part for part in rest if not part.in_total and is_piece(part.device)]
        strongest = min((part.energy_j.basis.weakness for part in pieces), default=0)
        kept += [part for part in pieces if part.energy_j.basis.weakness == strongest]
    return kept


def _is_memory(device: str) -> bool:
    return device.startswith(("ram", "dram"))


def _is_gpu(device: str) -> bool:
    return device.startswith("gpu")


def _is_cpu(device: str) -> bool:
    return device.startswith("cpu")


def _over(whole: Estimate, part: Estimate, source: str) -> Estimate:
    """The ratio of two joules of one run; exactly 1 where there is nothing beside the part."""
    ratio = None if whole.point == part.point else quotient(whole, part, unit="x", source=source)
    return ratio or counted(1.0, "x", f"{source}: the same joules")


def _share(share: float) -> str:
    return f"{100 * share:.0f} % of the joules"
