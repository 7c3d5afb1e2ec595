"""Sensors that the kernel shows under /sys/class/hwmon, and a laptop's battery."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from profiler.errors import SensorError
from profiler.values.findings import Finding
from profiler.values.trace import Channel, Reading

from .base import NEVER, AsleepError, silent_at_first, unknown_channel
from .hwmon_drivers import GPU_DRIVERS, DriverFiles, Found
from .pci import Gpu, find_gpu, visible_gpus
from .sysfs import SysfsReader, permission_remedy

HWMON_ROOT = Path("/sys/class/hwmon")
BATTERY_ROOT = Path("/sys/class/power_supply")


class HwmonMeter:
    """AMD and Intel GPUs, CPU drivers, board and rail meters, and a battery that is discharging.

    A sensor that has nothing to say at first, such as that of a GPU asleep, is a channel all the
    same: it is asked again while it is recorded.

    Args:
        root: the hwmon folder.
        battery_root: the power_supply folder.
        reader: reads the files; a stand-in in tests.
        environment: where the lists of visible GPUs are looked up.
    """

    name = "hwmon"

    def __init__(
        self,
        root: Path = HWMON_ROOT,
        battery_root: Path = BATTERY_ROOT,
        *,
        reader: SysfsReader | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._root = root
        self._battery_root = battery_root
        self._reader = reader or SysfsReader()
        self._files = DriverFiles(self._reader)
        self._environment = os.environ if environment is None else environment
        self._readers: dict[str, Callable[[], float]] = {}

    def open(self) -> tuple[Channel, ...]:
        found: list[Found] = []
        gpus: list[Gpu] = []
        counts: dict[str, int] = {}
        for folder in map(self._reader.real, self._reader.folders(self._root)):
            driver = self._files.text(folder / "name")
            if driver is None:
                continue
            if driver in GPU_DRIVERS:
                gpus.append(find_gpu(folder, driver, self._reader))
                continue
            found += self._files.others(folder, driver, counts.get(driver, 0))
            counts[driver] = counts.get(driver, 0) + 1
        shown, self.findings = visible_gpus(gpus, self._environment)
        for gpu in shown:
            found += self._files.gpu(gpu, counts.get(gpu.driver, 0))
            counts[gpu.driver] = counts.get(gpu.driver, 0) + 1
        for folder in self._reader.folders(self._battery_root):
            found += self._files.battery(folder)
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

    def _kept(self, found: Sequence[Found]) -> list[Channel]:
        kept: list[Channel] = []
        denied: list[Path] = []
        for sensor in found:
            try:
                sensor.read()
            except AsleepError:
                self.findings += (_asleep(sensor.channel),)
            except (OSError, ValueError, SensorError) as error:
                code = error.errno if isinstance(error, OSError) else None
                if code == errno.EACCES:
                    denied += sensor.files
                    continue
                if code in NEVER:
                    continue
                self.findings += (silent_at_first(sensor.channel, error),)
            self._readers[sensor.channel.key] = sensor.read
            kept.append(sensor.channel)
        if denied:
            files = " ".join(str(path) for path in denied)
            observed = f"{denied[0]} may not be read by this user"
            remedy = permission_remedy(
                f"sudo chmod a+r {files}", f"a udev rule that runs chmod a+r {files}"
            )
            self.findings += (Finding(kind="sensor-unreadable", observed=observed, remedy=remedy),)
        return kept


def _asleep(channel: Channel) -> Finding:
    return Finding(
        kind="gpu-asleep",
        observed=f"{channel.device} was asleep at the start, and is not woken: it is read once it "
        "is awake",
        remedy=f"leave it out with --without {channel.device}",
    )
