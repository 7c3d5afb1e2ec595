"""What the estimator says about its own numbers."""

from __future__ import annotations

from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.plain_text import few_digits
from profiler.values.trace import Channel

TOO_WIDE = 0.05


def no_sensor(device: str) -> Finding:
    """Nothing was read for a target."""
    return Finding(
        kind="no-sensor",
        observed=f"no sensor of {device} saw this window",
        remedy="run `python -m profiler doctor` to see which sensors can be read",
    )


def not_begun(channel: Channel) -> Finding:
    """The recording has not seen two moves yet."""
    return Finding(
        kind="not-closed-yet",
        observed=f"the counter of {channel.device} has not moved twice yet",
        remedy="read the window again later, or record with wait=True",
    )


def not_closed(channel: Channel, open_s: float) -> Finding:
    """The window ends after the last move."""
    return Finding(
        kind="not-closed-yet",
        observed=(
            f"the last {open_s * 1e3:.0f} ms of the window on {channel.device} lie after the last "
            "counter move"
        ),
        remedy="read the window again after the next move, or record with wait=True",
    )


def not_sampled(channel: Channel, waiting_s: float) -> Finding:
    """The window has hardly begun when its power is read for the last time so far."""
    return Finding(
        kind="not-closed-yet",
        observed=(
            f"{waiting_s * 1e3:.0f} ms of the window on {channel.device} lie beside all samples of "
            "its power"
        ),
        remedy="read the window again after the next sample",
    )


def not_opened(channel: Channel, before_s: float) -> Finding:
    """The window begins before the first move."""
    return Finding(
        kind="not-opened-yet",
        observed=(
            f"the first {before_s * 1e3:.0f} ms of the window on {channel.device} lie before the "
            "first counter move"
        ),
        remedy="start recording some counter periods before the first window",
    )


def frozen(channel: Channel, still_s: float, where: str) -> Finding:
    """The counter stood still although it was read."""
    return Finding(
        kind="counter-frozen",
        observed=f"the counter of {channel.device} stood still for {still_s:.2f} s {where}",
        remedy="reload the driver or reset the device, then measure again",
    )


def reset(channel: Channel) -> Finding:
    """The counter began again from another value."""
    return Finding(
        kind="counter-reset",
        observed=(
            f"the counter of {channel.device} was reset inside the window: the energy around the "
            "reset is inferred from its neighbourhood"
        ),
        remedy="measure again without reloading the driver",
    )


def lost(channel: Channel, unseen_s: float) -> Finding:
    """The sensor could not be read in part of the window."""
    return Finding(
        kind="sensor-lost",
        observed=f"{channel.source} of {channel.device} was lost for {unseen_s:.2f} s",
        remedy="look into the kernel log for a device that fell off the bus, then measure again",
    )


def zero_power(channel: Channel) -> Finding:
    """A power that reads 0 W while the device runs."""
    return Finding(
        kind="power-stuck-at-zero",
        observed=f"{channel.source} of {channel.device} read 0 W throughout",
        remedy="do not use this sensor; run `python -m profiler doctor`",
    )


def lagging_counter(channel: Channel, lag_s: float) -> Finding:
    """The counter shows energy of an instant before its move, and was corrected for it."""
    return Finding(
        kind="counter-lags",
        observed=(
            f"the counter of {channel.device} shows energy {lag_s * 1e3:.0f} ms late, or work went "
            "on that long after its windows were closed; the joules allow for it"
        ),
        remedy="synchronize the device before a window closes",
    )


def suspended(message: str) -> Finding:
    """The machine slept while it was recorded."""
    return Finding(
        kind="suspended",
        observed=f"the machine was {message}: neither that time nor its joules are in the number",
        remedy="keep it awake while measuring: systemd-inhibit --what=sleep COMMAND",
    )


def asleep(channel: Channel, asleep_s: float) -> Finding:
    """A device was powered down in part of the target."""
    return Finding(
        kind="device-asleep",
        observed=f"{channel.device} was asleep for {asleep_s:.2f} s, and is taken to draw nothing "
        "then",
        remedy="",
    )


def stale(channel: Channel, update_count: int) -> Finding:
    """A slow sensor was not renewed often enough to tell."""
    return Finding(
        kind="stale-reading",
        observed=f"{channel.source} of {channel.device} was renewed {update_count} time(s) in the "
        f"window, and a reading may stand for {channel.longest_hold_s or 0.0:.0f} s",
        remedy="measure for several minutes, or let this user read the CPU's own counters "
        "(`python -m profiler doctor` says how)",
    )


def below_parts(device: str, whole_j: Estimate, parts: list[str], parts_j: float) -> Finding:
    """A sensor shows less than what lies inside it."""
    return Finding(
        kind="below-its-parts",
        observed=f"{device} shows {whole_j.point:.4g} J, less than the {parts_j:.4g} J of "
        f"{', '.join(parts)} inside it: these are counted instead",
        remedy=f"leave it out with --without {device}",
    )


def without_silent(devices: list[str]) -> Finding:
    """Devices whose sensors show nothing are not in the total."""
    return Finding(
        kind="not-in-total",
        observed=f"the total is without {', '.join(devices)}, whose sensor showed nothing all the "
        "while (0 W, a counter that stands still, or asleep)",
        remedy=f"leave it out for good with --without {devices[0]}, or see what `python -m "
        "profiler doctor` says of it",
    )


def fallback(channel: Channel) -> Finding:
    """Power samples stand in for the counter."""
    return Finding(
        kind="power-fallback",
        observed=(
            f"the joules of {channel.device} are integrated from {channel.source}, because its "
            "energy counter cannot tell"
        ),
        remedy="trust the interval, which is wider than a counter's",
    )


def disagreement(channel: Channel, counter_j: float, power_j: float) -> Finding:
    """Counter and power samples differ beyond what both may be off."""
    return Finding(
        kind="counter-power-disagree",
        observed=(
            f"over the whole recording the counter of {channel.device} says {counter_j:.4g} J and "
            f"its integrated power {power_j:.4g} J"
        ),
        remedy="measure a long steady load and compare with an external meter",
    )


def too_short(energy_j: Estimate, duration_s: float, period_s: float | None) -> Finding | None:
    """The interval is wide because the window is short beside the sensor's period."""
    width = energy_j.relative_half_width
    if width is not None and width <= TOO_WIDE:
        return None
    needed_s = 20 * (period_s or 0.1) if width is None else duration_s * width / TOO_WIDE
    return Finding(
        kind="too-short",
        observed=(
            f"{few_digits(duration_s, 3)} s is too short for {energy_j.source}"
            + ("" if width is None else f": the energy is known to ±{100 * width:.0f} %")
        ),
        remedy=f"make the window at least {few_digits(needed_s)} s long, or repeat it and sum the "
        "windows",
    )


def empty_window(channel: Channel) -> Finding:
    """A target without duration."""
    return Finding(
        kind="too-short",
        observed=f"the window has no duration for {channel.source}",
        remedy="close the window after the work has run",
    )


def beside(devices: list[str]) -> Finding:
    """Estimated devices stand beside a measured total."""
    return Finding(
        kind="estimate-beside",
        observed=f"the joules of {', '.join(devices)} are estimated, and not in the measured total",
        remedy="read them one by one; `python -m profiler doctor` says which sensor is missing",
    )


def incomplete(devices: list[str]) -> Finding:
    """A total would lack devices that exist but could not tell."""
    return Finding(
        kind="incomplete-total",
        observed=f"no total is given, because {', '.join(devices)} could not tell",
        remedy=f"leave out what fails with --without {devices[0]}, or read the devices one by one "
        "under `.channels`",
    )
