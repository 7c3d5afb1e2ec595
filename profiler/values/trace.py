"""What the recorder leaves behind: immutable traces and windows, all on CLOCK_MONOTONIC seconds.

A counter trace does not hold polled values. It holds *moves*: the cumulative energy of a channel
and the bracket of time in which it reached that value. Everything else is inferred later.

             earliest_s[k]        latest_s[k]
    ─────────────┼────────────────────┼──────────────▶ time
      last poll that saw       first poll that saw
      the old value            the new value: energy_j[k]
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .estimate import Basis


class ChannelKind(StrEnum):
    """What a sensor reports."""

    ENERGY = "energy"
    POWER = "power"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One quantity that one sensor reports about one device.

    Args:
        device: "gpu:0", "gpu:0/memory", "cpu:package-0", "cpu:package-0/core", "ram", "board", ...
        kind: a cumulative energy counter (J) or a power (W).
        source: the instrument in words, as reports show it.
        basis: measured, or estimated for a model such as CodeCarbon's.
        update_period_s: how often the sensor's own value moves; None when not known.
        resolution_j: smallest step of an energy counter.
        resolution_w: smallest step of a power reading.
        longest_hold_s: how long a reading may stand although the power moves; None where each
            update period renews it.
        averaging_s: span before a power reading over which the sensor averages; None when unknown.
        wrap_j: energy at which the counter starts again from 0; None where it does not.
        contains: devices whose energy is already inside this channel; no total counts them twice.
        gain_error: relative systematic error of the sensor as its vendor states it.
        read_cost_s: median cost of one read, probed when the meter was opened.
        identity: what names the hardware beyond this process (a GPU's UUID, a sysfs folder).
        always_draws: whether the device draws power whenever it can be read, so that a sensor which
            shows none is broken.
        uncountable: why this channel must be left out of totals, if it must (a MIG slice's parent).
    """

    device: str
    kind: ChannelKind
    source: str
    basis: Basis = Basis.MEASURED
    update_period_s: float | None = None
    resolution_j: float | None = None
    resolution_w: float | None = None
    longest_hold_s: float | None = None
    averaging_s: float | None = None
    wrap_j: float | None = None
    contains: tuple[str, ...] = ()
    gain_error: float | None = None
    read_cost_s: float | None = None
    identity: str | None = None
    always_draws: bool = False
    uncountable: str | None = None

    @property
    def key(self) -> str:
        """Unique name of the channel within one recording."""
        return f"{self.device}:{self.kind.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value read from a channel: joules for a counter, watts for a power."""

    time_s: float
    energy_j: float | None = None
    power_w: float | None = None


class FaultKind(StrEnum):
    """What can go wrong with a sensor while it is recorded."""

    UNREADABLE = "unreadable"
    RESET = "reset"
    FROZEN = "frozen"
    LOST = "lost"
    ASLEEP = "asleep"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A span in which a channel cannot be believed. `end_s` is None when it never recovered."""

    kind: FaultKind
    start_s: float
    end_s: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterTrace:
    """Moves of one energy counter, unwrapped and rising, as brackets in time.

    Args:
        channel: what was read.
        earliest_s: shape (n,), the counter cannot have reached `energy_j[k]` before this instant.
        latest_s: shape (n,), it had reached it by this instant.
        energy_j: shape (n,), joules since the first reading; never falls inside one epoch.
        epoch: shape (n,), counts resets: energies of different epochs cannot be subtracted.
        last_seen_s: the last instant at which the counter was read successfully.
        faults: what went wrong on the way.
        thinned_before_s: moves before this instant were thinned to save memory, so that a long gap
            there is no sign of a fault; None where all are here.
    """

    channel: Channel
    earliest_s: tuple[float, ...]
    latest_s: tuple[float, ...]
    energy_j: tuple[float, ...]
    epoch: tuple[int, ...]
    last_seen_s: float | None
    faults: tuple[Fault, ...] = ()
    thinned_before_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerTrace:
    """Power samples of one channel, shape (n,) each; a repeated value is logged again.

    Samples before `thinned_before_s` are means of several.
    """

    channel: Channel
    time_s: tuple[float, ...]
    power_w: tuple[float, ...]
    last_seen_s: float | None
    faults: tuple[Fault, ...] = ()
    thinned_before_s: float | None = None


Trace = CounterTrace | PowerTrace


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A named span of time in which the user's code did something worth measuring.

    Args:
        name: windows of one name did the same work, and are taken to draw similar power.
        start_s: CLOCK_MONOTONIC seconds.
        end_s: CLOCK_MONOTONIC seconds; None while the window is open.
        iteration_count: calls made inside, where the tool made them.
        item_count: items (images) processed inside, where the tool made them.
    """

    name: str
    start_s: float
    end_s: float | None
    iteration_count: int | None = None
    item_count: int | None = None

    @property
    def duration_s(self) -> float | None:
        """Length of a closed window."""
        return None if self.end_s is None else self.end_s - self.start_s
