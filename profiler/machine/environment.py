"""Where a measurement ran: enough to judge whether two numbers may be compared."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from profiler.values.profile import Environment
from profiler.version import __version__

CPU_INFO = Path("/proc/cpuinfo")
GPU_UUID = "gpu_uuid"
FINGERPRINT_KEYS = ("cpu", "cpu_count", "torch", "python", "driver", "power_limit_w", "container")


def describe(device_name: str, facts: Mapping[str, str] | None = None) -> Environment:
    """What this process can say about its machine without asking anybody for permission.

    Args:
        device_name: the device that runs the model, as its vendor names it.
        facts: what else was read, for instance from NVML; it wins over what is read here.
    """
    everything = {**host_facts(), **(facts or {})}
    digest = hashlib.sha256(device_name.encode())
    for key in FINGERPRINT_KEYS:
        digest.update(f"\n{key}={everything.get(key, '')}".encode())
    return Environment(
        device_name=device_name, fingerprint=digest.hexdigest()[:12], facts=everything
    )


def host_facts() -> dict[str, str]:
    """Host, operating system and software, as flat text."""
    facts = {
        "cpu": cpu_name(),
        "cpu_count": str(len(os.sched_getaffinity(0))),
        "memory_bytes": str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "wattprof": __version__,
        "container": _container(),
        "virtual_machine": _virtual_machine(),
    }
    governor = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor:
        facts["governor"] = governor
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["torch"] = str(torch.__version__)
        facts["torch_threads"] = str(torch.get_num_threads())
        if torch.version.cuda:
            facts["cuda"] = str(torch.version.cuda)
    return facts


def cpu_flags(cpu_info: Path = CPU_INFO) -> frozenset[str]:
    """What the CPUs can do, in the kernel's words ("avx512_vnni"); none where it does not say."""
    listed = re.search(r"^(?:flags|Features)\s*:(.*)$", _read(cpu_info) or "", re.MULTILINE)
    return frozenset() if listed is None else frozenset(listed[1].split())


def cpu_name() -> str:
    """The processor as it names itself."""
    text = _read("/proc/cpuinfo") or ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def _container() -> str:
    if Path("/.dockerenv").exists():
        return "docker"
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if os.environ.get("APPTAINER_CONTAINER") or os.environ.get("SINGULARITY_CONTAINER"):
        return "apptainer"
    return "none seen"


def _virtual_machine() -> str:
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", _read("/proc/cpuinfo") or "", re.MULTILINE)
    return "yes" if flags else "none seen"


def _read(path: str | Path) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
