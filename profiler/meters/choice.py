"""Which sensors are wanted: by meter, device or family of devices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from profiler.errors import UsageError
from profiler.values.findings import Finding
from profiler.values.trace import Channel

FAMILIES = ("gpu", "cpu", "dram", "ram", "psys", "board", "battery")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorChoice:
    """Sensors to use alone, and sensors to leave out.

    Each word names a meter ("rapl"), a family of devices ("gpu"), a device with what lies inside it
    ("gpu:1", "cpu:package-0") or one of its channels ("gpu:0:power").

    Args:
        only: what to use; None for everything.
        without: what to leave out of that.
    """

    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()

    def takes(self, meter: str, channel: Channel) -> bool:
        """Whether a channel of a meter is wanted."""
        names = names_of(meter, channel)
        wanted = self.only is None or not names.isdisjoint(self.only)
        return wanted and names.isdisjoint(self.without)

    def may_take(self, meter: str) -> bool:
        """Whether anything of a meter may be wanted: it is not even opened otherwise."""
        return meter not in self.without

    def check(
        self,
        meters: Collection[str],
        seen: Iterable[tuple[str, Channel]],
        findings: Sequence[Finding] = (),
    ) -> None:
        """Refuse a word that names nothing.

        Args:
            meters: names of all meters there are.
            seen: by meter, the channels found on this machine.
            findings: what the meters to be used alone had to say.

        Raises:
            UsageError: a word is neither a meter, a family nor anything on this machine; or nothing
                of what is to be used alone is here.
        """
        found = list(seen)
        here = {name for meter, channel in found for name in names_of(meter, channel)}
        devices = list(dict.fromkeys(channel.device for _, channel in found))
        hint = f"this machine has {', '.join(devices) or 'no sensor'}; the meters are " + ", ".join(
            meters
        )
        for word in (*(self.only or ()), *self.without):
            if word not in here and word not in meters and word not in FAMILIES:
                raise UsageError(f"no sensor is named {word!r}", hint=hint)
        if self.only is not None and here.isdisjoint(self.only):
            asked = ", ".join(repr(word) for word in self.only)
            if findings:
                raise UsageError(
                    f"{asked} cannot be used: {findings[0].observed}",
                    hint=findings[0].remedy or hint,
                )
            raise UsageError(f"this machine has no sensor {asked}", hint=hint)


EVERYTHING = SensorChoice()
_current: ContextVar[SensorChoice] = ContextVar("sensor choice", default=EVERYTHING)


@contextmanager
def using_sensors(choice: SensorChoice) -> Iterator[None]:
    """Let all meters that are opened inside be those of a choice, unless they are given another."""
    token = _current.set(choice)
    try:
        yield
    finally:
        _current.reset(token)


def current_choice() -> SensorChoice:
    """The choice of the innermost `using_sensors`; everything outside of any."""
    return _current.get()


def names_of(meter: str, channel: Channel) -> set[str]:
    """Every word that chooses a channel."""
    parts = channel.device.split("/")
    devices = {"/".join(parts[: count + 1]) for count in range(len(parts))}
    return {meter, channel.key, channel.device.partition(":")[0].partition("/")[0], *devices}


def sensor_choice(
    sensors: Sequence[str] | str | None, without: Sequence[str] | str | None
) -> SensorChoice:
    """A choice from what a caller wrote: words, or one string of words with commas between them."""
    only = None if sensors is None else tuple(_words(sensors))
    if only == ():
        raise UsageError("no sensor is named to be used", hint="name one, such as gpu or rapl")
    return SensorChoice(only=only, without=tuple(_words(without or ())))


def _words(named: Sequence[str] | str) -> list[str]:
    texts = [named] if isinstance(named, str) else list(named)
    return [word.strip() for text in texts for word in text.split(",") if word.strip()]
