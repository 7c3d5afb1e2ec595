"""Scripted true power: an exact piecewise-linear function of time, with an exact integral.

Written apart from the product, so that the product can be judged by it.

    script = bursts(high_w=600, low_w=100, on_s=.03, off_s=.05, count=60).at(start_s=clock.now_s())
    script.power_w(t)                  # true watts at an instant
    script.energy_between_j(a, b)      # true joules of any interval, even outside the script
    (constant(100, 2) + ramp(100, 700, 1) + constant(700, 5)).at(start_s=50.0)

Before its start a script draws its first power, after its end its last, for ever.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate


@dataclass(frozen=True)
class Piece:
    """Power that moves in a straight line from `start_w` to `end_w` within `duration_s`."""

    duration_s: float
    start_w: float
    end_w: float

    @property
    def energy_j(self) -> float:
        return self.duration_s * (self.start_w + self.end_w) / 2


@dataclass(frozen=True)
class PowerScript:
    """Pieces end to end from `start_s` on. Add two scripts to play one after the other."""

    pieces: tuple[Piece, ...]
    start_s: float = 0.0
    _edges_s: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _energies_j: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.pieces or any(piece.duration_s <= 0 for piece in self.pieces):
            raise ValueError("a script needs pieces of positive duration")
        edges_s = accumulate((piece.duration_s for piece in self.pieces), initial=0.0)
        energies_j = accumulate((piece.energy_j for piece in self.pieces), initial=0.0)
        object.__setattr__(self, "_edges_s", tuple(edges_s))
        object.__setattr__(self, "_energies_j", tuple(energies_j))

    @property
    def duration_s(self) -> float:
        return self._edges_s[-1]

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s

    def at(self, start_s: float) -> PowerScript:
        """The same script, begun at another instant of the clock."""
        return replace(self, start_s=start_s)

    def __add__(self, other: PowerScript) -> PowerScript:
        return PowerScript(self.pieces + other.pieces, self.start_s)

    def __mul__(self, count: int) -> PowerScript:
        return PowerScript(self.pieces * count, self.start_s)

    def power_w(self, time_s: float) -> float:
        elapsed_s = time_s - self.start_s
        if elapsed_s < 0:
            return self.pieces[0].start_w
        if elapsed_s >= self.duration_s:
            return self.pieces[-1].end_w
        index = bisect_right(self._edges_s, elapsed_s) - 1
        piece = self.pieces[index]
        share = (elapsed_s - self._edges_s[index]) / piece.duration_s
        return piece.start_w + share * (piece.end_w - piece.start_w)

    def energy_j(self, time_s: float) -> float:
        """True joules from the start of the script to `time_s`; negative before the start."""
        elapsed_s = time_s - self.start_s
        if elapsed_s < 0:
            return elapsed_s * self.pieces[0].start_w
        if elapsed_s >= self.duration_s:
            return self._energies_j[-1] + (elapsed_s - self.duration_s) * self.pieces[-1].end_w
        index = bisect_right(self._edges_s, elapsed_s) - 1
        piece = self.pieces[index]
        inside_s = elapsed_s - self._edges_s[index]
        slope = (piece.end_w - piece.start_w) / piece.duration_s
        return self._energies_j[index] + inside_s * (piece.start_w + slope * inside_s / 2)

    def energy_between_j(self, start_s: float, end_s: float) -> float:
        return self.energy_j(end_s) - self.energy_j(start_s)

    def mean_w(self, start_s: float, end_s: float) -> float:
        return self.energy_between_j(start_s, end_s) / (end_s - start_s)

    def to_json(self) -> dict[str, object]:
        rows = [[piece.duration_s, piece.start_w, piece.end_w] for piece in self.pieces]
        return {"start_s": self.start_s, "pieces": rows}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> PowerScript:
        rows: Iterable[Sequence[float]] = data["pieces"]  # type: ignore[assignment]  # plain JSON
        return cls(tuple(Piece(*row) for row in rows), float(data["start_s"]))  # type: ignore[arg-type]  # plain JSON


def constant(power_w: float, duration_s: float = 1.0) -> PowerScript:
    return PowerScript((Piece(duration_s, power_w, power_w),))


def ramp(start_w: float, end_w: float, duration_s: float) -> PowerScript:
    return PowerScript((Piece(duration_s, start_w, end_w),))


def steps(levels: Iterable[tuple[float, float]]) -> PowerScript:
    """(duration_s, power_w) after one another."""
    return PowerScript(tuple(Piece(duration_s, power_w, power_w) for duration_s, power_w in levels))


def bursts(*, high_w: float, low_w: float, on_s: float, off_s: float, count: int) -> PowerScript:
    """`count` times high then low."""
    return steps([(on_s, high_w), (off_s, low_w)]) * count


def square_noise(
    *, mean_w: float, spread_w: float, piece_s: float, duration_s: float, seed: int
) -> PowerScript:
    """Power that jumps to a random level every `piece_s`."""
    levels = random.Random(seed)
    count = max(1, round(duration_s / piece_s))
    return steps(
        [(piece_s, max(0.0, mean_w + levels.uniform(-spread_w, spread_w))) for _ in range(count)]
    )


def mixed(duration_s: float, *, seed: int, idle_w: float = 90, full_w: float = 690) -> PowerScript:
    """Constants, ramps, bursts and gaps of random length and height, in random order."""
    choose = random.Random(seed)
    script = constant(idle_w, 0.3)
    while script.duration_s < duration_s:
        high_w = choose.uniform(0.3 * full_w, full_w)
        script += choose.choice(
            (
                constant(high_w, choose.uniform(0.2, 1.5)),
                ramp(idle_w, high_w, choose.uniform(0.2, 1.0)),
                bursts(high_w=high_w, low_w=idle_w, on_s=0.02, off_s=0.03, count=8),
                constant(idle_w, choose.uniform(0.05, 0.5)),
            )
        )
    return script + constant(idle_w, 0.3)
