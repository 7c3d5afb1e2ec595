"""What names this machine: to tell hosts apart, and for a reader."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from .environment import cpu_name

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_SPACE = Path("/proc/self/ns/pid")


def hardware() -> str:
    """The processors of this host that a training job may use, as their vendors name them."""
    torch = sys.modules.get("torch")
    gpus: list[str] = []
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        gpus = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
    names = [*gpus, cpu_name()]
    counts = {name: names.count(name) for name in names}
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())


def machine_id(hostname: str | None = None, boot_id: Path = BOOT_ID) -> str:
    """What tells this machine from others; its name where the kernel gives no id of the boot."""
    try:
        return f"boot {boot_id.read_text(encoding='ascii').strip()}"
    except (OSError, UnicodeDecodeError):
        return f"host {hostname or platform.node()}"


def pid_space() -> int | None:
    """What tells this process's numbering of processes from that of another container."""
    try:
        return PID_SPACE.stat().st_ino
    except OSError:
        return None
