"""CPU energy counters of Intel and AMD, through the kernel's powercap folders.

    intel-rapl:0        package-0          intel-rapl:1       psys (the whole platform)
    intel-rapl:0:0      core               intel-rapl-mmio:0  package-0 again, through MMIO
    intel-rapl:0:1      dram (beside the package, though the folder lies inside)

Counters move about every millisecond and start again from 0 at `max_energy_range_uj` (Intel SDM
volume 3B, "Platform Specific Power Management Support"; kernel documentation, "Power Capping
Framework"). AMD's package counter appears under the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from profiler.errors import SensorError
from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind, Reading

from .base import unknown_channel
from .sysfs import SysfsReader, permission_remedy

ROOT = Path("/sys/class/powercap")
UPDATE_PERIOD_S = 1e-3
RESOLUTION_J = 1e-6
BESIDE_PACKAGE = ("dram",)
UDEV_RULE = 'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r %S%p/energy_uj"'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Domain:
    """One folder: its place in the numbering ((0,), (0, 1)), and the name the kernel gives it."""

    folder: Path
    place: tuple[int, ...]
    name: str

    @property
    def interface(self) -> str:
        return self.folder.name.partition(":")[0]


class RaplMeter:
    """RAPL counters: each energy once, and known to lie inside the counter that holds it.

    Args:
        root: the powercap folder.
        reader: reads the files; a stand-in in tests.
    """

    name = "rapl"

    def __init__(self, root: Path = ROOT, *, reader: SysfsReader | None = None) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._root = root
        self._reader = reader or SysfsReader()
        self._files: dict[str, Path] = {}

    def open(self) -> tuple[Channel, ...]:
        domains = self._without_mirrored_dies(_without_mirrors(self._domains()))
        denied: list[Path] = []
        channels: list[Channel] = []
        for domain in domains:
            counter = domain.folder / "energy_uj"
            try:
                self._reader.number(counter)
            except PermissionError:
                denied.append(counter)
            except (OSError, ValueError):
                continue  # a folder without a counter is a power limit, not a sensor
            else:
                channel = self._channel(domain, domains)
                self._files[channel.key] = counter
                channels.append(channel)
        if denied and not channels:
            raise SensorError(f"{denied[0]} may be read by root only", hint=_remedy(self._root))
        if denied:
            self.findings = (
                Finding(
                    kind="sensor-unreadable",
                    observed=f"{len(denied)} of {len(denied) + len(channels)} RAPL counters may "
                    f"not be read, {denied[0]} among them",
                    remedy=_remedy(self._root),
                ),
            )
        return _with_contents(channels)

    def read(self, channel: Channel) -> float:
        path = self._files.get(channel.key)
        if path is None:
            raise unknown_channel(self.name, channel)
        try:
            return self._reader.number(path) * RESOLUTION_J
        except (OSError, ValueError) as error:
            hint = _remedy(self._root) if isinstance(error, PermissionError) else None
            raise SensorError(f"{path} cannot be read: {error}", hint=hint) from error

    def drain(self, channel: Channel) -> Sequence[Reading]:
        return ()

    def close(self) -> None:
        self._files.clear()

    def _domains(self) -> list[_Domain]:
        domains: list[_Domain] = []
        for folder in self._reader.folders(self._root):
            interface, *numbers = folder.name.split(":")
            if not interface.startswith("intel-rapl") or not numbers:
                continue
            try:
                place = tuple(int(number) for number in numbers)
                name = self._reader.text(folder / "name")
            except (OSError, ValueError):
                continue  # a domain may vanish while it is listed
            domains.append(_Domain(folder=folder, place=place, name=name))
        return domains

    def _without_mirrored_dies(self, domains: Sequence[_Domain]) -> list[_Domain]:
        """Drop packages whose counter shows another package's energy, and what lies inside them.

        Some processors show one counter once for every die. Two counters of microjoules that are
        not the same one do not agree when one is read between two readings of the other.
        """
        packages = [domain for domain in domains if len(domain.place) == 1]
        dropped: set[tuple[str, int]] = set()
        for number, domain in enumerate(packages):
            kept = [p for p in packages[:number] if (p.interface, p.place[0]) not in dropped]
            if any(self._is_mirror(other, domain) for other in kept):
                dropped.add((domain.interface, domain.place[0]))
        return [d for d in domains if (d.interface, d.place[0]) not in dropped]

    def _is_mirror(self, first: _Domain, second: _Domain) -> bool:
        try:
            before = self._reader.number(first.folder / "energy_uj")
            between = self._reader.number(second.folder / "energy_uj")
            after = self._reader.number(first.folder / "energy_uj")
        except (OSError, ValueError):
            return False
        return 0 < before <= between <= after

    def _channel(self, domain: _Domain, domains: Sequence[_Domain]) -> Channel:
        try:
            wrap_j = self._reader.number(domain.folder / "max_energy_range_uj") * RESOLUTION_J
        except (OSError, ValueError):
            wrap_j = None
        return Channel(
            device=_device(domain, domains),
            kind=ChannelKind.ENERGY,
            source=f"RAPL {_label(domain, domains)}",
            update_period_s=UPDATE_PERIOD_S,
            resolution_j=RESOLUTION_J,
            wrap_j=wrap_j or None,
            identity=str(domain.folder),
        )


def _without_mirrors(domains: Sequence[_Domain]) -> list[_Domain]:
    """One domain for each name at each level: what MMIO shows, the registers show as well."""
    kept: dict[tuple[str, str], _Domain] = {}
    by_place = {(domain.interface, domain.place): domain for domain in domains}
    for domain in sorted(domains, key=lambda d: (d.interface != "intel-rapl", d.place)):
        parent = by_place.get((domain.interface, domain.place[:-1]))
        kept.setdefault(("" if parent is None else parent.name, domain.name), domain)
    return list(kept.values())


def _parent(domain: _Domain, domains: Sequence[_Domain]) -> _Domain | None:
    matches = (
        other
        for other in domains
        if other.interface == domain.interface and other.place == domain.place[:-1]
    )
    return next(matches, None)


def _label(domain: _Domain, domains: Sequence[_Domain]) -> str:
    parent = _parent(domain, domains)
    return domain.name if parent is None else f"{domain.name} of {parent.name}"


def _device(domain: _Domain, domains: Sequence[_Domain]) -> str:
    if domain.name == "psys":
        return "psys"
    parent = _parent(domain, domains)
    if parent is None:
        return f"cpu:{domain.name}"
    if domain.name in BESIDE_PACKAGE:
        return f"{domain.name}:{parent.name}"
    return f"cpu:{parent.name}/{domain.name}"


def _with_contents(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Fill `contains`: what is inside a package, and everything inside psys."""
    filled: list[Channel] = []
    for channel in channels:
        others = [other.device for other in channels if other.device != channel.device]
        if channel.device == "psys":
            inside = tuple(others)
        else:
            inside = tuple(device for device in others if device.startswith(f"{channel.device}/"))
        filled.append(replace(channel, contains=inside))
    return tuple(filled)


def _remedy(root: Path) -> str:
    return permission_remedy(
        f"sudo chmod a+r {root}/*/energy_uj",
        f"echo '{UDEV_RULE}' | sudo tee /etc/udev/rules.d/70-rapl.rules",
    )
