"""The device a model runs on, behind the few things a measurement needs of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from profiler.errors import DeviceError, UsageError
from profiler.values.findings import Finding, fell_back_to_cpu

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A torch device, and how to ask it to be quiet.

    Args:
        name: as torch names it: "cpu", "cuda:0".
        label: the hardware as its vendor names it.
        identity: a GPU's UUID as NVML writes it ("GPU-..."); None for a CPU.
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
        return self.name.startswith("cuda")


def find_device(requested: str) -> Device:
    """The device behind "cpu", "cuda", "cuda:N" or "auto".

    Raises `UsageError` for another word and `DeviceError` for a GPU that is not there. "auto" takes
    the first GPU, or else the CPU with a finding.
    """
    import torch

    if requested == "cpu":
        return _cpu()
    if requested == "auto":
        if _cuda_available():
            return _gpu(torch.device("cuda:0"))
        return _cpu((fell_back_to_cpu(_why_no_cuda()),))
    if not re.fullmatch("cuda(:[0-9]{1,3})?", requested):
        raise UsageError(
            f"there is no device {requested!r}", hint="use --device cpu, cuda, cuda:N or auto"
        )
    if not _cuda_available():
        raise DeviceError(
            f"no CUDA device can be used for --device {requested} ({_why_no_cuda()})",
            hint="use --device cpu, or --device auto to fall back to the CPU",
        )
    index = int(requested.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise DeviceError(
            f"there is no cuda:{index}: this process sees {torch.cuda.device_count()} GPU(s)",
            hint="see CUDA_VISIBLE_DEVICES, or run `python -m profiler doctor`",
        )
    return _gpu(torch.device(f"cuda:{index}"))


def _cuda_available() -> bool:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about a driver it cannot use; we say it below
        return bool(torch.cuda.is_available())


def _why_no_cuda() -> str:
    import torch

    if torch.version.cuda is None:
        return "this torch was built without CUDA"
    return "torch finds no usable NVIDIA driver or GPU"


def _cpu(findings: tuple[Finding, ...] = ()) -> Device:
    from .environment import cpu_name

    return Device(
        name="cpu", label=cpu_name(), identity=None, synchronize=_nothing, findings=findings
    )


def _nothing() -> None:
    """A CPU has done its work when the call returns."""


def _gpu(device: torch.device) -> Device:
    import torch

    properties = torch.cuda.get_device_properties(device)
    uuid = str(getattr(properties, "uuid", "")) or None
    if uuid is not None and not uuid.startswith(("GPU-", "MIG-")):
        uuid = f"GPU-{uuid}"
    return Device(
        name=str(device),
        label=properties.name,
        identity=uuid,
        synchronize=lambda: torch.cuda.synchronize(device),
    )
