"""The seam between the product and a machine's sensors: one small protocol."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Protocol

from profiler.errors import SensorError
from profiler.values.findings import Finding
from profiler.values.trace import Channel, Reading

# A file without a device behind it, or one that its driver never fills in.
NEVER = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP)


class AsleepError(SensorError):
    """A device is powered down and draws next to nothing; to read its sensor would wake it."""


class Meter(Protocol):
    """A family of sensors. A meter reads; it keeps no time, no totals and no thread.

    A meter takes the root of what it reads (a sysfs folder, a library) as a constructor argument,
    so that tests can hand it another one. `open` may be called once; `close` any number of times.
    `read` may be called from any thread, and from several at once.
    """

    name: str
    findings: tuple[Finding, ...]
    """What `open` saw that a reader must know: one sensor of several that cannot be read, a GPU
    whose power is shared with others."""

    def open(self) -> tuple[Channel, ...]:
        """Find the channels that this process may read, with the period their makers document.

        Returns () where the machine simply has none. Raises `SensorError`, with the command that
        mends it, where sensors exist but none can be read. Never waits: what takes seconds to learn
        (the period really kept, the noise) is `doctor`'s work.
        """

    def read(self, channel: Channel) -> float:
        """The present value: cumulative joules of a counter, as it counts, or watts.

        Raises `SensorError` when this read failed, `AsleepError` where the device is powered down;
        the recorder tries again at its next turn.
        """

    def drain(self, channel: Channel) -> Sequence[Reading]:
        """Samples that the device itself buffered since the last call, oldest first.

        () for a channel that buffers nothing.
        """

    def close(self) -> None:
        """Let go of what was opened; never raises."""


def silent_at_first(channel: Channel, error: Exception) -> Finding:
    """A sensor is there, and has nothing to say yet."""
    return Finding(
        kind="sensor-silent",
        observed=f"{channel.device} gave no reading at the start ({error}): it is asked again "
        "while it is recorded",
        remedy=f"leave it out with --without {channel.device}",
    )


def unknown_channel(meter_name: str, channel: Channel) -> SensorError:
    """The error of a read from a channel that the meter never opened, or has closed."""
    return SensorError(f"{meter_name} has no open channel {channel.key!r}")
