"""Where each driver keeps its figures under /sys/class/hwmon, and how they are read.

Units are those of the kernel's "Naming and data format standards for sysfs files": `energy*_input`
in uJ, `power*` in uW, `in*_input` in mV, `curr*_input` in mA; of a battery uW, uA and uV.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from profiler.errors import SensorError
from profiler.values.trace import Channel, ChannelKind

from .base import AsleepError
from .pci import Gpu
from .sysfs import SysfsReader

MICRO = 1e-6
WHOLE_BOARD_RAILS = ("VDD_IN", "POM_5V_IN")
INA_DRIVERS = ("ina3221", "ina219", "ina226", "ina238")
GPU_DRIVERS = ("amdgpu", "i915", "xe")
# Embedded controllers renew `power_now` between every two seconds and once a minute.
BATTERY_HOLD_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A channel and how it is read; `files` are those it needs."""

    channel: Channel
    read: Callable[[], float]
    files: tuple[Path, ...]


class DriverFiles:
    """Finds the sensors in the folders of the drivers that it knows."""

    def __init__(self, reader: SysfsReader) -> None:
        self._reader = reader

    def gpu(self, gpu: Gpu, number: int) -> list[Found]:
        """Sensors of a GPU, the process's own number of it among those of its driver.

        Each read asks first whether the GPU is asleep: to read its sensor would wake it.
        """
        device = f"gpu:{gpu.driver}-{number}"
        make = self._amd_gpu if gpu.driver == "amdgpu" else self._intel_gpu
        return [self._unless_asleep(found, gpu) for found in make(gpu, device)]

    def others(self, folder: Path, driver: str, number: int) -> list[Found]:
        """Sensors of every other driver; `number` counts the folders of one driver."""
        if driver == "amd_energy":
            return self._amd_sockets(folder)
        if driver == "zenpower":
            return self._zenpower(folder, number)
        if driver == "power_meter":
            return self._acpi(folder, "board" if number == 0 else f"board:{number}")
        if driver in INA_DRIVERS:
            return self._rails(folder, driver)
        return []

    def _amd_gpu(self, gpu: Gpu, device: str) -> list[Found]:
        # Only APUs show the rail of the northbridge: their figure is of the whole processor.
        is_apu = self.text(gpu.folder / "in1_label") == "vddnb"
        reason = "power of a whole APU, whose CPU other sensors may read" if is_apu else None
        for name, label in (("power1_average", "average power"), ("power1_input", "power")):
            if self._reader.has(gpu.folder / name):
                channel = _channel(
                    device, ChannelKind.POWER, f"amdgpu {label}", gpu.identity, uncountable=reason
                )
                return [self._plain(channel, gpu.folder / name)]
        return []

    def _intel_gpu(self, gpu: Gpu, device: str) -> list[Found]:
        found: list[Found] = []
        package = f"{device}/package"
        has_card = self.text(gpu.folder / "energy1_label") == "card"
        if self._reader.has(gpu.folder / "energy1_input"):
            inside = (package,) if has_card else ()
            source = f"{gpu.driver} energy"
            found.append(
                self._energy(gpu.folder / "energy1_input", device, source, gpu.identity, inside)
            )
        if self._reader.has(gpu.folder / "energy2_input"):
            own = package if found else device
            source = f"{gpu.driver} package energy"
            found.append(self._energy(gpu.folder / "energy2_input", own, source, gpu.identity))
        return found

    def _unless_asleep(self, found: Found, gpu: Gpu) -> Found:
        status = gpu.folder / "device" / "power" / "runtime_status"
        if not self._reader.has(status):
            return found

        def read() -> float:
            if self.text(status) in ("suspended", "suspending"):
                raise AsleepError(f"{found.channel.device} is asleep")
            return found.read()

        return Found(channel=found.channel, read=read, files=found.files)

    def _amd_sockets(self, folder: Path) -> list[Found]:
        found: list[Found] = []
        for counter in self._files(folder, "energy*_input"):
            label = self.text(_sibling(counter, "label")) or ""
            if label.startswith("Esocket"):
                socket = label.removeprefix("Esocket")
                source = f"amd_energy {label}"
                found.append(self._energy(counter, f"cpu:socket-{socket}", source, str(folder)))
        return found

    def _zenpower(self, folder: Path, number: int) -> list[Found]:
        """The package if the driver shows it; core and SoC rails only where it does not."""
        rails: list[Found] = []
        for file in self._files(folder, "power*_input"):
            label = self.text(_sibling(file, "label")) or file.name
            is_package = label == "RAPL_P_Package"
            rail = "" if is_package else "-" + label.removeprefix("SVI2_P_").lower()
            device = f"cpu:zenpower-{number}{rail}"
            channel = _channel(device, ChannelKind.POWER, f"zenpower {label}", str(folder))
            if is_package:
                return [self._plain(channel, file)]
            rails.append(self._plain(channel, file))
        return rails

    def _acpi(self, folder: Path, device: str) -> list[Found]:
        file = folder / "power1_average"
        if not self._reader.has(file):
            file = folder / "power1_input"
        if not self._reader.has(file):
            return []
        interval_ms = self._number(folder / "power1_average_interval")
        averaging_s = interval_ms / 1000 if interval_ms else None
        channel = _channel(
            device, ChannelKind.POWER, "ACPI power meter", str(folder), averaging_s=averaging_s
        )
        return [self._plain(channel, file)]

    def _rails(self, folder: Path, driver: str) -> list[Found]:
        found: list[Found] = []
        for volts in self._files(folder, "in*_input"):
            amperes = folder / volts.name.replace("in", "curr", 1)
            label = self.text(_sibling(volts, "label"))
            if label is None or not self._reader.has(amperes):
                continue
            device = "board" if label in WHOLE_BOARD_RAILS else f"board/{label}"
            source = f"{driver} rail {label}"
            channel = _channel(device, ChannelKind.POWER, source, str(folder))
            read = partial(self._product, volts, amperes, 1e-6)
            found.append(Found(channel=channel, read=read, files=(volts, amperes)))
        return found

    def battery(self, folder: Path) -> list[Found]:
        """The battery of the machine while it discharges."""
        if self.text(folder / "type") != "Battery" or self.text(folder / "scope") == "Device":
            return []
        if self.text(folder / "status") != "Discharging":
            return []
        files: tuple[Path, ...] = (folder / "power_now",)
        if not self._reader.has(files[0]):
            files = (folder / "current_now", folder / "voltage_now")

        def read_w() -> float:
            status = self.text(folder / "status")
            if status != "Discharging":
                raise SensorError(
                    f"the battery {folder.name} is {str(status).lower()}: it shows the machine's "
                    "power only while it discharges",
                    hint="pull the plug, or leave it out with --without battery",
                )
            if len(files) == 1:
                return abs(self._reader.number(files[0])) * MICRO
            return abs(self._product(files[0], files[1], MICRO * MICRO))

        channel = _channel(
            f"battery:{folder.name}", ChannelKind.POWER, "battery discharge", str(folder),
            longest_hold_s=BATTERY_HOLD_S,
        )  # fmt: skip
        return [Found(channel=channel, read=read_w, files=files)]

    def text(self, path: Path) -> str | None:
        """The content of a file; None where it cannot be read."""
        try:
            return self._reader.text(path)
        except OSError:
            return None

    def _plain(self, channel: Channel, file: Path) -> Found:
        return Found(channel=channel, read=partial(self._scaled, file), files=(file,))

    def _energy(
        self, file: Path, device: str, source: str, identity: str, contains: tuple[str, ...] = ()
    ) -> Found:
        channel = Channel(
            device=device,
            kind=ChannelKind.ENERGY,
            source=source,
            resolution_j=MICRO,
            contains=contains,
            identity=identity,
        )
        return self._plain(channel, file)

    def _scaled(self, file: Path) -> float:
        return self._reader.number(file) * MICRO

    def _product(self, first: Path, second: Path, factor: float) -> float:
        return self._reader.number(first) * self._reader.number(second) * factor

    def _files(self, folder: Path, pattern: str) -> list[Path]:
        return [path for path in self._reader.folders(folder) if path.match(pattern)]

    def _number(self, path: Path) -> float | None:
        try:
            return self._reader.number(path)
        except (OSError, ValueError):
            return None


def _sibling(file: Path, ending: str) -> Path:
    """power1_input -> power1_label."""
    return file.with_name(f"{file.name.partition('_')[0]}_{ending}")


def _channel(
    device: str,
    kind: ChannelKind,
    source: str,
    identity: str,
    *,
    averaging_s: float | None = None,
    longest_hold_s: float | None = None,
    uncountable: str | None = None,
) -> Channel:
    return Channel(
        device=device,
        kind=kind,
        source=source,
        averaging_s=averaging_s,
        update_period_s=averaging_s,
        longest_hold_s=longest_hold_s,
        identity=identity,
        uncountable=uncountable,
    )
