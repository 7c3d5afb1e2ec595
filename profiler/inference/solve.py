"""Joules between instants of a recording, jointly, as mixtures of normal densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .kriging import Model, build_model
from .moves import Floats, Moves
from .panel import Panel, build_panel
from .timeline import Timeline
from .weights import average_weights

Anchor = tuple[float, int]
PANEL_ANCHOR_COUNT = 36
CONTEXT_EDGE_COUNT = 14
CONTEXT_PERIOD_COUNT = 60
LEARNING_PANEL_COUNT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Signed anchors of one target: its energy is sum(sign x (E at the reference + remainder))."""

    anchors: tuple[Anchor, ...]
    signs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Densities:
    """Energy of each target as a mixture: shares (k,), means and deviations (targets, k)."""

    shares: Floats
    means_j: Floats
    deviations_j: Floats


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


def solve(moves: Moves, timeline: Timeline, targets: Sequence[Pieces]) -> Densities:
    """Posterior energy of every target.

    Targets that share counter intervals are solved together, in panels of bounded size; between
    panels the errors are taken as independent, because no interval belongs to two of them.
    """
    anchors = sorted({anchor for target in targets for anchor in target.anchors})
    groups = _group(anchors, moves, timeline)
    panels = [build_panel(moves, timeline, group, span) for group, span in groups]
    scale_w = _typical_power(moves, panels)
    models = [build_model(panel, scale_w) for panel in panels]
    settings = average_weights(_spread(models, LEARNING_PANEL_COUNT))
    place = {a: (g, i) for g, (group, _) in enumerate(groups) for i, a in enumerate(group)}
    mixtures = [_factors(target, moves, place) for target in targets]
    means = np.array([[base for base, _ in mixtures]] * len(settings)).T.reshape(-1, len(settings))
    variances = np.zeros_like(means)
    for k, (_, strengths) in enumerate(settings):
        solved = [model.posterior(strengths) for model in models]
        for t, (_, parts) in enumerate(mixtures):
            for group, (indices, signs) in parts.items():
                mean, covariance = solved[group]
                means[t, k] += signs @ mean[indices]
                variances[t, k] += signs @ covariance[np.ix_(indices, indices)] @ signs
    return Densities(
        shares=np.array([share for share, _ in settings]),
        means_j=means,
        deviations_j=np.sqrt(np.maximum(variances, 0.0)),
    )


def _factors(
    target: Pieces, moves: Moves, place: dict[Anchor, tuple[int, int]]
) -> tuple[float, dict[int, tuple[np.ndarray, Floats]]]:
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


def _group(
    anchors: Sequence[Anchor], moves: Moves, timeline: Timeline
) -> list[tuple[list[Anchor], tuple[float, float]]]:
    """Panels: anchors that lie near each other, and the span of their context."""
    edges_s = timeline.edges_s
    reach_s = CONTEXT_PERIOD_COUNT * (moves.period_s or 0.1)
    groups: list[list[Anchor]] = []
    for anchor in anchors:
        group = groups[-1] if groups else []
        apart = bool(group) and (
            np.searchsorted(edges_s, anchor[0]) - np.searchsorted(edges_s, group[-1][0])
            > CONTEXT_EDGE_COUNT
        )
        shares_interval = bool(group) and anchor[1] == group[-1][1]
        if not group or apart or (len(group) >= PANEL_ANCHOR_COUNT and not shares_interval):
            groups.append([])
        groups[-1].append(anchor)
    found = []
    for group in groups:
        low = int(np.searchsorted(edges_s, group[0][0])) - CONTEXT_EDGE_COUNT
        high = int(np.searchsorted(edges_s, group[-1][0])) + CONTEXT_EDGE_COUNT
        start_s = edges_s[max(low, 0)] if len(edges_s) else group[0][0]
        end_s = edges_s[min(high, len(edges_s) - 1)] if len(edges_s) else group[-1][0]
        found.append(
            (
                group,
                (
                    max(float(start_s), group[0][0] - reach_s)
                    if low >= 0
                    else group[0][0] - reach_s,
                    min(float(end_s), group[-1][0] + reach_s)
                    if high < len(edges_s)
                    else group[-1][0] + reach_s,
                ),
            )
        )
    return found


def _typical_power(moves: Moves, panels: Sequence[Panel]) -> float:
    """Mean power of all that is known, W."""
    known_j = sum(float(panel.known_j.sum()) for panel in panels)
    known_s = sum(
        float(panel.duration_s[panel.row_first[row] : panel.row_last[row]].sum())
        for panel in panels
        for row in range(panel.equation_count)
    )
    return known_j / known_s if known_s > 0 and known_j > 0 else 1.0


def _spread(items: Sequence[Model], count: int) -> list[Model]:
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]
