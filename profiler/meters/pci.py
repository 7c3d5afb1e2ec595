"""GPUs of AMD and Intel as the kernel lists them, and which of them a process sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiler.values.findings import Finding

from .sysfs import SysfsReader

PCI_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
AMD_LISTS = (
    ("ROCR_VISIBLE_DEVICES",),
    ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"),
)
"""ROCm filters twice, the second time what is left; of each line the first variable that is set."""
INTEL_LISTS = (("ZE_AFFINITY_MASK",),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU.

    Args:
        folder: its hwmon folder.
        driver: "amdgpu", "i915" or "xe".
        address: on the PCI bus ("0000:03:00.0"); None where the kernel does not tell.
        unique_id: AMD's serial number of the chip, in hexadecimal digits.
    """

    folder: Path
    driver: str
    address: str | None
    unique_id: str | None

    @property
    def identity(self) -> str:
        """What names it to torch as well: the PCI address, or else the folder."""
        return self.address or str(self.folder)


def find_gpu(folder: Path, driver: str, reader: SysfsReader) -> Gpu:
    """The GPU whose hwmon folder this is."""
    device = folder / "device"
    target = reader.link_target(device) or ""
    found = PCI_ADDRESS.search(_text(reader, device / "uevent").lower()) or PCI_ADDRESS.fullmatch(
        target
    )
    return Gpu(
        folder=folder,
        driver=driver,
        address=found.group() if found else None,
        unique_id=_text(reader, device / "unique_id").lower().removeprefix("0x") or None,
    )


def visible_gpus(
    gpus: Sequence[Gpu], environment: Mapping[str, str]
) -> tuple[list[Gpu], tuple[Finding, ...]]:
    """The GPUs that a process sees, in its own order, AMD's before Intel's.

    The run-times number GPUs in the order of the PCI bus, and stop at the first entry of a list
    that names none (ROCm documentation, "GPU isolation techniques"; oneAPI Level Zero
    specification, "Environment Variables").
    """
    amd = _in_bus_order([gpu for gpu in gpus if gpu.driver == "amdgpu"])
    intel = _in_bus_order([gpu for gpu in gpus if gpu.driver != "amdgpu"])
    findings: list[Finding] = []
    for variables in AMD_LISTS:
        amd = _filtered(amd, variables, environment, findings)
    for variables in INTEL_LISTS:
        intel = _filtered(intel, variables, environment, findings)
    return [*amd, *intel], tuple(findings)


def _in_bus_order(gpus: list[Gpu]) -> list[Gpu]:
    if any(gpu.address is None for gpu in gpus):
        return gpus
    return sorted(gpus, key=lambda gpu: [int(part, 16) for part in re.split("[:.]", gpu.identity)])


def _filtered(
    gpus: list[Gpu],
    variables: Sequence[str],
    environment: Mapping[str, str],
    findings: list[Finding],
) -> list[Gpu]:
    # Set but empty, ROCR's list shows nothing; HIP and Level Zero take theirs for not set.
    given = [name for name in variables if environment.get(name) or _hides(name, environment)]
    if not given or not gpus:
        return gpus
    kept: list[Gpu] = []
    for entry in environment[given[0]].split(","):
        gpu = _named(entry.strip().lower(), gpus)
        if gpu is None or (gpu in kept and "." not in entry):
            if entry.strip() not in ("", "-1"):
                findings.append(_stopped(given[0], entry.strip()))
            break
        if gpu not in kept:
            kept.append(gpu)
    return kept


def _hides(name: str, environment: Mapping[str, str]) -> bool:
    return name.startswith("ROCR") and environment.get(name) == ""


def _named(entry: str, gpus: Sequence[Gpu]) -> Gpu | None:
    """By number (a tile of it as "0.1"), or by AMD's "GPU-" and its serial number."""
    number = entry.partition(".")[0]
    if number.isdecimal():
        return gpus[int(number)] if int(number) < len(gpus) else None
    matches = [
        gpu
        for gpu in gpus
        if entry.startswith("gpu-") and gpu.unique_id == entry.removeprefix("gpu-")
    ]
    return matches[0] if len(matches) == 1 else None


def _stopped(variable: str, entry: str) -> Finding:
    return Finding(
        kind="gpu-hidden",
        observed=f"{variable} entry {entry!r} names no GPU of its own, and the run-time stops "
        "reading there",
        remedy=f"name the GPUs in {variable} by their numbers, from 0 on",
    )


def _text(reader: SysfsReader, path: Path) -> str:
    try:
        return reader.text(path)
    except OSError:
        return ""
