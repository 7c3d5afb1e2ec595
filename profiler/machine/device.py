"""The device a model runs on, behind the few things a measurement needs of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profiler.errors import DeviceError, UsageError
from profiler.values.findings import Finding, fell_back_to_cpu

if TYPE_CHECKING:
    import torch

INTEL = 0x8086
VISIBLE = {
    "cuda": "CUDA_VISIBLE_DEVICES (for AMD also ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES)",
    "xpu": "ZE_AFFINITY_MASK",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A torch device, and how to ask it to be quiet.

    Args:
        name: as torch names it: "cpu", "cuda:0" (NVIDIA, and AMD under ROCm), "xpu:0" (Intel).
        label: the hardware as its vendor names it.
        identity: what names a GPU to its sensors as well: the UUID as NVML writes it ("GPU-..."),
            the PCI address for AMD and Intel ("0000:03:00.0"); None for a CPU.
        synchronize: blocks until the device has done everything it was asked.
        findings: what the choice of this device needs the reader to know.
    """

    name: str
    label: str
    identity: str | None
    synchronize: Callable[[], None]
    findings: tuple[Finding, ...] = ()

    @property
    def is_gpu(self) -> bool:
        """Whether the model runs on a GPU."""
        return self.name != "cpu"


def find_device(requested: str) -> Device:
    """The device behind "cpu", "cuda", "cuda:N", "xpu", "xpu:N" or "auto".

    Raises `UsageError` for another word and `DeviceError` for a GPU that is not there. "auto" takes
    the first GPU, or else the CPU with a finding.
    """
    import torch

    if requested == "cpu":
        return _cpu()
    if requested == "auto":
        if _cuda_available():
            return _gpu(torch.device("cuda:0"))
        if _xpu_available()[0]:
            return _gpu(torch.device("xpu:0"))
        return _cpu((fell_back_to_cpu(_why_no_cuda()),))
    if not re.fullmatch("(cuda|xpu)(:[0-9]{1,3})?", requested):
        raise UsageError(
            f"there is no device {requested!r}",
            hint="use --device cpu, cuda, cuda:N, xpu, xpu:N or auto",
        )
    family = requested.partition(":")[0]
    available, reason = (
        (_cuda_available(), _why_no_cuda()) if family == "cuda" else _xpu_available()
    )
    if not available:
        raise DeviceError(
            f"no {family.upper()} device can be used for --device {requested} ({reason})",
            hint="use --device cpu, or --device auto to fall back to the CPU",
        )
    index = int(requested.partition(":")[2] or 0)
    count = int(torch.get_device_module(family).device_count())
    if index >= count:
        raise DeviceError(
            f"there is no {family}:{index}: this process sees {count} GPU(s)",
            hint=f"see {VISIBLE[family]}, or run `python -m profiler doctor`",
        )
    return _gpu(torch.device(f"{family}:{index}"))


def _cuda_available() -> bool:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about a driver it cannot use; we say it below
        return bool(torch.cuda.is_available())


def _why_no_cuda() -> str:
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return "this torch was built without CUDA"
    vendor = "NVIDIA" if torch.version.hip is None else "AMD"
    return f"torch finds no usable {vendor} driver or GPU"


def _xpu_available() -> tuple[bool, str]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if torch.xpu.is_available():
            return True, ""
    return False, "torch finds no usable Intel driver or GPU, or was built without XPU"


def _cpu(findings: tuple[Finding, ...] = ()) -> Device:
    from .environment import cpu_name

    return Device(
        name="cpu", label=cpu_name(), identity=None, synchronize=_nothing, findings=findings
    )


def _nothing() -> None:
    """A CPU has done its work when the call returns."""


def _gpu(device: torch.device) -> Device:
    import torch

    module = torch.get_device_module(device.type)
    properties = module.get_device_properties(device)
    if device.type == "xpu":
        identity = _intel_address(properties)
    elif torch.version.hip is not None:
        identity = _amd_address(properties)
    else:
        identity = _nvidia_uuid(properties)
    return Device(
        name=str(device),
        label=properties.name,
        identity=identity,
        synchronize=lambda: module.synchronize(device),
    )


def _nvidia_uuid(properties: Any) -> str | None:
    uuid = str(getattr(properties, "uuid", "")) or None
    if uuid is not None and not uuid.startswith(("GPU-", "MIG-")):
        uuid = f"GPU-{uuid}"
    return uuid


def _amd_address(properties: Any) -> str | None:
    names = ("pci_domain_id", "pci_bus_id", "pci_device_id")
    domain, bus, slot = (getattr(properties, name, None) for name in names)
    if domain is None or bus is None or slot is None:
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.0"


def _intel_address(properties: Any) -> str | None:
    """The PCI address out of the UUID that Intel's driver makes.

    Its bytes are vendor, device, revision and PCI domain (two each, little-endian), then bus, slot
    and function (intel/compute-runtime, `DeviceUUID`).
    """
    uuid = getattr(properties, "uuid", None)
    raw = getattr(uuid, "bytes", uuid)
    if isinstance(raw, str):
        digits = raw.replace("-", "")
        raw = bytes.fromhex(digits) if re.fullmatch("[0-9a-fA-F]{32}", digits) else b""
    raw = bytes(raw or b"")
    if len(raw) != 16 or int.from_bytes(raw[:2], "little") != INTEL:
        return None
    domain = int.from_bytes(raw[6:8], "little")
    return f"{domain:04x}:{raw[8]:02x}:{raw[9]:02x}.{raw[10]:x}"
