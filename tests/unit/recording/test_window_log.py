"""Windows found by name and by time."""

from __future__ import annotations

import random

import pytest

from profiler.inference.excerpt import beside
from profiler.recording.window_log import WindowLog
from profiler.values.trace import Window


def logged(count: int, seed: int) -> WindowLog:
    """Windows that nest, overlap and are named late."""
    log, chance, now_s = WindowLog(), random.Random(seed), 0.0
    still_open: list[str] = []
    for _ in range(count):
        now_s += chance.expovariate(1.0)
        name = f"w{chance.randrange(5)}"
        log.begin(name, now_s - chance.choice((0.0, 3.0)))
        still_open.append(name)
        while still_open and chance.random() < 0.5:
            now_s += chance.expovariate(2.0)
            log.end(still_open.pop(), now_s, None, None)
    return log


@pytest.mark.parametrize("seed", range(4))
def test_what_lies_beside_a_target_is_found_as_by_looking_at_every_window(seed: int) -> None:
    log = logged(300, seed)
    for targets in (
        [Window(name="t", start_s=40.0, end_s=55.0)],
        [Window(name="t", start_s=10.0, end_s=200.0), Window(name="u", start_s=12.0, end_s=None)],
    ):
        assert log.beside(targets, 5.0) == beside(log.all(), targets, 5.0)


def test_windows_of_one_name_come_in_the_order_of_their_opening() -> None:
    log = logged(100, 1)
    assert log.named("w3") == tuple(window for window in log.all() if window.name == "w3")
    with pytest.raises(KeyError):
        log.named("w9")


def test_the_edges_rise() -> None:
    edges_s = list(logged(100, 2).edges_s())
    assert edges_s == sorted(edges_s)
    assert len(edges_s) > 150
