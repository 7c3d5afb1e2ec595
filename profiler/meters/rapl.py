"""CPU energy counters of Intel and AMD, through the kernel's powercap folders.

    intel-rapl:0        package-0          intel-rapl:1       psys (the whole platform; with two
                                                              sockets each has its own: psys-1)
    intel-rapl:0:0      core               intel-rapl-mmio:0  package-0 again, through MMIO
    intel-rapl:0:1      dram (beside the package, though the folder lies inside)

Counters move about every millisecond and start again from 0 at `max_energy_range_uj` (Intel SDM
volume 3B, "Platform Specific Power Management Support"; kernel documentation, "Power Capping
Framework"). AMD's package counter appears under the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.errors import SensorError
from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind, Reading

from .base import NEVER, silent_at_first, unknown_channel
from .rapl_domains import Domain, device_of, label_of, with_contents, without_mirrors
from .sysfs import SysfsReader, permission_remedy

ROOT = Path("/sys/class/powercap")
HOST_ROOT = Path("/host/sys/class/powercap")
MASKED = "/sys/devices/virtual/powercap"
UPDATE_PERIOD_S = 1e-3
RESOLUTION_J = 1e-6
UDEV_RULE = 'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r %S%p/energy_uj"'


class RaplMeter:
    """RAPL counters: each energy once, and known to lie inside the counter that holds it.

    Args:
        root: the powercap folder.
        reader: reads the files; a stand-in in tests.
        host_root: the host's powercap folder as a container may be given it, read where the
            container's own is masked.
    """

    name = "rapl"

    def __init__(
        self,
        root: Path = ROOT,
        *,
        reader: SysfsReader | None = None,
        host_root: Path = HOST_ROOT,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._root = root
        self._host_root = host_root
        self._reader = reader or SysfsReader()
        self._files: dict[str, Path] = {}
        self._nameless: list[Path] = []

    def open(self) -> tuple[Channel, ...]:
        found = self._domains()
        masked = self._masked_count() if not found else 0
        if masked and self._reader.has(self._host_root):
            self._root = self._host_root
            found = self._domains()
        if masked and not found:
            raise SensorError(
                f"{self._root} lists {masked} RAPL domains, but this container masks {MASKED}, "
                "where they are",
                hint="start the container with `docker run -v /sys:/host/sys:ro ...` (podman: "
                f"--security-opt unmask={MASKED}), on a host where this user may read them",
            )
        domains = self._without_mirrored_dies(without_mirrors(found))
        denied = list(self._nameless)
        channels: list[Channel] = []
        for domain in domains:
            counter = domain.folder / "energy_uj"
            try:
                self._reader.number(counter)
            except PermissionError:
                denied.append(counter)
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) and error.errno in NEVER:
                    continue  # a folder without a counter is a power limit, not a sensor
                channels.append(self._kept(domain, domains))
                self.findings += (silent_at_first(channels[-1], error),)
            else:
                channels.append(self._kept(domain, domains))
        if denied and not channels:
            hint = _remedy(self._root, *{file.name for file in denied})
            raise SensorError(f"{denied[0]} may be read by root only", hint=hint)
        if denied:
            self.findings += (
                Finding(
                    kind="sensor-unreadable",
                    observed=f"{len(denied)} of {len(denied) + len(channels)} RAPL counters may "
                    f"not be read, {denied[0]} among them",
                    remedy=_remedy(self._root, *{file.name for file in denied}),
                ),
            )
        return with_contents(channels, domains)

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

    def _domains(self) -> list[Domain]:
        domains: list[Domain] = []
        self._nameless = []
        for folder in self._reader.folders(self._root):
            interface, *numbers = folder.name.split(":")
            if not interface.startswith("intel-rapl") or not numbers:
                continue
            try:
                place = tuple(int(number) for number in numbers)
                name = self._reader.text(folder / "name")
            except PermissionError:
                self._nameless.append(folder / "name")
                continue
            except (OSError, ValueError):
                continue  # a domain may vanish while it is listed
            domains.append(Domain(folder=folder, place=place, name=name))
        return domains

    def _masked_count(self) -> int:
        """Links to domains that lead nowhere: a container runtime hid what is behind them."""
        folders = self._reader.folders(self._root)
        domains = [folder for folder in folders if folder.name.startswith("intel-rapl")]
        return sum(
            not self._reader.has(folder / "name") for folder in domains if ":" in folder.name
        )

    def _without_mirrored_dies(self, domains: Sequence[Domain]) -> list[Domain]:
        """Drop dies whose counter shows another die's energy, and what lies inside them.

        Some processors show one counter once for every die. Two counters of microjoules that are
        not the same one do not agree when one is read between two readings of the other. Sockets
        are apart in any case.
        """
        packages = [d for d in domains if len(d.place) == 1 and not d.is_platform]
        dropped: set[tuple[str, int]] = set()
        for number, domain in enumerate(packages):
            kept = [
                p
                for p in packages[:number]
                if p.socket == domain.socket and (p.interface, p.place[0]) not in dropped
            ]
            if any(self._is_mirror(other, domain) for other in kept):
                dropped.add((domain.interface, domain.place[0]))
        return [d for d in domains if (d.interface, d.place[0]) not in dropped]

    def _is_mirror(self, first: Domain, second: Domain) -> bool:
        try:
            before = self._reader.number(first.folder / "energy_uj")
            between = self._reader.number(second.folder / "energy_uj")
            after = self._reader.number(first.folder / "energy_uj")
        except (OSError, ValueError):
            return False
        return 0 < before <= between <= after

    def _kept(self, domain: Domain, domains: Sequence[Domain]) -> Channel:
        channel = self._channel(domain, domains)
        self._files[channel.key] = domain.folder / "energy_uj"
        return channel

    def _channel(self, domain: Domain, domains: Sequence[Domain]) -> Channel:
        try:
            wrap_j = self._reader.number(domain.folder / "max_energy_range_uj") * RESOLUTION_J
        except (OSError, ValueError):
            wrap_j = None
        return Channel(
            device=device_of(domain, domains),
            kind=ChannelKind.ENERGY,
            source=f"RAPL {label_of(domain, domains)}",
            update_period_s=UPDATE_PERIOD_S,
            resolution_j=RESOLUTION_J,
            wrap_j=wrap_j or None,
            identity=str(domain.folder),
        )


def _remedy(root: Path, *names: str) -> str:
    files = " ".join(f"{root}/*/{name}" for name in sorted(names) or ["energy_uj"])
    return permission_remedy(
        f"sudo chmod a+r {files}",
        f"echo '{UDEV_RULE}' | sudo tee /etc/udev/rules.d/70-rapl.rules",
    )
