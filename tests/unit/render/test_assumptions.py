from __future__ import annotations

from dataclasses import replace

from profiler.comparison.verdicts import compare
from profiler.render.assumptions import assumption_in_words
from profiler.render.report import tell
from profiler.values.estimate import Basis, Estimate
from profiler.values.profile import EnergyPart, Profile
from tests.sample import measured, sample_profile


def with_parts(cpu_j: float, ram_j: float) -> Profile:
    def part(device: str, joules: float, basis: Basis) -> EnergyPart:
        return EnergyPart(
            device=device, energy_j=measured(joules, 0.01, "J", basis=basis), net_energy_j=None
        )

    whole: Estimate = measured(cpu_j + ram_j, 0.01, "J", basis=Basis.ASSUMED)
    return replace(
        sample_profile(cpu=True),
        energy_j=whole,
        latency_s=measured(0.01, 0.01, "s"),
        power_w=measured((cpu_j + ram_j) / 0.01, 0.01, "W"),
        energy_parts=(part("cpu", cpu_j, Basis.ESTIMATED), part("ram", ram_j, Basis.ASSUMED)),
    )


def test_joules_that_are_mostly_a_constant_are_called_so_in_the_headline() -> None:
    profile = with_parts(0.016, 0.2)
    words = assumption_in_words(profile)
    assert words is not None
    assert words.startswith("93 % of its joules are 20 W of memory that nobody measured")
    assert "latency x 21.6 W" in words
    assert "The rest is 16.00 ± 0.16 mJ a call (estimated)" in words
    assert words in tell([profile]).lead[0]


def test_joules_that_are_mostly_something_else_are_not() -> None:
    assert assumption_in_words(with_parts(0.3, 0.2)) is None
    assert assumption_in_words(sample_profile()) is None


def test_a_verdict_on_such_joules_is_called_one_on_time() -> None:
    first, second = with_parts(0.016, 0.2), with_parts(0.02, 0.2)
    kinds = {finding.kind for finding in compare(first, second).findings}
    assert "assumed-joules" in kinds
    mixed = compare(first, with_parts(0.3, 0.2))
    assert "assumed-joules" not in {finding.kind for finding in mixed.findings}
