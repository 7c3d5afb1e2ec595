"""The processes that train together, seen from one of them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from profiler.errors import DeviceError, MeasurementError, ProfilerError, TrainingError
from profiler.meters import OpenedMeters
from profiler.values.findings import Finding

from . import shards
from .heartbeat import GO_ON, Pulse

if TYPE_CHECKING:
    import torch
    from torch import nn

T = TypeVar("T")
INTERRUPTED = "it was interrupted"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The processes that train together, seen from one of them.

    Args:
        rank: number of this process among all.
        world_size: how many there are.
        local_rank: number of this process on its node.
        host: number of the ledger that this process keeps, 0 at the first; None if it keeps none.
        host_count: how many ledgers are kept, one a machine as a rule.
        device: "cpu" or "cuda:N", where this process computes; None where the loop chooses.
        sensors: what this process reads, opened; None where the ledger opens the machine's own.
        findings: what is to be known about who reads what.
        pulse: looks after the other ranks; None if there are none.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    host: int | None = 0
    host_count: int = 1
    device: str | None = None
    sensors: OpenedMeters | None = None
    findings: tuple[Finding, ...] = ()
    pulse: Pulse | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prints, and writes checkpoints and results."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model whose backward pass averages gradients over all ranks.

        All ranks then hold the first one's weights. Keep the model itself for its state.
        """
        if self.world_size == 1:
            return model
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(model, gradient_as_bucket_view=True)

    def shard(self, count: int) -> slice:
        """The part of `count` items that is this rank's; see `shards.shard`."""
        return shards.shard(count, self.rank, self.world_size)

    def step_shard(self, count: int) -> tuple[slice, float]:
        """The part of a batch that is this rank's, and the weight of its mean loss."""
        return shards.step_shard(count, self.rank, self.world_size)

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor added up over all ranks."""
        if self.world_size == 1:
            return tensor
        import torch.distributed as dist

        total = tensor.detach().clone()
        dist.all_reduce(total)
        return total

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank; all ranks must ask at the same step."""
        if self.world_size == 1:
            return flag
        import torch

        return bool(self.sum(torch.tensor(int(flag))).item())

    def gather(self, value: T) -> tuple[T, ...]:
        """The values of all ranks, in their order, on every rank."""
        if self.world_size == 1:
            return (value,)
        import torch.distributed as dist

        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return tuple(values)

    def from_first(self, value: T) -> T:
        """The first rank's value, on every rank."""
        if self.world_size == 1:
            return value
        import torch.distributed as dist

        box = [value if self.is_first else None]
        dist.broadcast_object_list(box, src=0)
        return box[0]  # type: ignore[return-value]  # the list has been filled by the first rank

    def copy_from_first(self, module: nn.Module) -> None:
        """Give every rank the first one's parameters and buffers.

        Statistics of BatchNorm differ by rank: without this, each would evaluate another model.
        """
        if self.world_size == 1:
            return
        import torch
        import torch.distributed as dist

        with torch.no_grad():
            for tensor in chain(module.parameters(), module.buffers()):
                dense = tensor.contiguous()  # channels_last weights are not, for a backend
                dist.broadcast(dense, src=0)
                tensor.copy_(dense)

    def collect(self, folder: Path) -> None:
        """Put the ledgers of the other hosts beside the first one's; call when all are closed.

        In a folder that the hosts share this writes nothing.
        """
        if self.host_count == 1:
            return
        import torch.distributed as dist

        from .gather_ledgers import own_files, put_files

        files = own_files(folder, self.host) if self.host else {}
        received: list[Any] | None = [None] * self.world_size if self.is_first else None
        dist.gather_object(files, received)
        for others in received or ():
            put_files(folder, others)

    @contextmanager
    def guard(self, epoch: int | None = None) -> Iterator[None]:
        """Turn the loss of another rank inside into one `TrainingError` that says which, when.

        A signal that comes because a rank was lost (torchrun ends the others) is taken for that
        loss. Any other error is passed on, after the other ranks were told that this one ends.
        """
        if self.pulse is None:
            yield
            return
        self.pulse.epoch = epoch
        try:
            yield
        except BaseException as error:
            lost = self._lost(self.pulse, _raised_by_model(error))
            self.pulse.say_end(one_sentence(error) if lost is None else lost.message)
            if lost is None:
                raise
            raise lost from error

    def _lost(self, pulse: Pulse, error: BaseException) -> TrainingError | None:
        """The error of ranks that cannot go on together; None where it is this rank's own."""
        is_signal = isinstance(error, KeyboardInterrupt | SystemExit)
        if not is_signal and not _is_connection(error):
            return None
        with _ignoring_signals():
            lost = pulse.roll_call()
            # torchrun also ends the others where one has met an error, and not only a signal.
            has_failed = any(reason != INTERRUPTED for reason in pulse.failed().values())
            if is_signal and not lost and not has_failed:
                return None
            return TrainingError(pulse.explain(lost), hint=GO_ON)

    def may_speak(self, error: BaseException) -> bool:
        """Whether this rank is the one to print an error that several ranks may have met."""
        return self.pulse is None or self.pulse.board.claim(one_sentence(error))


ALONE = Group()


def _raised_by_model(error: BaseException) -> BaseException:
    """What lies behind an error that was explained as the model's: it may be the connection's."""
    if isinstance(error, MeasurementError | DeviceError) and error.__cause__ is not None:
        return error.__cause__
    return error


def one_sentence(error: BaseException) -> str:
    """An error in one sentence, for another rank to print."""
    if isinstance(error, ProfilerError):
        return error.message
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return INTERRUPTED
    first_line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


@contextmanager
def _ignoring_signals() -> Iterator[None]:
    """Let no signal end this process inside: torchrun sends one as soon as it misses a rank."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # else it was not Python that had set it
                signal.signal(number, handler)


def _is_connection(error: BaseException) -> bool:
    """Whether an error comes from the connections between ranks rather than from the model.

    Collectives raise `DistError`; inside a backward pass, what the backend raises is a plain
    RuntimeError that names its source file ("gloo/transport/tcp/pair.cc") or NCCL.
    """
    import torch.distributed as dist

    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and ("gloo/" in str(error) or "NCCL" in str(error))
