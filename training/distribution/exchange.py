"""Places and sensors of all ranks, exchanged before collectives are possible.

`all_gather_object` needs a backend, and which one it is follows from the devices exchanged here.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from typing import TypeVar

from profiler.errors import DeviceError, TrainingError, UsageError
from profiler.machine.device import find_device
from profiler.machine.identity import machine_id, pid_space
from profiler.meters import OpenedMeters
from profiler.values.codec import decode, encode

from .heartbeat import Pulse
from .sensor_readers import Place, Reach, reach_of, shared_gpus

JOIN_TIMEOUT_S = 300
EXCHANGE_STEP_S = 0.02

T = TypeVar("T", Place, Reach)


def number(name: str) -> int:
    """The value of one of torchrun's variables."""
    text = os.environ[name]
    if not text.isdigit():
        raise UsageError(
            f"the environment variable {name} is {text!r}, not a number",
            hint="let torchrun set it, or unset it",
        )
    return int(text)


def own_place(requested: str) -> Place:
    """Where this rank runs: on the GPU of its number, or on the only one that it sees."""
    import torch

    if ":" in requested:
        raise UsageError(
            f"--device {requested} names one GPU for {number('WORLD_SIZE')} ranks",
            hint="say --device cuda, and choose GPUs with CUDA_VISIBLE_DEVICES",
        )
    device = find_device(requested)
    if device.is_gpu:
        count, local_rank = torch.cuda.device_count(), number("LOCAL_RANK")
        if local_rank >= count > 1:
            raise DeviceError(
                f"rank {local_rank} of this host has no GPU: it sees {count}",
                hint=f"torchrun --nproc-per-node {count}",
            )
        device = find_device(f"cuda:{local_rank if count > 1 else 0}")
        torch.cuda.set_device(device.name)
    return Place(
        machine=machine_id(socket.gethostname()),
        node=os.environ.get("GROUP_RANK", "0"),
        device=device.name,
        gpu=device.identity,
        pid=os.getpid(),
        pid_space=pid_space(),
    )


def check_places(places: Sequence[Place]) -> None:
    """Raise where the ranks cannot work together."""
    kinds = {place.device.partition(":")[0]: rank for rank, place in enumerate(places)}
    if len(kinds) > 1:
        told_kinds = ", ".join(f"rank {rank} on {kind}" for kind, rank in kinds.items())
        raise DeviceError(
            f"the ranks compute on different kinds of device: {told_kinds}",
            hint="name one for all with --device cpu or --device cuda",
        )
    for gpu, ranks in shared_gpus(places):
        raise DeviceError(
            f"ranks {', '.join(map(str, ranks))} share the GPU {gpu}",
            hint="start one rank a GPU: torchrun --nproc-per-node with the number of GPUs",
        )


def exchange_places(pulse: Pulse, own: Place) -> list[Place]:
    """Where all ranks run, in their order.

    Raises:
        TrainingError: a rank failed, or did not come.
    """
    return _exchange(pulse, "place", own)


def exchange_reach(pulse: Pulse, subject: str, opened: OpenedMeters | None) -> list[Reach]:
    """What all ranks can read, in their order; `subject` tells one exchange from the next.

    Raises:
        TrainingError: a rank failed, or did not come.
    """
    return _exchange(pulse, subject, Reach() if opened is None else reach_of(opened))


def _exchange(pulse: Pulse, subject: str, own: T) -> list[T]:
    """What every rank says on a subject, in their order."""
    pulse.board.write(subject, json.dumps(encode(own)))
    give_up_s = time.monotonic() + JOIN_TIMEOUT_S
    while True:
        texts = [pulse.board.read(subject, rank) for rank in range(pulse.board.world_size)]
        said = [text for text in texts if text is not None]
        if len(said) == len(texts):
            return [decode(json.loads(text), type(own)) for text in said]
        for rank, reason in pulse.failed().items():
            stopped = f"rank {rank} of {pulse.board.world_size} stopped: {reason}"
            raise TrainingError(stopped)
        if time.monotonic() > give_up_s:
            missing = texts.index(None)
            raise TrainingError(
                f"rank {missing} of {pulse.board.world_size} did not join within {JOIN_TIMEOUT_S} s"
            )
        time.sleep(EXCHANGE_STEP_S)
