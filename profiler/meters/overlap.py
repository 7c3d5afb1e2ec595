"""Which channels of different meters hold the same joules, so that no total counts them twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from profiler.values.estimate import Basis
from profiler.values.trace import Channel, ChannelKind

WHOLE_MACHINE = ("board", "battery")


def without_double_counts(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels of one machine, in their order, with what the meters cannot know of one another.

    A CPU that RAPL counts is taken from there, and other readings or estimates of it count in no
    total. A meter of the whole machine (board, battery) holds everything else; a reading that may
    be a minute old does so only where no counter is live.
    """
    has_counter = any(c.kind is ChannelKind.ENERGY and c.basis is Basis.MEASURED for c in channels)
    has_rapl = any(_is_rapl(channel) for channel in channels)
    has_sensor = any(_reads_cpu(c) and c.basis is Basis.MEASURED for c in channels)
    settled = []
    for channel in channels:
        if has_rapl and _reads_cpu(channel) and not _is_rapl(channel):
            settled.append(_set_aside(channel, "RAPL counts the same CPU"))
        elif has_sensor and channel.basis is not Basis.MEASURED:
            settled.append(_set_aside(channel, "a sensor reads the same machine"))
        elif has_counter and channel.longest_hold_s is not None:
            reason = f"its reading may be {channel.longest_hold_s:.0f} s old, and counters are live"
            settled.append(_set_aside(channel, reason))
        else:
            settled.append(channel)
    return _with_whole_machine(settled)


def is_cpu_read(channels: Sequence[Channel]) -> bool:
    """Whether a sensor already reads the CPU, or the whole machine around it."""
    return any(_reads_cpu(c) or _root(c) in WHOLE_MACHINE for c in channels)


def _with_whole_machine(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Let the first meter of the whole machine hold everything that is not of its own kind."""
    roots = [_root(c) for c in channels if "/" not in c.device and c.uncountable is None]
    whole = next((root for root in WHOLE_MACHINE if root in roots), None)
    if whole is None:
        return tuple(channels)
    inside = tuple(
        dict.fromkeys(c.device for c in channels if _root(c) != whole or "/" in c.device)
    )
    return tuple(
        replace(channel, contains=inside)
        if _root(channel) == whole and "/" not in channel.device
        else channel
        for channel in channels
    )


def _set_aside(channel: Channel, reason: str) -> Channel:
    return replace(channel, uncountable=channel.uncountable or reason)


def _root(channel: Channel) -> str:
    return channel.device.partition(":")[0].partition("/")[0]


def _reads_cpu(channel: Channel) -> bool:
    return _root(channel) in ("cpu", "psys")


def _is_rapl(channel: Channel) -> bool:
    return _reads_cpu(channel) and channel.source.startswith("RAPL ")
