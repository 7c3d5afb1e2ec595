"""Two models measured in turns: drift and neighbours cancel, and what does not cancel is said."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from profiler.comparison.verdicts import compare
from profiler.values.findings import contended
from profiler.values.profile import Profile
from profiler.values.repetition import Block, Repetition, Turns
from profiler.values.rounds import latency_ratio_of_rounds
from profiler.values.statistics import process_interval
from tests.sample import measured, sample_profile


def series(
    rng: random.Random,
    *,
    factor: float,
    rounds: int = 30,
    processes: int = 3,
    drift: float = 0.2,
    state: float = 0.05,
    noise: float = 0.005,
) -> tuple[Repetition, Repetition]:
    """Base and other; machine and processes wander far more than the blocks do."""
    states = [math.exp(rng.gauss(0, state)) for _ in range(processes)]
    pair: tuple[list[Block], list[Block]] = ([], [])
    for number in range(rounds):
        machine = 1 + drift * number / rounds
        for blocks, scale in zip(pair, (1.0, factor), strict=True):
            seconds = scale * machine * states[number % processes] * math.exp(rng.gauss(0, noise))
            start_s = 10.0 * number + (5.0 if blocks is pair[1] else 0.0)
            block = Block(
                process=number % processes, round=number, start_s=start_s, end_s=start_s + seconds,
                call_count=1,
            )  # fmt: skip
            blocks.append(block)
    first, second = (
        Repetition(series="s", process_count=processes, is_fresh=True, blocks=tuple(blocks))
        for blocks in pair
    )
    return first, second


def profiles(pair: tuple[Repetition, Repetition], ratio: float) -> tuple[Profile, Profile]:
    base = replace(
        sample_profile(), repetition=pair[0], latency_s=measured(1.1, 0.1, "s"),
        energy_j=measured(110.0, 0.1, "J"), power_w=measured(100.0, 0.002, "W"),
    )  # fmt: skip
    other = replace(
        base, repetition=pair[1], latency_s=measured(1.1 * ratio, 0.1, "s"),
        energy_j=measured(110.0 * ratio, 0.1, "J"),
    )  # fmt: skip
    return base, other


def test_who_measured_in_turns_is_not_told_to_measure_in_turns() -> None:
    busy = contended(0.9, 2, 2)
    base, other = profiles(series(random.Random(1), factor=1.1), 1.1)
    for again, remedy in ((base.repetition, "leave it a CPU"), (None, "in turns")):
        disturbed = replace(base, repetition=again, findings=(busy,))
        finding = compare(disturbed, other).findings[0]
        assert finding.kind == "contended"
        assert remedy in finding.remedy


def test_a_tenth_more_work_is_found_beneath_drift_and_states_that_are_larger() -> None:
    comparison = compare(*profiles(series(random.Random(1), factor=1.1), 1.1))
    assert comparison.verdict == "more"
    for key in ("latency_s", "energy_j", "energy_per_million_kwh", "carbon_per_million_g"):
        row = comparison.of(key)
        assert row is not None
        assert row.ratio is not None
        assert row.ratio.point == pytest.approx(1.1, rel=0.01)
        assert row.ratio.relative_half_width < 0.02  # type: ignore[operator]  # it has one
    rate = comparison.of("throughput_per_s")
    assert rate is not None
    assert rate.ratio is not None
    assert rate.ratio.point == pytest.approx(1 / 1.1, rel=0.01)
    assert rate.verdict == "less"


def test_a_model_against_itself_is_equal_or_not_told_apart() -> None:
    rng, wrong, missed = random.Random(2), 0, 0
    for _ in range(300):
        comparison = compare(*profiles(series(rng, factor=1.0), 1.0))
        ratio = comparison.latency_ratio
        assert ratio is not None
        assert ratio.low is not None
        assert ratio.high is not None
        missed += not ratio.low <= 1 <= ratio.high
        wrong += comparison.verdict in ("less", "more")
    assert missed / 300 < 0.07
    assert wrong == 0


def test_rounds_in_which_one_block_was_disturbed_do_not_count() -> None:
    first, second = series(random.Random(3), factor=1.0)
    blocks = tuple(
        replace(block, end_s=block.end_s + 50.0, is_disturbed=True) if block.round < 12 else block
        for block in second.blocks
    )
    ratio = latency_ratio_of_rounds(first, replace(second, blocks=blocks))
    assert ratio is not None
    assert ratio.high < 1.02
    few = tuple(replace(block, is_disturbed=block.round > 2) for block in second.blocks)
    assert latency_ratio_of_rounds(first, replace(second, blocks=few)) is None


def in_quick_turns(
    rng: random.Random,
    pair: tuple[Repetition, Repetition],
    call_s: Callable[[int, float], float],
    *,
    rounds: int = 12,
    stints: int = 20,
) -> tuple[Repetition, Repetition]:
    """The same two with quick turns, on a machine whose speed wanders and now and then stalls."""
    count, speed = pair[0].process_count, 0.0
    turns: tuple[list[Turns], list[Turns]] = ([], [])
    for number in range(rounds):
        latencies_s: tuple[list[float], list[float]] = ([], [])
        for _ in range(stints):
            speed = 0.9 * speed + rng.gauss(0, 0.08)
            for model in (0, 1):
                stall = 3.0 if rng.random() < 0.04 else 1.0
                noisy = math.exp(speed + rng.gauss(0, 0.02)) * stall
                latencies_s[model].append(call_s(model, rng.random()) * noisy)
        for model in (0, 1):
            turns[model].append(
                Turns(
                    process=number % count, round=number, start_s=10.0 * number,
                    end_s=10.0 * number + 1, latencies_s=tuple(latencies_s[model]),
                )
            )  # fmt: skip
    first, second = (
        replace(repetition, turns=tuple(one)) for repetition, one in zip(pair, turns, strict=True)
    )
    return first, second


def test_quick_turns_find_what_blocks_cannot_and_hold_it_as_often_as_they_say() -> None:
    rng, held, widths, runs = random.Random(6), 0, [], 200
    for _ in range(runs):
        blocks = series(rng, factor=1.1, noise=0.12)
        of_blocks = latency_ratio_of_rounds(*blocks)
        ratio = latency_ratio_of_rounds(
            *in_quick_turns(rng, blocks, lambda model, _: 1.1 if model else 1.0)
        )
        assert ratio is not None
        assert of_blocks is not None
        held += ratio.low <= 1.1 <= ratio.high
        widths.append((ratio.high - ratio.low) / (of_blocks.high - of_blocks.low))
    assert 0.92 < held / runs <= 0.995
    assert sorted(widths)[runs // 2] < 0.3


def test_turns_that_were_disturbed_do_not_count() -> None:
    rng = random.Random(7)
    first, second = in_quick_turns(rng, series(rng, factor=1.0), lambda model, _: 1.0)
    turns = tuple(
        replace(one, latencies_s=tuple(5 * x for x in one.latencies_s), is_disturbed=True)
        if one.round < 4
        else one
        for one in second.turns
    )
    ratio = latency_ratio_of_rounds(first, replace(second, turns=turns))
    assert ratio is not None
    assert ratio.high < 1.05


def test_what_comes_in_few_calls_is_seen_by_blocks_and_is_not_lost_to_quick_turns() -> None:
    """One call in twenty takes twenty times as long: twice the joules, and no stint but few."""
    rng = random.Random(8)
    blocks = series(rng, factor=1.95)
    ratio = latency_ratio_of_rounds(
        *in_quick_turns(rng, blocks, lambda model, u: 20.0 if model and u < 0.05 else 1.0)
    )
    assert ratio is not None
    assert ratio.low < 1.2
    assert ratio.high > 1.9
    assert compare(*profiles(blocks, 1.95)).verdict == "more"


@pytest.mark.parametrize(("share", "slow"), [(0.05, 20.0), (0.02, 50.0), (0.4, 3.0)])
def test_slow_calls_of_one_model_count_where_blocks_are_too_wide_to_contradict(
    share: float, slow: float
) -> None:
    """Twice the seconds over all calls, of which the middle of the stints knows nothing."""
    rng, held, equal, runs = random.Random(9), 0, 0, 60
    truth = 1 + share * (slow - 1)
    for _ in range(runs):
        blocks = series(rng, factor=truth, noise=0.5)
        ratio = latency_ratio_of_rounds(
            *in_quick_turns(rng, blocks, lambda model, u: slow if model and u < share else 1.0)
        )
        assert ratio is not None
        held += ratio.low <= truth <= ratio.high
        equal += ratio.high < 1.1
    assert held / runs > 0.9
    assert equal == 0


def test_a_run_is_no_partner_of_itself() -> None:
    first, _ = series(random.Random(4), factor=1.0)
    profile, _ = profiles((first, first), 1.0)
    assert compare(profile, profile).rounds is None


def test_grams_of_two_places_are_not_compared() -> None:
    base = sample_profile()
    assert base.carbon is not None
    elsewhere = replace(
        base.carbon, intensity_g_per_kwh=base.carbon.intensity_g_per_kwh.scaled(2, "g/kWh")
    )
    comparison = compare(base, replace(base, carbon=elsewhere))
    assert comparison.of("carbon_per_million_g") is None
    assert comparison.of("energy_j") is not None
    assert "different-carbon" in {finding.kind for finding in comparison.findings}


@pytest.mark.parametrize("state", [0.0, 0.01, 0.05])
def test_the_interval_over_processes_holds_the_mean_of_all_processes(state: float) -> None:
    """Blocks of one process agree far better than processes do."""
    rng, held, runs = random.Random(5), 0, 400
    for _ in range(runs):
        processes = [number % 3 for number in range(24)]
        states = [rng.gauss(1.0, state) for _ in range(3)]
        interval = process_interval([states[p] + rng.gauss(0, 0.005) for p in processes], processes)
        held += interval.low <= 1.0 <= interval.high
    assert 0.92 < held / runs <= 1.0
