"""The ledger of this process: which sensors it reads, and how many images it counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from profiler.ledger import Ledger, Phase, Tally
from profiler.machine.codecarbon_tracker import CodeCarbonOptions, CodeCarbonTracker
from profiler.machine.device import Device
from profiler.machine.meters_in_use import meters_of_device, open_sensors
from profiler.meters import OpenMeter, close_meters
from profiler.values.codec import encode
from profiler.values.estimate import Estimate, total
from profiler.values.findings import Finding
from profiler.values.profile import CarbonFactors
from training.distribution import Group
from training.recipe import Recipe


class NoLedger:
    """The ledger of a process whose host's sensors another one reads: it records nothing."""

    joules_so_far: Estimate | None = None
    power_w: Estimate | None = None

    def phase(self, phase: Phase, epoch: int | None = None) -> nullcontext[Tally]:
        """A phase that is not recorded."""
        return nullcontext(Tally())

    def note_epoch(self, epoch: int, **metrics: float | None) -> None: ...

    def settle(self, *, force: bool = False) -> None: ...

    def stop(self, ended: str = "finished") -> None: ...


LedgerOrNone = Ledger | NoLedger


@contextmanager
def opened_ledger(
    recipe: Recipe,
    folder: Path,
    device: Device,
    group: Group,
    carbon: CarbonFactors,
    meters: Sequence[OpenMeter] | None,
) -> Iterator[tuple[LedgerOrNone, tuple[Finding, ...]]]:
    """The ledger of this process, running, and what opening the sensors had to say.

    Only GPUs in use are read: one in CPU training, or beside the one that trains, draws its joules
    for somebody else.

    Args:
        recipe: written into the ledger.
        folder: of the run.
        device: what this process computes on.
        group: who else does.
        carbon: factors from joules to grams.
        meters: opened meters of the caller; None for the group's, or else the machine's.
    """
    if group.host is None:
        yield NoLedger(), ()
        return
    given = meters if meters is not None else group.sensors.meters if group.sensors else None
    opened = open_sensors(None if device.is_gpu else ()) if given is None else None
    own = given if given is not None else meters_of_device(opened.meters if opened else [], device)
    values: Mapping[str, Any] = encode(recipe)
    folder.mkdir(parents=True, exist_ok=True)  # the first rank has made it on its host alone
    try:
        with Ledger(
            folder, recipe=values, epochs=recipe.epochs, carbon=carbon, host=group.host,
            host_count=group.host_count, meters=own, synchronize=device.synchronize,
        ) as ledger:  # fmt: skip
            yield ledger, opened.findings if opened else ()
    finally:
        close_meters(opened.meters if opened else ())


@contextmanager
def second_tracker(
    options: CodeCarbonOptions | None,
    recipe: Recipe,
    device: Device,
    group: Group,
    carbon: CarbonFactors,
) -> Iterator[CodeCarbonTracker]:
    """CodeCarbon's tracker, ready, in the first process alone: it looks at the whole machine.

    Args:
        options: None to leave it out.
        recipe: its model is the name in CodeCarbon's file.
        device: what this process computes on.
        group: who else does.
        carbon: factors from joules to grams.
    """
    count = _ranks_here(group)
    identities = dict.fromkeys(group.gather(device.identity)[:count])
    gpus = [identity for identity in identities if identity is not None]
    options = options if group.is_first else None
    with CodeCarbonTracker(
        options, gpu_identities=gpus, carbon=carbon, name=recipe.model
    ) as tracker:
        tracker.wait_ready()
        yield tracker


def images_per_step(group: Group, batch_size: int) -> int:
    """Images of a step that are processed on the host whose ledger this process keeps.

    A rank without a ledger belongs to the nearest one below it that keeps one.
    """
    count = _ranks_here(group)
    ranks = range(group.rank, group.rank + count)
    return sum(_part(batch_size, rank, group.world_size) for rank in ranks)


def _ranks_here(group: Group) -> int:
    """How many ranks, from this one on, this process keeps the ledger of."""
    hosts = group.gather(group.host)
    if group.host is None:
        return 0
    later = (rank for rank in range(group.rank + 1, group.world_size) if hosts[rank] is not None)
    return next(later, group.world_size) - group.rank


def _part(count: int, rank: int, world_size: int) -> int:
    return count // world_size + (rank < count % world_size)


def joules_so_far(ledger: LedgerOrNone, group: Group) -> Estimate | None:
    """Joules of all hosts until now, cheaply; None where none of them has a sensor."""
    parts = group.gather(ledger.joules_so_far) if group.host_count > 1 else (ledger.joules_so_far,)
    seen = [part for part in parts if part is not None]
    if len(seen) < 2:
        return seen[0] if seen else None
    return total(seen, source=f"{len(seen)} hosts: {seen[0].source}")
