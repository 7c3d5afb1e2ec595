"""Joules between instants of a recording, jointly, as mixtures of normal densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .edges import FEWEST_EDGES, LEAST_STRAY_S, MOST_FLUCTUATION, true_edges
from .lag import plausible_lags
from .moves import Floats, Moves
from .panel import NO_LAG, Lag, Panel, build_panel
from .samples import NO_SAMPLES, Samples
from .segment_model import Model, build_model
from .strengths import (
    FLUCTUATIONS,
    STRAY,
    Setting,
    at_least_stray,
    average_weights,
    likeliest,
    with_loose_edges,
)
from .timeline import Timeline

Anchor = tuple[float, int]
Group = tuple[list[Anchor], tuple[float, float]]
Factors = tuple[float, dict[int, tuple[NDArray[np.int_], Floats]]]
T = TypeVar("T")
PANEL_ANCHOR_COUNT = 36
CONTEXT_EDGE_COUNT = 14
CONTEXT_PERIOD_COUNT = 60
LEARNING_PANEL_COUNT = 3
NEGLIGIBLE = 1e-3
REMAINING = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Signed anchors of one target: its energy is sum(sign x (E at the reference + remainder))."""

    anchors: tuple[Anchor, ...]
    signs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Densities:
    """Energy of each target as a mixture: shares (k,), means and deviations (targets, k).

    `lags` are those of the counter that were thought possible, with their probabilities.
    """

    shares: Floats
    means_j: Floats
    deviations_j: Floats
    lags: Sequence[tuple[float, Lag]]


class _Bank:
    """The models of all panels for any lag of the counter, each made once."""

    def __init__(
        self, moves: Moves, timeline: Timeline, groups: Sequence[Group], samples: Samples
    ) -> None:
        self._samples = samples
        self._moves, self._timeline, self._groups = moves, timeline, groups
        self._learning = _spread(range(len(groups)), LEARNING_PANEL_COUNT)
        self._models: dict[tuple[Lag, int], Model] = {}
        self._settings: dict[Lag, list[Setting]] = {}
        panels = [build_panel(moves, timeline, *group) for group in groups]
        self._least_stray_s = 0.0
        self._scale_w = _typical_power(panels)

    def models(self, lag: Lag) -> list[Model]:
        return [self._model(lag, number) for number in range(len(self._groups))]

    def examples(self, lag: Lag) -> list[Model]:
        """The few from which lag and strengths are learned."""
        return [self._model(lag, number) for number in self._learning]

    def settings(self, lag: Lag) -> list[Setting]:
        if lag not in self._settings:
            learned = [
                (share, at_least_stray(strengths, self._least_stray_s))
                for share, strengths in average_weights(self.examples(lag))
            ]
            self._settings[lag] = with_loose_edges(learned, len(self._timeline.edges_s))
        return self._settings[lag]

    def with_true_edges(self, lag: Lag) -> _Bank:
        """This bank where edges lie on the dot or are few; else one with its edges moved."""
        strengths = likeliest(self.settings(lag))
        stray_s = float(strengths[STRAY])
        rough = strengths[FLUCTUATIONS].max() > MOST_FLUCTUATION
        if rough or stray_s < LEAST_STRAY_S or len(self._timeline.edges_s) < FEWEST_EDGES:
            return self
        moved: dict[float, float] = {}
        for group, span in self._groups:
            panel = build_panel(self._moves, self._timeline, group, span, lag, self._samples)
            moved |= true_edges(panel, strengths, self._scale_w, stray_s)
        bank = _Bank(self._moves, self._timeline.moved(moved), self._groups, self._samples)
        bank._least_stray_s = stray_s / REMAINING
        return bank

    def _model(self, lag: Lag, number: int) -> Model:
        if (lag, number) not in self._models:
            group, span = self._groups[number]
            panel = build_panel(self._moves, self._timeline, group, span, lag, self._samples)
            self._models[lag, number] = build_model(panel, self._scale_w)
        return self._models[lag, number]


def cut_target(moves: Moves, spans: Sequence[tuple[float, float]]) -> Pieces:
    """Split the spans of a target where the counter cannot be subtracted."""
    middle_s = moves.middle_s
    anchors: list[Anchor] = []
    signs: list[int] = []
    breaks = np.flatnonzero(~moves.solid)
    for start, end in spans:
        first, last = _reference(middle_s, start), _reference(middle_s, end)
        cursor: Anchor = (start, first)
        for k in breaks[(breaks >= first) & (breaks < last)]:
            for instant, reference in ((middle_s[k], k), (middle_s[k + 1], k)):
                stop = (max(float(instant), start), int(reference))
                anchors += [cursor, stop]
                signs += [-1, 1]
                cursor = stop
            cursor = (float(middle_s[k + 1]), int(k + 1))
        anchors += [cursor, (end, last)]
        signs += [-1, 1]
    return Pieces(anchors=tuple(anchors), signs=tuple(signs))


def _reference(middle_s: Floats, instant: float) -> int:
    return int(np.clip(np.searchsorted(middle_s, instant, side="right") - 1, 0, len(middle_s) - 1))


def solve(
    moves: Moves, timeline: Timeline, targets: Sequence[Pieces], samples: Samples = NO_SAMPLES
) -> Densities:
    """Posterior energy of every target.

    Targets that share counter intervals are solved together, in panels of bounded size; between
    panels the errors are taken as independent, because no interval belongs to two of them.
    """
    anchors = sorted({anchor for target in targets for anchor in target.anchors})
    groups = _group(anchors, moves, timeline)
    bank = _Bank(moves, timeline, groups, samples)
    lags = plausible_lags(bank.examples, bank.settings, moves.longest_lag_s)
    likeliest_lag = max(lags, key=lambda pair: pair[0])[1]
    if likeliest_lag == NO_LAG:  # a counter that lags moves every edge alike, and explains them
        bank = bank.with_true_edges(likeliest_lag)
    place = {a: (g, i) for g, (group, _) in enumerate(groups) for i, a in enumerate(group)}
    factors = [_factors(target, moves, place) for target in targets]
    settings = [(p * own, lag, s) for p, lag in lags for own, s in bank.settings(lag)]
    least = NEGLIGIBLE * max(share for share, _, _ in settings)
    parts = [
        (share, *_weigh(factors, bank.models(lag), strengths))
        for share, lag, strengths in settings
        if share >= least
    ]
    shares = np.array([share for share, _, _ in parts])
    return Densities(
        shares=shares / shares.sum(),
        means_j=np.array([means for _, means, _ in parts]).T,
        deviations_j=np.sqrt(np.maximum([variances for _, _, variances in parts], 0.0)).T,
        lags=lags,
    )


def _weigh(
    factors: Sequence[Factors], models: Sequence[Model], strengths: Floats
) -> tuple[list[float], list[float]]:
    """Mean and variance of every target under one setting of the model."""
    solved = [model.posterior(strengths) for model in models]
    means, variances = [], []
    for base_j, parts in factors:
        mean, variance = base_j, 0.0
        for group, (indices, signs) in parts.items():
            panel_mean, covariance = solved[group]
            mean += float(signs @ panel_mean[indices])
            variance += float(signs @ covariance[np.ix_(indices, indices)] @ signs)
        means.append(mean)
        variances.append(variance)
    return means, variances


def _factors(target: Pieces, moves: Moves, place: dict[Anchor, tuple[int, int]]) -> Factors:
    """Energy read off directly, and signed anchors by panel."""
    base_j = 0.0
    net: dict[int, dict[int, float]] = {}
    for anchor, sign in zip(target.anchors, target.signs, strict=True):
        base_j += sign * float(moves.energy_j[anchor[1]])
        group, index = place[anchor]
        of_group = net.setdefault(group, {})
        of_group[index] = of_group.get(index, 0.0) + sign
    parts = {
        group: (np.array(list(of_group)), np.array(list(of_group.values())))
        for group, of_group in net.items()
    }
    return base_j, parts


def _group(anchors: Sequence[Anchor], moves: Moves, timeline: Timeline) -> list[Group]:
    """Panels: anchors that lie near each other, and the span of their context."""
    edges_s = timeline.edges_s
    reach_s = CONTEXT_PERIOD_COUNT * (moves.period_s or 0.1)
    groups: list[list[Anchor]] = []
    for anchor in anchors:
        group = groups[-1] if groups else []
        apart = bool(group) and (
            anchor[1] - group[-1][1] > CONTEXT_PERIOD_COUNT
            or np.searchsorted(edges_s, anchor[0]) - np.searchsorted(edges_s, group[-1][0])
            > CONTEXT_EDGE_COUNT
        )
        shares_interval = bool(group) and anchor[1] == group[-1][1]
        if not group or apart or (len(group) >= PANEL_ANCHOR_COUNT and not shares_interval):
            groups.append([])
        groups[-1].append(anchor)
    return [(group, _context(group, edges_s, reach_s)) for group in groups]


def _context(group: Sequence[Anchor], edges_s: Floats, reach_s: float) -> tuple[float, float]:
    """Span around a group: some edges to either side, and never further than `reach_s`."""
    start_s, end_s = group[0][0] - reach_s, group[-1][0] + reach_s
    low = int(np.searchsorted(edges_s, group[0][0])) - CONTEXT_EDGE_COUNT
    high = int(np.searchsorted(edges_s, group[-1][0])) + CONTEXT_EDGE_COUNT
    if low >= 0:
        start_s = max(start_s, float(edges_s[low]))
    if high < len(edges_s):
        end_s = min(end_s, float(edges_s[high]))
    return start_s, end_s


def _typical_power(panels: Sequence[Panel]) -> float:
    """Mean power of all that is known, W."""
    known_j = sum(float(panel.known_j.sum()) for panel in panels)
    known_s = sum(
        float(panel.duration_s[panel.row_first[row] : panel.row_last[row]].sum())
        for panel in panels
        for row in range(panel.equation_count)
    )
    return known_j / known_s if known_s > 0 and known_j > 0 else 1.0


def _spread(items: Sequence[T], count: int) -> list[T]:
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]
