"""What a claim can be put beside: figures of a profile, and figures of finished trainings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from profiler.values.estimate import Estimate, quotient
from profiler.values.profile import Profile
from profiler.values.quantities import ACCURACY, MILLION, QUANTITIES, per_item
from reports.trainings import TrainedModel

Metric = Callable[[Profile], Estimate | None]
GOAL_ACCURACY = 0.9
ACCURACY_PER_MAC = "accuracy_per_million_macs"


def mac_count_per_million(profile: Profile) -> Estimate | None:
    """MACs of a million images."""
    one = per_item(profile.mac_count, profile, "MAC")
    return None if one is None else one.scaled(MILLION, "MAC")


def accuracy_per_million_macs(profile: Profile) -> Estimate | None:
    """Accuracy in points (0 to 100) over millions of MACs of one image."""
    macs = per_item(profile.mac_count, profile, "MAC")
    if profile.accuracy is None or macs is None:
        return None
    points = quotient(
        profile.accuracy.scaled(100, "%"),
        macs.scaled(1 / MILLION, "MAC"),
        unit="",
        source=f"{profile.accuracy.source}; {macs.source}",
    )
    # Counts have confidence 1, which must not pass to an accuracy that states none.
    return None if points is None else replace(points, confidence=profile.accuracy.confidence)


def half_parameter_count(profile: Profile) -> Estimate | None:
    """Half of the parameters: the reference of the efficiency score is half of a ResNet-18."""
    count = profile.parameter_count
    return None if count is None else count.scaled(0.5, count.unit)


def half_mac_count(profile: Profile) -> Estimate | None:
    """Half of the MACs of one item, likewise."""
    one = per_item(profile.mac_count, profile, "MAC")
    return None if one is None else one.scaled(0.5, "MAC")


def best_entry(profiles: Sequence[Profile]) -> Profile | None:
    """The lowest score among those that reach the accuracy the second study asks for."""
    entries = [
        profile
        for profile in profiles
        if profile.score is not None
        and profile.accuracy is not None
        and profile.accuracy.point >= GOAL_ACCURACY
    ]
    return min(entries, key=lambda entry: entry.score.point if entry.score else 0.0, default=None)


METRICS: dict[str, Metric] = {
    **{quantity.key: quantity.of for quantity in QUANTITIES},
    "mac_count_per_million": mac_count_per_million,
    ACCURACY_PER_MAC: accuracy_per_million_macs,
    "half_parameter_count": half_parameter_count,
    "half_mac_count_per_item": half_mac_count,
}
ENTRY_METRICS: dict[str, Metric] = {
    "best_entry_accuracy": lambda entry: entry.accuracy,
    "best_entry_score": lambda entry: entry.score,
}
"""Of the best entry among all networks here, whatever the study's was."""
TRAINING_METRICS: dict[str, Callable[[TrainedModel], Estimate | None]] = {
    ACCURACY: lambda trained: trained.result.accuracy,
    "training_duration_s": lambda trained: trained.result.duration_s,
}
