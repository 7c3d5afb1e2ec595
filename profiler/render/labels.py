"""Short names that tell several profiles apart, whatever it is that they differ in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from profiler.values.profile import Profile

from .setting import size_of_call

# What a name says where profiles differ in it, the most telling first.
_DIFFERENCES: tuple[Callable[[Profile], str], ...] = (
    lambda profile: profile.workload.dtype,
    lambda profile: profile.workload.device,
    lambda profile: profile.workload.executor,
)
# What it says only where two would be called the same without it.
_LAST_DIFFERENCES: tuple[Callable[[Profile], str], ...] = (
    lambda profile: " and ".join(profile.workload.input_shapes),
    lambda profile: profile.workload.data,
    lambda profile: f"threads {profile.workload.threads}" if profile.workload.threads else "",
    lambda profile: profile.workload.checkpoint or "",
    lambda profile: profile.environment.device_name,
    lambda profile: f"seed {profile.workload.seed}",
    lambda profile: profile.created_utc,
)


def labels_of(profiles: Sequence[Profile]) -> tuple[str, ...]:
    """A short name a profile, no two alike.

    Its name and batch size; dtype, device and run-time where these differ between any two; then
    shape, data, threads, weights, machine, seed and time where two would still be called the same;
    a number in the end.
    """
    parts = [[profile.name] for profile in profiles]
    for own, profile in zip(parts, profiles, strict=True):
        if profile.workload.batch_size is not None:
            own.append(size_of_call(profile))
    for read in _DIFFERENCES:
        texts = [read(profile) for profile in profiles]
        if len(set(texts)) > 1:
            for own, text in zip(parts, texts, strict=True):
                own.append(text)
    for read in _LAST_DIFFERENCES:
        for places in _alike(parts):
            texts = [read(profiles[place]) for place in places]
            if len(set(texts)) > 1:
                for place, text in zip(places, texts, strict=True):
                    parts[place].append(text)
    for places in _alike(parts):
        for number, place in enumerate(places, 1):
            parts[place].append(f"number {number}")
    return tuple(", ".join(filter(None, own)) for own in parts)


def _alike(parts: Sequence[Sequence[str]]) -> list[list[int]]:
    """Places of those that are called the same so far."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, own in enumerate(parts):
        groups.setdefault(tuple(own), []).append(place)
    return [places for places in groups.values() if len(places) > 1]
