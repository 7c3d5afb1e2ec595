"""Short phases settled together: each in one group, none twice, none lost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.ledger import Phase
from profiler.ledger.stretches import Stretch, by_work, fold, phase_of, window_name

KINDS = st.sampled_from(["train", "validation", "save", Phase.OTHER.value])
PIECES = st.lists(st.tuples(KINDS, st.integers(0, 6), st.floats(1e-3, 100.0)), max_size=40)


def laid_out(pieces: Sequence[tuple[str, int, float]]) -> list[Stretch]:
    """Pieces (phase, epoch, seconds) one after the other."""
    stretches, now_s = [], 0.0
    for phase, epoch, seconds in pieces:
        stretches.append(Stretch(phase=phase, epoch=epoch, start_s=now_s, end_s=now_s + seconds))
        now_s += seconds
    return stretches


@given(PIECES, st.integers(1, 12))
def test_every_phase_is_in_one_group_with_all_that_it_lasted(
    pieces: list[tuple[str, int, float]], most: int
) -> None:
    stretches = laid_out(pieces)
    named = by_work(stretch for stretch in stretches if stretch.phase != Phase.OTHER)
    groups = fold(stretches, most)
    assert len(groups) <= most
    spans = sorted((part.start_s, part.end_s) for own in groups.values() for part in own)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    for work, own in named.items():
        homes = {
            home
            for home, parts in groups.items()
            for piece in own
            if any(part.start_s <= piece.start_s < part.end_s for part in parts)
        }
        assert len(homes) == 1
        assert work in homes or homes.pop()[0].endswith(" together")


def test_a_long_phase_keeps_its_own_row_among_short_ones() -> None:
    short = [("train", epoch, 0.01) for epoch in range(50)]
    later = [("validation", epoch, 0.01) for epoch in range(50)]
    groups = fold(laid_out([*short, ("train", 99, 3600.0), *later]), 3)
    assert list(groups) == [
        ("train 0-49 together", None),
        ("train", 99),
        ("validation 0-49 together", None),
    ]


def test_few_phases_are_each_told_for_themselves() -> None:
    pieces = [("train", 0, 0.01), ("other", 0, 0.01), ("train", 1, 0.01), ("train", 0, 0.01)]
    groups = fold(laid_out(pieces), 2)
    assert list(groups) == [("train", 0), ("train", 1)]
    assert len(groups["train", 0]) == 2


@pytest.mark.parametrize(
    ("phase", "epoch"), [("train", 3), ("warm-up", None), ("train 0-3, save 1 together", None)]
)
def test_a_window_name_is_read_back(phase: str, epoch: int | None) -> None:
    assert phase_of(window_name(phase, epoch)) == (phase, epoch)
