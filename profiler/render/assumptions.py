"""In words: joules that are, for the most part, an assumed constant times the time."""

from __future__ import annotations

from profiler.values.estimate import Basis, total
from profiler.values.profile import Profile
from profiler.values.quantities import MOSTLY_ASSUMED, assumed_share
from profiler.values.units import show

_NAMES = {"ram": "memory", "dram": "memory"}


def assumption_in_words(profile: Profile) -> str | None:
    """What stands behind the joules of a profile; None where most of them are no assumption."""
    share, power_w, latency_s = assumed_share(profile), profile.power_w, profile.latency_s
    if share <= MOSTLY_ASSUMED or power_w is None or latency_s is None or latency_s.point <= 0:
        return None
    parts = [part for part in profile.energy_parts if part.in_total]
    assumed = [part for part in parts if part.energy_j.basis is Basis.ASSUMED]
    watts = sum(part.energy_j.point for part in assumed) / latency_s.point
    names = " and ".join(_NAMES.get(part.device, part.device) for part in assumed)
    rest = total(
        [part.energy_j for part in parts if part.energy_j.basis is not Basis.ASSUMED],
        source="all that is not assumed",
    )
    beside = "" if rest is None else f" The rest is {show(rest)} a call ({rest.basis.value})."
    return (
        f"{100 * share:.0f} % of its joules are {watts:.3g} W of {names} that nobody measured: "
        f"this is latency x {power_w.point:.3g} W.{beside}"
    )
