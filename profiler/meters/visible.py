"""Which GPUs a process sees: CUDA_VISIBLE_DEVICES resolved against NVML's list.

CUDA numbers the GPUs of a process from 0 in the order of the variable, and stops at the first entry
that names none (CUDA C++ Programming Guide, "CUDA Environment Variables"). NVML always lists every
GPU, in PCI order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.values.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGpu:
    """One GPU as NVML lists it, in PCI order."""

    uuid: str | None
    name: str | None
    mig_uuids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What a process sees.

    Args:
        indices: NVML index of the process's GPU 0, 1, ...
        stopped_at: the entry at which CUDA stops reading; None when all were valid.
        is_order_known: False where CUDA's order of the GPUs cannot be told from here.
    """

    indices: tuple[int, ...]
    stopped_at: str | None = None
    is_order_known: bool = True


def resolve(
    gpus: Sequence[ListedGpu], *, visible_devices: str | None, device_order: str | None
) -> Visibility:
    """Resolve the two variables CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER (None: not set).

    CUDA's default order, FASTEST_FIRST, equals PCI order where all GPUs are of one model. Where
    they differ, a number in the variable cannot be resolved, while a UUID always can.
    """
    models = {gpu.name for gpu in gpus if gpu.name is not None}
    is_pci_order = device_order == "PCI_BUS_ID" or len(models) <= 1
    if visible_devices is None:
        return Visibility(indices=tuple(range(len(gpus))), is_order_known=is_pci_order)
    indices: list[int] = []
    by_number = False
    stopped_at = None
    for entry in visible_devices.split(","):
        index = _index_of(entry.strip(), gpus)
        if index is None or index in indices:
            stopped_at = entry.strip()
            break
        by_number = by_number or entry.strip().isdigit()
        indices.append(index)
    return Visibility(
        indices=tuple(indices),
        stopped_at=stopped_at if stopped_at not in ("", "-1") else None,
        is_order_known=is_pci_order or not by_number,
    )


def _index_of(entry: str, gpus: Sequence[ListedGpu]) -> int | None:
    """NVML index that one entry names; None where it names none, or more than one."""
    if entry.isdigit():
        return int(entry) if int(entry) < len(gpus) else None
    if entry.startswith("MIG-GPU-"):  # before driver 470: MIG-<UUID of the GPU>/<gi>/<ci>
        entry = entry.removeprefix("MIG-").partition("/")[0]
    matches = [number for number, gpu in enumerate(gpus) if _is_named(entry, gpu)]
    return matches[0] if len(matches) == 1 else None


def _is_named(entry: str, gpu: ListedGpu) -> bool:
    if entry.startswith("MIG-"):
        return any(uuid.startswith(entry) for uuid in gpu.mig_uuids)
    return bool(gpu.uuid) and entry.startswith("GPU-") and str(gpu.uuid).startswith(entry)


def visibility_findings(seen: Visibility) -> tuple[Finding, ...]:
    """What the reader must know about the numbers of the GPUs."""
    findings: list[Finding] = []
    if seen.stopped_at is not None:
        findings.append(
            Finding(
                kind="gpu-hidden",
                observed=f"CUDA_VISIBLE_DEVICES entry {seen.stopped_at!r} names no GPU of its "
                "own, and CUDA stops reading there",
                remedy="list the GPUs with nvidia-smi -L and name them by UUID",
            )
        )
    if not seen.is_order_known:
        findings.append(
            Finding(
                kind="gpu-order-unknown",
                observed="GPUs of different models are numbered by NVML in PCI order, but by CUDA "
                "fastest first: gpu:0 here may not be cuda:0",
                remedy="export CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID in "
                "CUDA_VISIBLE_DEVICES",
            )
        )
    return tuple(findings)
