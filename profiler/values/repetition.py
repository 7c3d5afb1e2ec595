"""How a measurement was repeated: its timed blocks, by process and by round."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuAccount:
    """What the kernel accounted to one span of time; None where it does not tell.

    Args:
        own_cpu_s: CPU seconds of the process that worked.
        system_s: of these, seconds inside the kernel.
        minor_fault_count: pages that the kernel had to hand out again.
        major_fault_count: pages that were read from a disk.
        involuntary_switch_count: times that the process was put off a CPU.
        migration_count: times that its first thread was moved to another CPU.
        frequency_hz: of the CPU that it ran on last, at the end.
        run_queue_wait_s: seconds for which the slowest working thread was ready and had no CPU.
        other_cpu_s: CPU seconds of everybody else on the machine.
        stolen_s: seconds that a hypervisor gave to other machines, over all CPUs.
    """

    own_cpu_s: float | None = None
    system_s: float | None = None
    minor_fault_count: int | None = None
    major_fault_count: int | None = None
    involuntary_switch_count: int | None = None
    migration_count: int | None = None
    frequency_hz: float | None = None
    run_queue_wait_s: float | None = None
    other_cpu_s: float | None = None
    stolen_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A timed block of calls.

    Args:
        process: number of the process that ran it.
        round: number of the round; in turns, each model has one block in a round.
        start_s: CLOCK_MONOTONIC seconds.
        end_s: CLOCK_MONOTONIC seconds.
        call_count: calls inside.
        account: what the kernel accounted to it.
        is_disturbed: other work had its CPUs, so that it is set aside for time and joules alike.
    """

    process: int
    round: int
    start_s: float
    end_s: float
    call_count: int
    account: CpuAccount = CpuAccount()
    is_disturbed: bool = False

    @property
    def duration_s(self) -> float:
        """Length of the block."""
        return self.end_s - self.start_s

    @property
    def latency_s(self) -> float:
        """Seconds of a call."""
        return self.duration_s / self.call_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Stints of a few calls, in quick turns with those of other models in the same process.

    A sensor cannot tell such stints apart, so that they have no joules. But where others share the
    machine its speed changes from one tenth of a second to the next, and only what ran within the
    same hundredths can be compared.

    Args:
        process: number of the process that ran them.
        round: number of the round.
        start_s: CLOCK_MONOTONIC seconds, before the first stint of any model.
        end_s: after the last one.
        latencies_s: seconds of a call in each stint of this model. The k-th of all models ran
            beside each other, every second time in the reverse order of the time before.
        account: what the kernel accounted to the stints of all models.
        is_disturbed: other work had the CPUs, so that they are set aside.
    """

    process: int
    round: int
    start_s: float
    end_s: float
    latencies_s: tuple[float, ...]
    account: CpuAccount = CpuAccount()
    is_disturbed: bool = False

    @property
    def duration_s(self) -> float:
        """Length of all stints together, with what was between them."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """The blocks of one model.

    Args:
        series: the same text in every profile that was measured in turns with this one.
        process_count: processes that ran blocks; 1 cannot show how much processes differ.
        is_fresh: whether these processes were started for this measurement.
        blocks: in the order in which they ran, disturbed ones included.
        turns: in the order in which they ran; () for one model alone, a GPU, or calls so long that
            blocks are turns.
    """

    series: str
    process_count: int
    is_fresh: bool
    blocks: tuple[Block, ...]
    turns: tuple[Turns, ...] = ()

    @property
    def counted(self) -> tuple[Block, ...]:
        """Blocks that enter the figures: all of them where most were disturbed."""
        undisturbed = tuple(block for block in self.blocks if not block.is_disturbed)
        return self.blocks if self.is_contended else undisturbed

    @property
    def is_contended(self) -> bool:
        """Whether most blocks were disturbed."""
        return 2 * sum(block.is_disturbed for block in self.blocks) > len(self.blocks)
