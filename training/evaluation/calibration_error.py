"""Expected calibration error: the distance of a model's confidence from its accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profiler.values.estimate import Basis, Estimate

from .accuracy import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

BIN_COUNT = 15
RESAMPLE_COUNT = 400
FORMULA = f"ECE, {BIN_COUNT} equal-width bins (Guo et al., arXiv 1706.04599, eq. 3)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The error, and what it would be by chance alone.

    Args:
        error: expected calibration error, 0 (calibrated) to 1. A sum of absolute values, it is
            biased upwards: no sample of a calibrated model gives 0.
        chance: mean error of a model that is calibrated exactly, with these confidences and as
            many images: about the bias of an `error` near it.
    """

    error: Estimate
    chance: Estimate


def calibrate(confidences: NDArray[Any], correct: NDArray[Any]) -> Calibration:
    """Compare confidence and share of right answers, bin by bin.

    The error is the sum over bins of (images in it / all) x |share right - mean confidence|, bin m
    holding the confidences in ((m - 1) / 15, m / 15]. The order of the images does not matter.

    The interval comes from a bootstrap over images and is made safe against the bias: the upper
    end is the percentile, the lower the basic bootstrap's, or 0 where 2.5 % of the samples of a
    calibrated model reach the error. The percentile interval alone never holds the truth of a
    calibrated model; this one held it in 94 to 99 % of simulated evaluations of 450 and of 10,000
    images.

    Args:
        confidences: probability of each image's first guess, (N,).
        correct: whether it was right, (N,).

    Raises:
        ValueError: no images, or confidences outside [0, 1].
    """
    import numpy as np

    if not len(confidences) or not ((confidences >= 0) & (confidences <= 1)).all():
        raise ValueError("confidences are between 0 and 1, at least one")
    order = np.lexsort((correct, confidences))
    expected = confidences[order].astype(float)
    gaps = correct[order].astype(float) - expected
    bins = np.clip(np.ceil(expected * BIN_COUNT).astype(int) - 1, 0, BIN_COUNT - 1)
    error = _error(gaps, bins)
    generator = np.random.default_rng(0)
    resampled, by_chance = [], []
    for _ in range(RESAMPLE_COUNT):
        drawn = generator.integers(0, len(gaps), len(gaps))
        resampled.append(_error(gaps[drawn], bins[drawn]))
        by_chance.append(_error((generator.random(len(gaps)) < expected) - expected, bins))
    upper = 1 - (1 - CONFIDENCE) / 2
    high = max(error, float(np.quantile(resampled, upper)))
    is_beyond_chance = error > float(np.quantile(by_chance, upper))
    return Calibration(
        error=_estimate(error, max(0.0, 2 * error - high) if is_beyond_chance else 0.0, high),
        chance=_chance(float(np.mean(by_chance)), len(gaps)),
    )


def _error(gaps: NDArray[Any], bins: NDArray[Any]) -> float:
    import numpy as np

    return float(np.abs(np.bincount(bins, weights=gaps)).sum() / len(gaps))


def _estimate(error: float, low: float, high: float) -> Estimate:
    return Estimate(
        point=error, low=low, high=high, unit="", confidence=CONFIDENCE,
        basis=Basis.MEASURED, source=f"{FORMULA}; interval by bootstrap over images",
    )  # fmt: skip


def _chance(mean: float, image_count: int) -> Estimate:
    return Estimate(
        point=mean, low=None, high=None, unit="", confidence=None, basis=Basis.ESTIMATED,
        source=f"simulated: ECE of a calibrated model on {image_count:,} images",
    )  # fmt: skip
