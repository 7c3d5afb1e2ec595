"""Quick turns: a few calls of each model, one model after the other, many times in one process.

Only time is compared by them. Joules need blocks that a sensor can tell apart; they are the power
of those x the time of these.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from profiler.values.repetition import Turns

from .disturbance import marked
from .runners import Runner

STINT_S = 0.01
"""As short as calls allow: on a shared machine of two CPUs the ratio of two equal networks spread
by 12 % from turn to turn with stints of 0.5 s, and by 5 % with a fiftieth of that."""

FEWEST_TURNS, SHORTEST_CALL_S = 2, 1e-7


def turns_in(seconds: float, latencies_s: Sequence[float]) -> int:
    """How many turns of all models fit, an even number; 0 where the calls are too long for two."""
    turn_s = sum(latency_s * (1 + calls_in_stint(latency_s)) for latency_s in latencies_s)
    count = int(seconds / turn_s) // 2 * 2 if turn_s > 0 else 0
    return count if count >= FEWEST_TURNS else 0


def calls_in_stint(latency_s: float) -> int:
    """Timed calls of one stint."""
    # A clock that hardly moved during a call tells no latency.
    return max(1, round(STINT_S / max(latency_s, SHORTEST_CALL_S)))


def take_turns(
    runner: Runner,
    process: int,
    number: int,
    latencies_s: Sequence[float],
    seconds: float,
    generator: random.Random,
) -> tuple[Turns, ...]:
    """Turns for about so long, those of each model; two at least must fit.

    Args:
        runner: makes the calls.
        process: its number.
        number: of the round.
        latencies_s: about the seconds of a call of each model.
        seconds: how long.
        generator: of the order.
    """
    models, orders = range(len(latencies_s)), list[list[int]]()
    for _ in range(turns_in(seconds, latencies_s) // 2):
        order = generator.sample(models, len(models))
        orders += [order, order[::-1]]
    call_counts = [calls_in_stint(latency_s) for latency_s in latencies_s]
    span = runner.take_turns(orders, call_counts)
    return tuple(
        Turns(
            process=process,
            round=number,
            start_s=span.start_s,
            end_s=span.end_s,
            latencies_s=tuple(stint_s / call_counts[model] for stint_s in span.stints_s[model]),
            account=span.account,
        )
        for model in models
    )


def marked_turns(
    rounds: Sequence[Sequence[Turns]], model_count: int
) -> tuple[tuple[Turns, ...], ...]:
    """The turns of each model, those set aside in which other work had the CPUs."""
    return tuple(marked([turns[model] for turns in rounds]) for model in range(model_count))
