"""Which rank reads which sensors, so that no joule is counted twice and none is left out.

Ranks are grouped by the machine they run on, told by the id of its boot: two nodes of torchrun on
one machine, or two containers, meet the same sensors. The first rank of a machine reads its CPU and
all GPUs in use there. A GPU that it cannot see (another container, a task of a job scheduler that
is shown one device only) is read by the rank that uses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from profiler.meters import METERS, OpenedMeters, open_meters
from profiler.meters.nvml import NvmlMeter
from profiler.meters.overlap import WHOLE_MACHINE
from profiler.values.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one rank runs.

    Args:
        machine: the same for all ranks of one machine.
        node: number of the rank's node, as torchrun counts them.
        device: "cpu" or "cuda:N".
        gpu: UUID of the GPU it computes on; None on a CPU.
        pid: of its process.
        pid_space: which numbering of processes that is; None where the kernel does not tell.
    """

    machine: str
    node: str = "0"
    device: str = "cpu"
    gpu: str | None = None
    pid: int = 0
    pid_space: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a rank can read.

    Args:
        gpus: UUIDs of GPUs with a sensor that answers.
        has_whole_machine: whether a sensor of the whole machine holds all of its GPUs.
        findings: what opening the sensors had to say.
    """

    gpus: tuple[str, ...] = ()
    has_whole_machine: bool = False
    findings: tuple[Finding, ...] = ()


def neighbours(places: Sequence[Place], rank: int) -> dict[int, int]:
    """By rank, the processes that this rank can look up in its own list of processes."""
    own = places[rank]
    return {
        other: place.pid
        for other, place in enumerate(places)
        if other != rank
        and (place.machine, place.pid_space) == (own.machine, own.pid_space)
        and own.pid_space is not None
    }


def machine_leaders(places: Sequence[Place]) -> dict[str, int]:
    """By machine, its first rank."""
    leaders: dict[str, int] = {}
    for rank, place in enumerate(places):
        leaders.setdefault(place.machine, rank)
    return leaders


def gpus_in_use(places: Sequence[Place], machine: str) -> tuple[str, ...]:
    """UUIDs of the GPUs that the ranks of a machine compute on, in the order of ranks."""
    gpus = [place.gpu for place in places if place.machine == machine and place.gpu is not None]
    return tuple(dict.fromkeys(gpus))


def ranks_apart(places: Sequence[Place], reaches: Sequence[Reach]) -> tuple[int, ...]:
    """Ranks that use a GPU which the first rank of their machine cannot read.

    Args:
        places: by rank.
        reaches: by rank, what it can read; those of the first ranks of machines are looked at.
    """
    leaders = machine_leaders(places)
    seen: set[tuple[str, str]] = set()
    apart: list[int] = []
    for rank, place in enumerate(places):
        if place.gpu is None or (place.machine, place.gpu) in seen:
            continue
        seen.add((place.machine, place.gpu))
        reach = reaches[leaders[place.machine]]
        if place.gpu not in reach.gpus and not reach.has_whole_machine:
            apart.append(rank)
    return tuple(apart)


def shared_gpus(places: Sequence[Place]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """GPUs on which several ranks compute, and which ranks these are."""
    uses = Counter((place.machine, place.gpu) for place in places if place.gpu is not None)
    return tuple(
        (gpu, tuple(r for r, p in enumerate(places) if (p.machine, p.gpu) == (machine, gpu)))
        for (machine, gpu), count in uses.items()
        if count > 1 and gpu is not None
    )


def open_sensors(gpus: Sequence[str], *, gpus_alone: bool = False) -> OpenedMeters:
    """Open a machine's sensors, with CodeCarbon's model beside them, and of its GPUs some only.

    Args:
        gpus: UUIDs, in the order in which they are numbered.
        gpus_alone: leave out the CPU and everything else that another rank of the machine reads.
    """
    nvml = NvmlMeter(environment={"CUDA_VISIBLE_DEVICES": ",".join(gpus)})
    names = ["nvml"] if gpus_alone else [name for name, _, _ in METERS]
    return open_meters(names, made={"nvml": nvml})


def reach_of(opened: OpenedMeters) -> Reach:
    """What has been opened, told to the other ranks of the machine."""
    channels = [channel for _, own in opened.meters for channel in own]
    gpus = [c.identity for c in channels if c.device.startswith("gpu:") and c.identity is not None]
    whole = any(channel.device.partition(":")[0] in WHOLE_MACHINE for channel in channels)
    return Reach(gpus=tuple(dict.fromkeys(gpus)), has_whole_machine=whole, findings=opened.findings)


def reading_ranks(places: Sequence[Place], reaches: Sequence[Reach]) -> tuple[int, ...]:
    """The ranks that read sensors: the first of each machine, and who alone can read its GPU."""
    alone = [rank for rank in ranks_apart(places, reaches) if reaches[rank].gpus]
    return tuple(sorted({*machine_leaders(places).values(), *alone}))


def host_findings(places: Sequence[Place], reaches: Sequence[Reach]) -> tuple[Finding, ...]:
    """What the reader of a ledger must know about who reads what."""
    found = [finding for reach in reaches for finding in reach.findings]
    leaders = machine_leaders(places)
    for machine, leader in leaders.items():
        nodes = {place.node for place in places if place.machine == machine}
        if len(nodes) > 1:
            found.append(one_machine(len(nodes), leader))
    for rank in ranks_apart(places, reaches):
        leader = leaders[places[rank].machine]
        if reaches[rank].gpus:
            found.append(read_by_itself(rank, leader))
        else:
            found.append(read_by_nobody(rank, places[rank].gpu))
    return tuple(dict.fromkeys(found))


def one_machine(node_count: int, leader: int) -> Finding:
    """Several nodes of torchrun share a machine, and its sensors."""
    return Finding(
        kind="one-machine",
        observed=f"{node_count} nodes of torchrun run on one machine (its boot id says so): its "
        f"sensors are read once, by rank {leader}",
        remedy="",
    )


def read_by_itself(rank: int, leader: int) -> Finding:
    """A GPU that the first rank of its machine cannot see."""
    return Finding(
        kind="gpu-apart",
        observed=f"the GPU of rank {rank} cannot be seen by rank {leader} on the same machine: "
        f"rank {rank} reads it, in a ledger of its own",
        remedy="",
    )


def read_by_nobody(rank: int, gpu: str | None) -> Finding:
    """A GPU in use whose joules are missing."""
    return Finding(
        kind="gpu-unread",
        observed=f"no rank can read the sensor of {gpu}, on which rank {rank} computes: its joules "
        "are missing",
        remedy="run `python -m profiler doctor` on that machine to see what its sensors need",
    )
