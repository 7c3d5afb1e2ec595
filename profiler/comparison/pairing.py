"""Which profile of one set is to be compared with which of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.errors import UsageError
from profiler.values.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Pairs of (base, other), and in words what found no partner."""

    pairs: tuple[tuple[Profile, Profile], ...]
    only_base: tuple[str, ...]
    only_other: tuple[str, ...]


def pair(base: Sequence[Profile], other: Sequence[Profile]) -> Pairing:
    """Pair two sets of profiles by what varies inside a set: model, batch size, dtype.

    What does not vary inside a set is what the two are compared for: lightweight against resnet18,
    fp32 against bf16, one batch size against another. One profile a side is always a pair.

    Raises:
        UsageError: one side has two profiles of the same workload.
    """
    varying = [
        index
        for index in range(len(_key(base[0])))
        if any(len({_key(profile)[index] for profile in side}) > 1 for side in (base, other))
    ]
    first, second = _index(base, varying), _index(other, varying)
    return Pairing(
        pairs=tuple((first[key], second[key]) for key in first if key in second),
        only_base=tuple(_words(first[key]) for key in first if key not in second),
        only_other=tuple(_words(second[key]) for key in second if key not in first),
    )


def _key(profile: Profile) -> tuple[object, ...]:
    return profile.name, profile.workload.batch_size, profile.workload.dtype


def _index(profiles: Sequence[Profile], varying: list[int]) -> dict[tuple[object, ...], Profile]:
    index: dict[tuple[object, ...], Profile] = {}
    for profile in profiles:
        key = tuple(_key(profile)[place] for place in varying)
        if key in index:
            raise UsageError(
                f"two runs on one side are of the same workload: {_words(profile)}, "
                f"of {index[key].created_utc} and {profile.created_utc}",
                hint="name one run; `python -m profiler runs` lists them",
            )
        index[key] = profile
    return index


def _words(profile: Profile) -> str:
    size = profile.workload.batch_size
    batch = "no batch size" if size is None else f"batch {size:,}"
    return f"{profile.name}, {batch}, {profile.workload.dtype}"
