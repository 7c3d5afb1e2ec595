"""The first lines of a report: its verdict, and each run in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.comparison.verdicts import compare
from profiler.values.profile import Profile
from profiler.values.quantities import per_item
from profiler.values.units import show

from .assumptions import assumption_in_words
from .comparison_sections import sentence
from .setting import an_item

MOST_LINES = 4
Pairs = Sequence[tuple[Profile, Profile]]


def lead_of(
    profiles: tuple[Profile, ...], labels: tuple[str, ...], pairs: Pairs
) -> tuple[str, ...]:
    """One sentence a line.

    Args:
        profiles: of the report.
        labels: their names.
        pairs: those that are compared, each with its base.
    """
    first = profiles[0]
    places = dict.fromkeys(
        f"{profile.environment.device_name} ({profile.workload.device}, {profile.workload.dtype})"
        for profile in profiles
    )
    lines = [_answer(*pair) for pair in zip(profiles, labels, strict=True)]
    rest = len(lines) - MOST_LINES
    more = (f"And {rest} more.",) if rest > 0 else ()
    where = f"Run on {' and '.join(places)}, {first.created_utc[:10]}."
    return (*_headline(pairs), *lines[:MOST_LINES], *more, where)


def _headline(pairs: Pairs) -> tuple[str, ...]:
    """The verdict on the thriftiest of those that are compared with a base."""
    joules = [per_item(other.energy_j, other, "J") or other.energy_j for _, other in pairs]
    seen = [(energy_j.point, place) for place, energy_j in enumerate(joules) if energy_j]
    return (sentence(compare(*pairs[min(seen)[1]])),) if seen else ()


def _answer(profile: Profile, label: str) -> str:
    energy, what = per_item(profile.energy_j, profile, "J"), an_item(profile)
    if energy is None:
        energy, what = profile.energy_j, "a call"
    if energy is None:
        return f"{label}: no sensor saw its energy; {show(profile.latency_s)} a call."
    words = assumption_in_words(profile)
    return (
        f"{label}: {show(energy)} {what} ({energy.basis.value}), {show(profile.latency_s)} a call."
        + ("" if words is None else f" {words}")
    )
