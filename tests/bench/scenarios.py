"""Random loads with windows on them, of every kind a user may run."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from profiler.values.trace import Window
from tests.virtual.power import Piece, PowerScript

Draw = random.Random


@dataclass(frozen=True)
class Load:
    """True power from 0 s on, and the windows opened on it."""

    script: PowerScript
    windows: tuple[Window, ...]

    @property
    def truths_j(self) -> list[float]:
        return [self.script.energy_between_j(w.start_s, w.end_s or 0.0) for w in self.windows]


class Builder:
    """Adds pieces of power end to end, and windows around them."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.idle_w = draw.uniform(50, 120)
        self.now_s = 0.0
        self._pieces: list[Piece] = []
        self._windows: list[Window] = []

    def power(self, duration_s: float, start_w: float, end_w: float | None = None) -> None:
        if duration_s > 1e-9:
            self._pieces.append(Piece(duration_s, start_w, start_w if end_w is None else end_w))
            self.now_s += duration_s

    def idle(self, duration_s: float) -> None:
        self.power(duration_s, self.idle_w)

    def noisy_idle(self, duration_s: float, first_w: float) -> None:
        """Power that settles from `first_w` to idle, within 5 %."""
        end_s = self.now_s + duration_s
        level_w = first_w
        while self.now_s < end_s - 1e-9:
            level_w = self.idle_w + (level_w - self.idle_w) * 0.8
            self.power(min(0.02, end_s - self.now_s), level_w * self.draw.uniform(0.96, 1.04))

    def bursts(
        self, duration_s: float, high_w: float, low_w: float, on_s: float, off_s: float
    ) -> None:
        end_s = self.now_s + duration_s
        while self.now_s < end_s - 1e-9:
            self.power(min(on_s, end_s - self.now_s), high_w)
            self.power(min(off_s, end_s - self.now_s), low_w)

    def jitter(self, duration_s: float, mean_w: float, spread: float) -> None:
        end_s = self.now_s + duration_s
        while self.now_s < end_s - 1e-9:
            factor = max(0.1, self.draw.gauss(1.0, spread))
            self.power(min(0.01, end_s - self.now_s), mean_w * factor)

    def window(self, name: str, body: Callable[[], None]) -> None:
        start_s = self.now_s
        body()
        self._windows.append(Window(name=name, start_s=start_s, end_s=self.now_s))

    def place(self, name: str, start_s: float, end_s: float) -> None:
        """A window over power that is already there."""
        if end_s > start_s:
            self._windows.append(Window(name=name, start_s=start_s, end_s=end_s))

    def window_around(self, name: str, duration_s: float, power_w: float, loose_s: float) -> None:
        """Work whose window begins and ends beside it, by up to `loose_s` to either side."""
        start_s = self.now_s
        self.power(duration_s, power_w)
        early_s, late_s = (self.draw.uniform(-loose_s, loose_s) for _ in range(2))
        self.place(name, start_s + early_s, self.now_s + late_s)

    def come_late(self, usual_s: float = 5e-4, rare_share: float = 0.15) -> None:
        """Every edge comes late, as a thread wakes: by `usual_s`, now and then by 5 ms more."""
        edges_s = sorted({e for w in self._windows for e in (w.start_s, w.end_s or w.start_s)})
        late_s: dict[float, float] = {}
        last_s = 0.0
        for edge_s in edges_s:
            delay_s = self.draw.expovariate(1 / usual_s)
            if self.draw.random() < rare_share:
                delay_s += self.draw.expovariate(1 / 5e-3)
            late_s[edge_s] = last_s = max(edge_s + delay_s, last_s + 1e-5)
        self._windows = [
            Window(name=w.name, start_s=late_s[w.start_s], end_s=late_s[w.end_s or w.start_s])
            for w in self._windows
        ]

    def open_around(self, before_s: float, after_s: float) -> None:
        """Every window begins before its work and ends after it, by about so much."""
        self._windows = [
            Window(
                name=w.name,
                start_s=w.start_s - before_s * self.draw.uniform(0.5, 1.5),
                end_s=(w.end_s or 0.0) + after_s * self.draw.uniform(0.5, 1.5),
            )
            for w in self._windows
        ]

    def finished(self) -> Load:
        return Load(PowerScript(tuple(self._pieces)), tuple(self._windows))


Scenario = Callable[[Builder], None]


def make(scenario: Scenario, seed: int) -> Load:
    """One load: idle, the scenario, idle."""
    builder = Builder(Draw(seed))
    builder.idle(builder.draw.uniform(0.8, 1.5))
    scenario(builder)
    builder.idle(builder.draw.uniform(0.5, 1.0))
    return builder.finished()


def steady(b: Builder) -> None:
    b.window("w", lambda: b.power(5.0, b.draw.uniform(60, 700)))


def bursts_30ms(b: Builder) -> None:
    high_w, off_s = b.draw.uniform(300, 700), b.draw.uniform(0.02, 0.08)
    b.window("w", lambda: b.bursts(5.0, high_w, 1.2 * b.idle_w, 0.03, off_s))


def ramp(b: Builder) -> None:
    b.window("w", lambda: b.power(5.0, b.draw.uniform(60, 200), b.draw.uniform(300, 700)))


def mixed_30s(b: Builder) -> None:
    def body() -> None:
        while b.now_s < 32.0:
            duration_s, power_w = b.draw.uniform(0.2, 2.0), b.draw.uniform(60, 700)
            kind = b.draw.randrange(4)
            if kind == 0:
                b.power(duration_s, power_w)
            elif kind == 1:
                b.power(duration_s, power_w, b.draw.uniform(60, 700))
            elif kind == 2:
                b.bursts(duration_s, 650, 90, 0.02, 0.03)
            else:
                b.idle(duration_s / 5)

    b.window("w", body)


def short_with_gaps(b: Builder) -> None:
    power_w = b.draw.uniform(200, 700)
    for _ in range(20):
        b.window("w", lambda: b.power(b.draw.uniform(0.05, 0.3), power_w))
        b.idle(b.draw.uniform(0.05, 0.4))


def short_unique(b: Builder) -> None:
    for index in range(20):
        b.window(f"w{index}", lambda: b.power(b.draw.uniform(0.05, 0.3), b.draw.uniform(60, 700)))
        b.idle(b.draw.uniform(0.05, 0.4))


def back_to_back(b: Builder) -> None:
    for index in range(25):
        b.window(f"w{index}", lambda: b.power(b.draw.uniform(0.08, 0.4), b.draw.uniform(60, 700)))


def back_to_back_same(b: Builder) -> None:
    for _ in range(25):
        b.window("w", lambda: b.power(b.draw.uniform(0.08, 0.4), b.draw.uniform(60, 700)))


def back_to_back_spaced(b: Builder) -> None:
    """The usual training loop: a few ms after each window in which its load goes on."""
    for index in range(25):
        power_w = b.draw.uniform(60, 700)
        b.window(f"w{index}", partial(b.power, b.draw.uniform(0.08, 0.4), power_w))
        b.power(b.draw.uniform(0.002, 0.02), power_w)


def steps_4ms_apart(b: Builder) -> None:
    """Windows of one name and their own power, 4 ms of the same power after each."""
    for _ in range(25):
        power_w = b.draw.uniform(200, 700)
        b.window("step", partial(b.power, b.draw.uniform(0.08, 0.4), power_w))
        b.power(0.004, power_w)


def short_steps(b: Builder) -> None:
    """Windows far shorter than a counter's period, in bunches, with pauses of a few ms."""
    number = 0
    for _ in range(4):
        for _ in range(b.draw.randint(20, 60)):
            power_w = b.draw.uniform(200, 700)
            b.window(f"w{number}", partial(b.power, b.draw.uniform(0.004, 0.03), power_w))
            b.power(b.draw.uniform(0.0, 0.004), b.draw.choice((b.idle_w, power_w)))
            number += 1
        b.idle(b.draw.uniform(0.1, 0.5))


def rough(b: Builder) -> None:
    """Windows of 2 to 6 pieces: steady, ramps, and bursts of 20 ms."""

    def body() -> None:
        for _ in range(b.draw.randint(2, 6)):
            kind, power_w = b.draw.randrange(3), b.draw.uniform(150, 700)
            if kind == 0:
                b.power(b.draw.uniform(0.02, 0.08), power_w)
            elif kind == 1:
                b.power(b.draw.uniform(0.03, 0.09), power_w, b.draw.uniform(100, 700))
            else:
                b.bursts(0.06, power_w, b.idle_w, 0.02, 0.02)

    for index in range(20):
        b.window(b.draw.choice(("w", f"w{index}")), body)
        b.idle(b.draw.choice((0.03, 0.15, 0.5)))


def varying_inside(b: Builder) -> None:
    for index in range(20):
        duration_s = b.draw.uniform(0.08, 0.5)
        low_w, high_w = b.draw.uniform(80, 350), b.draw.uniform(350, 700)

        def body(
            duration_s: float = duration_s, low_w: float = low_w, high_w: float = high_w
        ) -> None:
            share = b.draw.random()
            b.power(duration_s * share, low_w, high_w)
            b.bursts(duration_s * (1 - share), high_w, low_w, 0.02, 0.02)

        b.window(b.draw.choice(("w", f"w{index}")), body)
        b.idle(b.draw.uniform(0.03, 0.5))


def nested(b: Builder) -> None:
    def epoch() -> None:
        forward_w, backward_w = b.draw.uniform(60, 700), b.draw.uniform(60, 700)
        for _ in range(b.draw.randint(2, 6)):
            b.window("forward", lambda: b.power(b.draw.uniform(0.05, 0.3), forward_w))
            b.window("backward", lambda: b.power(b.draw.uniform(0.05, 0.4), backward_w))
            if b.draw.random() < 0.4:
                b.power(b.draw.uniform(0.01, 0.1), b.draw.uniform(60, 200))

    for _ in range(5):
        b.window("epoch", epoch)
        b.idle(b.draw.uniform(0.05, 0.8))


def noisy(b: Builder) -> None:
    """Power that jitters inside windows and takes a while to settle after them."""
    for index in range(18):
        mean_w, spread = b.draw.uniform(100, 600), b.draw.uniform(0.02, 0.3)
        b.window(
            f"w{index % 3}",
            lambda m=mean_w, s=spread: b.jitter(b.draw.uniform(0.05, 0.8), m, s),  # type: ignore[misc]  # bound at once
        )
        b.noisy_idle(b.draw.uniform(0.05, 0.5), 1.5 * b.idle_w)


def everything(b: Builder) -> None:
    for index in range(18):
        name = b.draw.choice((f"n{b.draw.randrange(4)}", f"u{index}"))
        power_w, duration_s = b.draw.uniform(60, 700), b.draw.uniform(0.05, 0.6)

        def halves(power_w: float = power_w, duration_s: float = duration_s) -> None:
            b.window("inner", lambda: b.power(duration_s / 2, power_w))
            b.power(duration_s / 2, 0.6 * power_w)

        bodies: Sequence[Callable[[], None]] = (
            lambda p=power_w, d=duration_s: b.power(d, p),  # type: ignore[misc]  # bound at once
            lambda p=power_w, d=duration_s: b.power(d, p, b.draw.uniform(60, 700)),  # type: ignore[misc]  # bound at once
            lambda p=power_w, d=duration_s: b.bursts(d, p, b.idle_w, 0.02, 0.03),  # type: ignore[misc]  # bound at once
            lambda p=power_w, d=duration_s: b.jitter(d, p, 0.1),  # type: ignore[misc]  # bound at once
            lambda p=power_w, d=duration_s: b.power(4 * d, p),  # type: ignore[misc]  # bound at once
            halves,
        )
        b.window(name, b.draw.choice(bodies))
        if b.draw.random() < 0.6:
            b.idle(b.draw.uniform(0.01, 0.5))


def loose_edges(b: Builder) -> None:
    """Work that begins and ends up to 7 ms off the edges of its window, each edge by its own."""
    power_w = b.draw.uniform(200, 700)
    for _ in range(20):
        b.window_around("w", b.draw.uniform(0.05, 0.4), power_w, loose_s=0.007)
        b.idle(b.draw.uniform(0.05, 0.4))


def woken_with_gaps(b: Builder) -> None:
    """Windows of a thread that sleeps in between, on an idle machine: all edges a little late."""
    short_with_gaps(b)
    b.come_late(usual_s=1.5e-4, rare_share=0.0)


def launched_with_gaps(b: Builder) -> None:
    """Work that is launched after its window was opened, and over before it is closed."""
    short_with_gaps(b)
    b.open_around(before_s=1e-4, after_s=1.5e-4)


def late_with_gaps(b: Builder) -> None:
    """Windows of a thread that sleeps in between, on work that does not wait for it."""
    short_with_gaps(b)
    b.come_late()


def late_rough(b: Builder) -> None:
    """The same on work whose power is nowhere alike."""
    rough(b)
    b.come_late()


def overhang(b: Builder) -> None:
    """A single window that stays open some time after its work."""

    def body() -> None:
        b.power(b.draw.uniform(0.4, 4.0), b.draw.uniform(200, 700))
        b.idle(b.draw.uniform(0.02, 0.15))

    b.window("w", body)


def unrelated_load(b: Builder) -> None:
    """Steps and bursts that know nothing of the windows."""
    begin_s = b.now_s
    while b.now_s < begin_s + 8.0:
        duration_s, high_w = b.draw.uniform(0.05, 0.8), b.draw.uniform(100, 700)
        if b.draw.random() < 0.5:
            b.power(duration_s, high_w)
        else:
            on_s = b.draw.choice((0.03, 0.09))
            b.bursts(duration_s, high_w, b.idle_w, on_s, on_s * b.draw.uniform(0.7, 1.5))
    start_s = begin_s
    for index in range(8):
        start_s += b.draw.uniform(0.05, 0.5)
        end_s = min(start_s + b.draw.uniform(0.1, 1.2), b.now_s)
        b.place(f"w{index}", start_s, end_s)
        start_s = end_s


ALIGNED_KINDS: tuple[Scenario, ...] = (
    steady,
    bursts_30ms,
    ramp,
    mixed_30s,
    short_with_gaps,
    short_unique,
    back_to_back,
    back_to_back_same,
    back_to_back_spaced,
    steps_4ms_apart,
    rough,
    varying_inside,
    nested,
    noisy,
    everything,
)

LOOSE_KINDS: tuple[Scenario, ...] = (
    loose_edges,
    woken_with_gaps,
    launched_with_gaps,
    late_with_gaps,
    late_rough,
    overhang,
    unrelated_load,
)
# Windows that a slow counter cannot tell apart.
SHORT_KINDS: tuple[Scenario, ...] = (short_steps,)
EVERY_KIND = ALIGNED_KINDS + LOOSE_KINDS + SHORT_KINDS
