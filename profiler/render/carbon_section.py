"""The same joules under the electricity of several countries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from profiler.values.estimate import Estimate
from profiler.values.profile import CarbonFactors, Profile
from profiler.values.quantities import carbon_per_million_g
from profiler.values.units import show

from .document import Column, Section, Table


def carbon_section(
    profiles: Sequence[Profile], labels: Sequence[str], intensities: Mapping[str, Estimate]
) -> Section | None:
    """Grams for a million inferences, one country a column; None where nothing is known.

    Args:
        profiles: with joules, and the PUE that they were measured under.
        labels: their names.
        intensities: g/kWh by country.
    """
    rows = []
    for profile, label in zip(profiles, labels, strict=True):
        cells = [_grams(profile, intensity) for intensity in intensities.values()]
        if profile.carbon is not None and any(cell is not None for cell in cells):
            own = profile.carbon.intensity_g_per_kwh
            own_g = f"{show(carbon_per_million_g(profile))} ({show(own)})"
            rows.append((label, own_g, *(show(cell) for cell in cells)))
    if not rows:
        return None
    columns = (
        Column(label="run"),
        Column(label="as it was measured", role="number"),
        *(
            Column(label=f"{country} ({show(intensity)})", role="number", leaves=leaves)
            for leaves, (country, intensity) in zip(
                range(len(intensities), 0, -1), intensities.items(), strict=True
            )
        ),
    )
    sources = dict.fromkeys(intensity.source for intensity in intensities.values())
    return Section(
        title="Carbon by country",
        tables=(Table(caption="gCO2e of a million inferences", columns=columns, rows=tuple(rows)),),
        notes=(
            f"Intensities are means of a year, quoted ({'; '.join(sources)}); at an hour and a "
            "place they may be half or twice that. The joules are the same in every column, and "
            "so is the PUE of the run. Making the hardware is not in them.",
        ),
    )


def _grams(profile: Profile, intensity: Estimate) -> Estimate | None:
    if profile.carbon is None:
        return None
    elsewhere = CarbonFactors(intensity_g_per_kwh=intensity, pue=profile.carbon.pue)
    return carbon_per_million_g(replace(profile, carbon=elsewhere))
