"""Joining the processes that torchrun started, and leaving them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from profiler.errors import ProfilerError, TrainingError
from profiler.machine.device import find_device
from profiler.meters import close_meters

from .exchange import (
    JOIN_TIMEOUT_S,
    check_places,
    exchange_places,
    exchange_reach,
    number,
    own_place,
)
from .group import ALONE, Group, one_sentence
from .heartbeat import Pulse
from .notice_board import Board
from .sensor_readers import (
    gpus_in_use,
    host_findings,
    machine_leaders,
    neighbours,
    open_sensors,
    ranks_apart,
    reading_ranks,
)

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
COLLECTIVE_TIMEOUT_S = 600


@contextmanager
def joined(device: str = "auto") -> Iterator[Group]:
    """The group this process belongs to, left however the body ends.

    Of an error that several ranks meet, one rank lets it through to be printed; the others end
    with its exit code alone.
    """
    group = join(device)
    try:
        with group.guard():
            yield group
    except Exception as error:  # whatever it is, it is printed by one of the ranks that meet it
        if not group.may_speak(error):
            code = error.exit_code if isinstance(error, ProfilerError) else ProfilerError.exit_code
            raise SystemExit(code) from error
        raise
    finally:
        leave(group)


def join(device: str = "auto") -> Group:
    """The group of the processes that torchrun started; ALONE where it started none but this one.

    Args:
        device: as `--device` takes it, the same on all ranks; "auto" and "cuda" take the GPU of
            the rank's own number, or the only one that it sees.

    Raises:
        UsageError: a variable of torchrun's is no number, or a device is named for all ranks.
        DeviceError: there are fewer GPUs than ranks on a machine, or none.
        TrainingError: another rank failed to join.
    """
    if any(name not in os.environ for name in VARIABLES) or number("WORLD_SIZE") == 1:
        return ALONE
    store = _connect()
    board = Board(_part_of(store.clone(), "board"), number("RANK"), number("WORLD_SIZE"))
    pulse = Pulse(board).start()
    try:
        return _settle(store, pulse, device)
    except ProfilerError as error:
        pulse.say_end(error.message)
        may_speak = pulse.board.claim(error.message)
        pulse.stop()
        if not may_speak:
            raise SystemExit(error.exit_code) from error
        raise


def leave(group: Group) -> None:
    """Tell the other ranks that this one ends, and let go of sensors and connections."""
    if group.sensors is not None:
        close_meters(group.sensors.meters)
    if group.pulse is None:
        return
    import torch.distributed as dist

    group.pulse.say_end("")
    group.pulse.stop()
    if dist.is_initialized():
        dist.destroy_process_group()


def _connect() -> Store:
    from torch.distributed.rendezvous import rendezvous

    rank, world_size = number("RANK"), number("WORLD_SIZE")
    try:
        store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=JOIN_TIMEOUT_S)))
    except RuntimeError as error:
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise TrainingError(
            f"rank {rank} of {world_size} cannot reach the others at {address}: "
            f"{one_sentence(error)}",
            hint="see MASTER_ADDR and MASTER_PORT, or torchrun's --rdzv-endpoint",
        ) from error
    return cast("Store", store)


def _part_of(store: Store, name: str) -> Store:
    """Keys of our own, which the next attempt of `torchrun --max-restarts` does not find again."""
    from torch.distributed.distributed_c10d import PrefixStore

    return PrefixStore(f"{name}-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def _settle(store: Store, pulse: Pulse, device: str) -> Group:
    """Agree on who computes where and who reads what, and connect the ranks."""
    rank = pulse.board.rank
    places = exchange_places(pulse, own_place(device))
    pulse.neighbours = neighbours(places, rank)
    check_places(places)
    is_leader = rank in machine_leaders(places).values()
    opened = open_sensors(gpus_in_use(places, places[rank].machine)) if is_leader else None
    reaches = exchange_reach(pulse, "reach", opened)
    if rank in ranks_apart(places, reaches):
        opened = open_sensors(gpus_in_use([places[rank]], places[rank].machine), gpus_alone=True)
    reaches = exchange_reach(pulse, "reach of all", opened)
    hosts = reading_ranks(places, reaches)
    _initialise(store, pulse.board, places[rank].device)
    return Group(
        rank=rank,
        world_size=pulse.board.world_size,
        local_rank=number("LOCAL_RANK"),
        host=hosts.index(rank) if rank in hosts else None,
        host_count=len(hosts),
        device=places[rank].device,
        sensors=opened,
        findings=(*find_device(device).findings, *host_findings(places, reaches)),
        pulse=pulse,
    )


def _initialise(store: Store, board: Board, device: str) -> None:
    """Connect the ranks: gloo for tensors on the CPU and for objects, NCCL for those on a GPU."""
    import torch.distributed as dist

    uses_nccl = device != "cpu" and dist.is_nccl_available()
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if uses_nccl else "gloo",
        store=_part_of(store, "collectives"),
        rank=board.rank,
        world_size=board.world_size,
        timeout=timedelta(seconds=COLLECTIVE_TIMEOUT_S),
    )
