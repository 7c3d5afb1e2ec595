"""Sensors that the kernel shows under /sys/class/hwmon, and a laptop's battery.

Units are those of the kernel's "Naming and data format standards for sysfs files": `energy*_input`
in uJ, `power*` in uW, `in*_input` in mV, `curr*_input` in mA; of a battery uW, uA and uV.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from profiler.errors import SensorError
from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind, Reading

from .base import unknown_channel
from .sysfs import SysfsReader, permission_remedy

HWMON_ROOT = Path("/sys/class/hwmon")
BATTERY_ROOT = Path("/sys/class/power_supply")
MICRO = 1e-6
WHOLE_BOARD_RAILS = ("VDD_IN", "POM_5V_IN")
INA_DRIVERS = ("ina3221", "ina219", "ina226", "ina238")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A channel and how it is read; `files` are those it needs."""

    channel: Channel
    read: Callable[[], float]
    files: tuple[Path, ...]


class HwmonMeter:
    """AMD and Intel GPUs, CPU drivers, board and rail meters, and a battery that is discharging.

    Args:
        root: the hwmon folder.
        battery_root: the power_supply folder.
        reader: reads the files; a stand-in in tests.
    """

    name = "hwmon"

    def __init__(
        self,
        root: Path = HWMON_ROOT,
        battery_root: Path = BATTERY_ROOT,
        *,
        reader: SysfsReader | None = None,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._root = root
        self._battery_root = battery_root
        self._reader = reader or SysfsReader()
        self._readers: dict[str, Callable[[], float]] = {}

    def open(self) -> tuple[Channel, ...]:
        found: list[_Found] = []
        counts: dict[str, int] = {}
        for folder in self._reader.folders(self._root):
            driver = self._text(folder / "name")
            if driver is None:
                continue
            found += self._sensors(folder, driver, counts.get(driver, 0))
            counts[driver] = counts.get(driver, 0) + 1
        for folder in self._reader.folders(self._battery_root):
            found += self._battery(folder)
        return tuple(self._kept(found))

    def read(self, channel: Channel) -> float:
        reader = self._readers.get(channel.key)
        if reader is None:
            raise unknown_channel(self.name, channel)
        try:
            return reader()
        except (OSError, ValueError) as error:
            raise SensorError(f"{channel.device} cannot be read: {error}") from error

    def drain(self, channel: Channel) -> Sequence[Reading]:
        return ()

    def close(self) -> None:
        self._readers.clear()

    def _kept(self, found: Sequence[_Found]) -> list[Channel]:
        kept: list[Channel] = []
        denied: list[Path] = []
        for sensor in found:
            try:
                sensor.read()
            except (OSError, ValueError, SensorError) as error:
                # EACCES is a matter of rights. All else is a sensor that shows nothing now: an
                # unpowered rail, or a GPU asleep, for which amdgpu answers EPERM.
                if isinstance(error, OSError) and error.errno == errno.EACCES:
                    denied += sensor.files
            else:
                self._readers[sensor.channel.key] = sensor.read
                kept.append(sensor.channel)
        if denied:
            files = " ".join(str(path) for path in denied)
            observed = f"{denied[0]} may not be read by this user"
            remedy = permission_remedy(
                f"sudo chmod a+r {files}", f"a udev rule that runs chmod a+r {files}"
            )
            self.findings = (Finding(kind="sensor-unreadable", observed=observed, remedy=remedy),)
        return kept

    def _sensors(self, folder: Path, driver: str, number: int) -> list[_Found]:
        if driver == "amdgpu":
            return self._amd_gpu(folder, f"gpu:amdgpu-{number}")
        if driver in ("i915", "xe"):
            return self._intel_gpu(folder, f"gpu:{driver}-{number}", driver)
        if driver == "amd_energy":
            return self._amd_sockets(folder)
        if driver == "zenpower":
            return self._zenpower(folder, number)
        if driver == "power_meter":
            return self._acpi(folder, "board" if number == 0 else f"board:{number}")
        if driver in INA_DRIVERS:
            return self._rails(folder, driver)
        return []

    def _amd_gpu(self, folder: Path, device: str) -> list[_Found]:
        # Only APUs show the rail of the northbridge: their figure is of the whole processor.
        is_apu = self._text(folder / "in1_label") == "vddnb"
        reason = "power of a whole APU, whose CPU other sensors may read" if is_apu else None
        for name, label in (("power1_average", "average power"), ("power1_input", "power")):
            if self._reader.has(folder / name):
                return [self._power(folder / name, device, f"amdgpu {label}", uncountable=reason)]
        return []

    def _intel_gpu(self, folder: Path, device: str, driver: str) -> list[_Found]:
        found: list[_Found] = []
        package = f"{device}/package"
        has_card = self._text(folder / "energy1_label") == "card"
        if self._reader.has(folder / "energy1_input"):
            inside = (package,) if has_card else ()
            found.append(self._energy(folder / "energy1_input", device, f"{driver} energy", inside))
        if self._reader.has(folder / "energy2_input"):
            own = package if found else device
            found.append(self._energy(folder / "energy2_input", own, f"{driver} package energy"))
        return found

    def _amd_sockets(self, folder: Path) -> list[_Found]:
        found: list[_Found] = []
        for counter in self._files(folder, "energy*_input"):
            label = self._text(_sibling(counter, "label")) or ""
            if label.startswith("Esocket"):
                socket = label.removeprefix("Esocket")
                found.append(self._energy(counter, f"cpu:socket-{socket}", f"amd_energy {label}"))
        return found

    def _zenpower(self, folder: Path, number: int) -> list[_Found]:
        """The package if the driver shows it; core and SoC rails only where it does not."""
        rails: list[_Found] = []
        for file in self._files(folder, "power*_input"):
            label = self._text(_sibling(file, "label")) or file.name
            if label == "RAPL_P_Package":
                return [self._power(file, f"cpu:zenpower-{number}", f"zenpower {label}")]
            rail = label.removeprefix("SVI2_P_").lower()
            rails.append(self._power(file, f"cpu:zenpower-{number}-{rail}", f"zenpower {label}"))
        return rails

    def _acpi(self, folder: Path, device: str) -> list[_Found]:
        file = folder / "power1_average"
        if not self._reader.has(file):
            file = folder / "power1_input"
        if not self._reader.has(file):
            return []
        interval_ms = self._number(folder / "power1_average_interval")
        averaging_s = interval_ms / 1000 if interval_ms else None
        return [self._power(file, device, "ACPI power meter", averaging_s=averaging_s)]

    def _rails(self, folder: Path, driver: str) -> list[_Found]:
        found: list[_Found] = []
        for volts in self._files(folder, "in*_input"):
            amperes = folder / volts.name.replace("in", "curr", 1)
            label = self._text(_sibling(volts, "label"))
            if label is None or not self._reader.has(amperes):
                continue
            device = "board" if label in WHOLE_BOARD_RAILS else f"board/{label}"
            channel = _channel(device, ChannelKind.POWER, f"{driver} rail {label}", folder)
            read = partial(self._product, volts, amperes, 1e-6)
            found.append(_Found(channel=channel, read=read, files=(volts, amperes)))
        return found

    def _battery(self, folder: Path) -> list[_Found]:
        if self._text(folder / "type") != "Battery" or self._text(folder / "scope") == "Device":
            return []
        if self._text(folder / "status") != "Discharging":
            return []
        files: tuple[Path, ...] = (folder / "power_now",)
        if not self._reader.has(files[0]):
            files = (folder / "current_now", folder / "voltage_now")

        def read_w() -> float:
            status = self._text(folder / "status")
            if status != "Discharging":
                raise SensorError(
                    f"the battery {folder.name} is {str(status).lower()}: it shows the machine's "
                    "power only while it discharges",
                    hint="pull the plug, or leave the battery out",
                )
            if len(files) == 1:
                return abs(self._reader.number(files[0])) * MICRO
            return abs(self._product(files[0], files[1], MICRO * MICRO))

        device = f"battery:{folder.name}"
        channel = _channel(device, ChannelKind.POWER, "battery discharge", folder)
        return [_Found(channel=channel, read=read_w, files=files)]

    def _power(
        self,
        file: Path,
        device: str,
        source: str,
        *,
        averaging_s: float | None = None,
        uncountable: str | None = None,
    ) -> _Found:
        channel = Channel(
            device=device,
            kind=ChannelKind.POWER,
            source=source,
            averaging_s=averaging_s,
            update_period_s=averaging_s,
            identity=str(file.parent),
            uncountable=uncountable,
        )
        return _Found(channel=channel, read=partial(self._scaled, file), files=(file,))

    def _energy(
        self, file: Path, device: str, source: str, contains: tuple[str, ...] = ()
    ) -> _Found:
        channel = Channel(
            device=device,
            kind=ChannelKind.ENERGY,
            source=source,
            resolution_j=MICRO,
            contains=contains,
            identity=str(file.parent),
        )
        return _Found(channel=channel, read=partial(self._scaled, file), files=(file,))

    def _scaled(self, file: Path) -> float:
        return self._reader.number(file) * MICRO

    def _product(self, first: Path, second: Path, factor: float) -> float:
        return self._reader.number(first) * self._reader.number(second) * factor

    def _files(self, folder: Path, pattern: str) -> list[Path]:
        return [path for path in self._reader.folders(folder) if path.match(pattern)]

    def _text(self, path: Path) -> str | None:
        try:
            return self._reader.text(path)
        except OSError:
            return None

    def _number(self, path: Path) -> float | None:
        try:
            return self._reader.number(path)
        except (OSError, ValueError):
            return None


def _sibling(file: Path, ending: str) -> Path:
    """power1_input -> power1_label."""
    return file.with_name(f"{file.name.partition('_')[0]}_{ending}")


def _channel(device: str, kind: ChannelKind, source: str, folder: Path) -> Channel:
    return Channel(device=device, kind=kind, source=source, identity=str(folder))
