"""Software Carbon Intensity, ISO/IEC 21031: SCI = ((E x I) + M) / R.

E is energy in kWh, here with the site's PUE; I the carbon intensity in g/kWh; M embodied emissions;
R the functional unit. M is measured by nothing here, so that what is given is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from .estimate import Estimate
from .profile import Profile
from .quantities import JOULES_PER_KWH, grams, per_item


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareCarbon:
    """The score of a profile, and what it is made of.

    Args:
        energy_kwh: E of one functional unit, before PUE.
        intensity_g_per_kwh: I.
        pue: power usage effectiveness, by which E is multiplied.
        embodied_g: M; always None, since nothing measures it.
        functional_unit: R, in words: "1 image".
        operational_g: E x PUE x I of one functional unit: the score without M.
    """

    energy_kwh: Estimate
    intensity_g_per_kwh: Estimate
    pue: Estimate
    embodied_g: Estimate | None
    functional_unit: str
    operational_g: Estimate


def software_carbon(profile: Profile) -> SoftwareCarbon | None:
    """The score of an inference, or of a command; None where joules or the factors are not known.

    The functional unit is one item of the batch, or one call where there are none.
    """
    if profile.energy_j is None or profile.carbon is None:
        return None
    items_j = per_item(profile.energy_j, profile, "J")
    energy_kwh = (items_j or profile.energy_j).scaled(1 / JOULES_PER_KWH, "kWh")
    return SoftwareCarbon(
        energy_kwh=energy_kwh,
        intensity_g_per_kwh=profile.carbon.intensity_g_per_kwh,
        pue=profile.carbon.pue,
        embodied_g=None,
        functional_unit=f"1 {profile.workload.item}" if items_j is not None else "1 call",
        operational_g=grams(energy_kwh, profile.carbon),
    )
