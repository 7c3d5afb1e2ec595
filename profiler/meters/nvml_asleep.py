"""NVIDIA GPUs that are all powered down: to open NVML would wake them (a laptop's second GPU)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind

from .base import AsleepError
from .sysfs import SysfsReader

PCI_ROOT = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY_CLASS = "0x10de", "0x03"


class SleepingGpus:
    """The NVIDIA GPUs on the PCI bus, as the kernel's power management sees them.

    Args:
        root: the folder of the bus.
        reader: reads the files; a stand-in in tests.
    """

    def __init__(self, root: Path = PCI_ROOT, *, reader: SysfsReader | None = None) -> None:
        self._reader = reader or SysfsReader()
        self._folders = [
            folder
            for folder in self._reader.folders(root)
            if self._text(folder / "vendor") == NVIDIA
            and self._text(folder / "class").startswith(DISPLAY_CLASS)
        ]

    @property
    def count(self) -> int:
        """How many GPUs there are."""
        return len(self._folders)

    def all_asleep(self) -> bool:
        """Whether there are any, and every one is powered down."""
        states = {self._text(folder / "power" / "runtime_status") for folder in self._folders}
        return states == {"suspended"}

    def channels(self, gain_error: float) -> tuple[Channel, ...]:
        """A counter for each, of which no more is known yet."""
        return tuple(
            Channel(
                device=f"gpu:{number}",
                kind=ChannelKind.ENERGY,
                source="NVML energy counter of a GPU that was asleep",
                gain_error=gain_error,
            )
            for number in range(self.count)
        )

    def finding(self) -> Finding:
        """That they were left asleep."""
        return Finding(
            kind="gpu-asleep",
            observed=f"{self.count} NVIDIA GPU(s) were asleep at the start, and are not woken: "
            "they are read once they are awake",
            remedy="leave them out with --without nvml",
        )

    def unless_asleep(self, read: Callable[[], float]) -> Callable[[], float]:
        """A read that wakes nothing."""

        def guarded() -> float:
            if self.all_asleep():
                raise AsleepError("the NVIDIA GPUs are asleep")
            return read()

        return guarded

    def _text(self, path: Path) -> str:
        try:
            return self._reader.text(path)
        except OSError:
            return ""
