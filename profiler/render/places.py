"""Profiles that ran in one place and setting, so that their joules may be put on one axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from profiler.values.estimate import Estimate
from profiler.values.profile import Profile
from profiler.values.quantities import per_item

from .setting import size_of_call


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRun:
    """A profile of a place.

    Args:
        profile: what was measured.
        label: its name in this report; the short one where no other of the place has it.
        energy_j: joules of one item, or of a call that has no items.
    """

    profile: Profile
    label: str
    energy_j: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One machine, device and batch size.

    Args:
        title: of these, in words.
        item: what an item is: "image".
        members: at least one, in the order of the report.
    """

    title: str
    item: str
    members: tuple[PlacedRun, ...]


def places_of(profiles: Sequence[Profile], labels: Sequence[str]) -> tuple[Setting, ...]:
    """The profiles whose joules were seen, place by place."""
    groups: dict[tuple[object, ...], list[PlacedRun]] = {}
    for profile, label in zip(profiles, labels, strict=True):
        workload = profile.workload
        energy_j = per_item(profile.energy_j, profile, "J")
        if energy_j is not None:
            key = (
                profile.environment.fingerprint,
                workload.device,
                workload.batch_size,
                workload.item,
                workload.threads,
            )
            member = PlacedRun(profile=profile, label=label, energy_j=energy_j)
            groups.setdefault(key, []).append(member)
    return tuple(
        Setting(
            title=_title(own[0].profile),
            item=own[0].profile.workload.item,
            members=_called_shortly(own),
        )
        for own in groups.values()
    )


def _called_shortly(members: Sequence[PlacedRun]) -> tuple[PlacedRun, ...]:
    """By the name alone where that tells them apart: the title says the rest."""
    count = Counter(member.profile.name for member in members)
    return tuple(
        replace(member, label=member.profile.name) if count[member.profile.name] == 1 else member
        for member in members
    )


def _title(profile: Profile) -> str:
    workload = profile.workload
    return f"{profile.environment.device_name} ({workload.device}), {size_of_call(profile)}"
