"""Which blocks are set aside, and what is said of it."""

from __future__ import annotations

import pytest

from profiler.measurement.disturbance import marked
from profiler.measurement.judgement import judge_repetition
from profiler.values.profile import Workload
from profiler.values.repetition import Block, CpuAccount, Repetition

CPU = Workload(model="m", device="cpu", allocator="system")


def block(number: int, *, seconds: float = 0.2, process: int = 0, **account: float) -> Block:
    return Block(
        process=process,
        round=number,
        start_s=float(number),
        end_s=number + seconds,
        call_count=10,
        account=CpuAccount(**account),  # type: ignore[arg-type]  # counts and seconds alike
    )


def disturbed(blocks: list[Block]) -> list[int]:
    return [item.round for item in marked(blocks) if item.is_disturbed]


def repetition(blocks: list[Block], process_count: int = 3, is_fresh: bool = True) -> Repetition:
    return Repetition(
        series="s", process_count=process_count, is_fresh=is_fresh, blocks=marked(blocks)
    )


def kinds(of: Repetition, workload: Workload = CPU) -> list[str]:
    return [finding.kind for finding in judge_repetition(of, workload)]


def test_a_neighbour_that_takes_a_cpu_disturbs_the_blocks_beside_it() -> None:
    blocks = [block(k, other_cpu_s=0.19 if k in (3, 4) else 0.01) for k in range(12)]
    assert disturbed(blocks) == [3, 4]


@pytest.mark.parametrize("field", ["stolen_s", "run_queue_wait_s"])
def test_time_stolen_and_time_waited_count_as_well(field: str) -> None:
    assert disturbed([block(k, **{field: 0.1 if k == 5 else 0.0}) for k in range(12)]) == [5]


def test_a_short_burst_is_seen_in_the_wait_of_a_thread() -> None:
    """50 ms of a neighbour in a block of 200 ms, on the CPU of one of our threads."""
    assert disturbed([block(k, run_queue_wait_s=0.025 if k == 2 else 1e-4) for k in range(9)]) == [
        2
    ]


def test_a_small_load_that_never_ends_disturbs_no_block_but_is_usual() -> None:
    assert disturbed([block(k, other_cpu_s=0.04, run_queue_wait_s=0.02) for k in range(12)]) == []


def test_a_neighbour_on_a_fifth_of_a_core_is_part_of_the_machine_and_bursts_beside_it_are_not() -> (
    None
):
    """A fifth of a core and what an idle machine does by itself are a quarter now and then."""
    burst = {4: 0.2, 9: 0.12}
    blocks = [block(k, other_cpu_s=0.05 + 0.03 * (k % 2) + burst.get(k, 0.0)) for k in range(12)]
    assert disturbed(blocks) == [4, 9]


def test_a_whole_core_that_is_always_taken_is_no_part_of_the_machine() -> None:
    assert len(disturbed([block(k, other_cpu_s=0.19) for k in range(12)])) == 12


def test_what_the_kernel_does_not_tell_is_not_held_against_a_block() -> None:
    assert disturbed([block(k) for k in range(4)]) == []


def test_disturbed_blocks_are_set_aside_and_counted() -> None:
    held = repetition([block(k, other_cpu_s=0.2 if k < 3 else 0.0) for k in range(12)])
    assert [item.round for item in held.counted] == list(range(3, 12))
    (finding,) = judge_repetition(held, CPU)
    assert finding.kind == "blocks-disturbed"
    assert finding.observed.startswith("3 of 12 blocks")


def test_only_most_blocks_disturbed_is_contended_and_then_all_are_used() -> None:
    held = repetition([block(k, other_cpu_s=0.2 if k < 7 else 0.0) for k in range(12)])
    assert len(held.counted) == 12
    assert kinds(held) == ["contended"]


def test_page_faults_are_named_with_the_flag_that_ends_them() -> None:
    faulting = {"minor_fault_count": 20_000, "system_s": 0.03, "own_cpu_s": 0.2}
    held = repetition([block(k, **faulting) for k in range(9)])
    (finding,) = judge_repetition(held, CPU)
    assert "2,000 page faults a call take 15%" in finding.observed
    assert "--allocator steady" in finding.remedy
    few = repetition([block(k, minor_fault_count=20, system_s=1e-3, own_cpu_s=0.2) for k in (1, 2)])
    assert kinds(few) == []
    # A busy kernel without a fault a call: something else keeps it busy.
    busy = {"minor_fault_count": 4, "system_s": 0.03, "own_cpu_s": 0.2}
    assert kinds(repetition([block(k, **busy) for k in (1, 2)])) == []


def test_processes_in_states_of_their_own_are_a_finding() -> None:
    blocks = [block(k, process=k % 3, seconds=0.2 + 0.02 * (k % 3)) for k in range(12)]
    assert kinds(repetition(blocks)) == ["processes-differ"]
    assert kinds(repetition([block(k, process=k % 3) for k in range(12)])) == []


def test_one_process_says_so() -> None:
    alone = repetition([block(1), block(2)], process_count=1, is_fresh=False)
    assert kinds(alone) == ["one-process"]
