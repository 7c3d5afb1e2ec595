"""The one check that every value of a sensor passes: can this be meant at all?

Drivers answer with all bits set, or with a number of another unit, where they have nothing to say:
an ACPI meter shows 0xFFFFFFFF mW, which reads as 4.29 MW. The bounds are wide: several times what
the largest device of a kind draws, so that whatever lies beyond is no reading.
"""

from __future__ import annotations

import math

from profiler.errors import SensorError
from profiler.values.trace import Channel, ChannelKind

from .base import Meter

HIGHEST_POWER_W = 2e4
HIGHEST_POWER_OF_W = {"gpu": 5e3, "cpu": 4e3, "dram": 1e3, "ram": 1e3, "battery": 1e3}
"""By the first word of a device; HIGHEST_POWER_W for boards, platforms and what is not named."""
HIGHEST_ENERGY_J = HIGHEST_POWER_W * 10 * 365 * 86400
"""Ten years at the highest power: 2^63 - 1 uJ lies beyond."""
# All bits of 32, with and without the sign, in the uW and mW that drivers speak.
NO_READING_W = tuple(step * unit for step in (2**31 - 1, 2**31, 2**32 - 1) for unit in (1e-6, 1e-3))


class ImplausibleError(SensorError):
    """A sensor answered with a value that it cannot mean."""


def read_plausible(meter: Meter, channel: Channel) -> float:
    """The present value of a channel.

    Raises `SensorError` where the read failed, `ImplausibleError` where its value cannot be meant.
    """
    value = meter.read(channel)
    check_plausible(channel, value)
    return value


def check_plausible(channel: Channel, value: float) -> None:
    """Raise `ImplausibleError` for NaN, a value below 0 or above its bound, or all bits set."""
    is_power = channel.kind is ChannelKind.POWER
    unit = "W" if is_power else "J"
    bound = highest_power_w(channel.device) if is_power else HIGHEST_ENERGY_J
    if not math.isfinite(value) or value < 0:
        raise ImplausibleError(f"{channel.key} read {value:g} {unit}, which is no {channel.kind}")
    if value > bound:
        raise ImplausibleError(
            f"{channel.key} read {value:.6g} {unit}, above the {bound:.3g} {unit} that are believed"
        )
    if is_power and any(abs(value - none_w) < 1e-7 * none_w for none_w in NO_READING_W):
        raise ImplausibleError(f"{channel.key} read {value:.6g} W: all bits set, a driver's 'none'")


def highest_power_w(device: str) -> float:
    """Watts above which no reading of a device is believed."""
    return HIGHEST_POWER_OF_W.get(device.partition(":")[0].partition("/")[0], HIGHEST_POWER_W)
