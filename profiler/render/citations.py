"""Sources by number: each distinct one is written out once, and referred to as [1] elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

from profiler.values.estimate import Estimate
from profiler.values.profile import Profile


class Sources:
    """Numbers the sources of one section in the order in which they are cited.

    A source made of others is cited by these: "[2] + [3], minus idle".

    Args:
        parts: sources of which others may be made.
    """

    def __init__(self, parts: Iterable[str] = ()) -> None:
        longest_first = sorted({part for part in parts if part}, key=len, reverse=True)
        texts = "|".join(map(re.escape, longest_first))
        self._part = re.compile(rf"(?<!\w)({texts})(?!\w)") if texts else None
        self._numbers: dict[str, int] = {}

    def cite(self, estimate: Estimate) -> str:
        """What stands in a table for the source of a number."""
        source = estimate.source
        shortened = self.shorten(source)
        return self._number(source) if shortened == source else shortened

    def shorten(self, text: str) -> str:
        """The same text with every part that it names as a number."""
        if self._part is None:
            return text
        return self._part.sub(lambda found: self._number(found[1]), text)

    def notes(self) -> tuple[str, ...]:
        """Every source that was cited, one line each."""
        return tuple(f"[{number}] {source}" for source, number in self._numbers.items())

    def _number(self, source: str) -> str:
        return f"[{self._numbers.setdefault(source, len(self._numbers) + 1)}]"


def sources_of(*profiles: Profile) -> Sources:
    """The sources of some profiles: a total is made of those of its parts."""
    parts = [part.energy_j.source for profile in profiles for part in profile.energy_parts]
    parts += [
        part.energy_kwh.source
        for profile in profiles
        if profile.codecarbon is not None
        for part in profile.codecarbon.parts
    ]
    factors = [profile.carbon for profile in profiles if profile.carbon is not None]
    return Sources([*parts, *(factor.intensity_g_per_kwh.source for factor in factors)])
