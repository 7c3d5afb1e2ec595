"""What is published about the power sensors of NVIDIA's chips.

NVML API reference: power usage is a one-second average on Ampere and newer, except GA100. Yang et
al., arXiv 2312.02741: update periods, and that A100 and H100 look at 25 of every 100 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

ARCHITECTURE_VOLTA, ARCHITECTURE_AMPERE, ARCHITECTURE_HOPPER = 5, 7, 9
GA100_NAMES = ("A100", "A800", "A30")
INSTANTANEOUS = "instantaneous"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipSensor:
    """The power sensor of one chip; None for what is not published.

    Args:
        update_period_s: how often its values move.
        instant_averaging_s: span of the instant power field.
        usage_averaging_s: span of the older power usage query.
        usage_text: the same in words.
    """

    update_period_s: float | None
    instant_averaging_s: float | None
    usage_averaging_s: float | None
    usage_text: str


def sensor_of(architecture: int | None, name: str | None) -> ChipSensor:
    """The sensor of a GPU by NVML's architecture number and its name."""
    is_ga100 = architecture == ARCHITECTURE_AMPERE and any(
        model in (name or "").replace("-", " ").split() for model in GA100_NAMES
    )
    looks_at_25_ms = is_ga100 or architecture == ARCHITECTURE_HOPPER
    usage_averaging_s: float | None = None
    if is_ga100:
        usage_averaging_s, usage_text = 0.025, "25 ms of every 100 ms"
    elif architecture is None:
        usage_text = "averaging unknown"
    elif architecture >= ARCHITECTURE_AMPERE:
        usage_averaging_s, usage_text = 1.0, "one-second average"
    else:
        usage_text = INSTANTANEOUS
    volta_s = 0.02 if architecture == ARCHITECTURE_VOLTA else None
    return ChipSensor(
        update_period_s=0.1 if looks_at_25_ms else volta_s,
        instant_averaging_s=0.025 if looks_at_25_ms else None,
        usage_averaging_s=usage_averaging_s,
        usage_text=usage_text,
    )
