"""Covariance of the energies of a panel's cells, by part of the power, at strength 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .moves import Floats
from .panel import Panel

SHORT_S = 0.012
LONG_S = 0.12
GAP_S = 0.03
LINGERING_S = 0.012
SETTLING_S = (0.015, 0.045, 0.13)
UNSEEN_SHARE = 0.5


def cell_parts(panel: Panel, duration_s: Floats) -> list[Floats]:
    """Covariance of the energies of the cells, by part of the power but the last, s^2."""
    same = panel.segment[:, None] == panel.segment[None, :]
    in_gap = same & panel.is_gap[:, None]
    in_window = same & ~panel.is_gap[:, None]
    area = np.outer(duration_s, duration_s)
    # Where gaps differ from each other, so may the beginning of one from its rest. Only where the
    # counter shows that rest would it be mistaken for the whole: a shorter gap is free anyway.
    lingering = _lingering(panel, duration_s) * _holds_equation(panel)
    parts = [
        area * in_window,
        (area + lingering) * in_gap,
        _fluctuation(panel.start_s, duration_s, SHORT_S) * in_window,
        _fluctuation(panel.start_s, duration_s, LONG_S) * in_window,
        _fluctuation(panel.start_s, duration_s, GAP_S) * in_gap,
    ]
    settling_s = _settling(panel, duration_s)
    for chosen in (~panel.is_gap, panel.is_gap):
        shapes_s = settling_s * chosen[:, None]
        parts.append(shapes_s @ shapes_s.T)
    return parts


def _fluctuation(start_s: Floats, duration_s: Floats, memory_s: float) -> Floats:
    """Covariance of the integrals over cells of a process with covariance exp(-|t| / memory)."""
    fade = -np.expm1(-duration_s / memory_s)
    apart_s = start_s[None, :] - (start_s + duration_s)[:, None]
    apart_s = np.maximum(np.maximum(apart_s, apart_s.T), 0.0)
    covariance: Floats = memory_s**2 * np.exp(-apart_s / memory_s) * np.outer(fade, fade)
    np.fill_diagonal(covariance, 2 * memory_s * (duration_s - memory_s * fade))
    return covariance


def _lingering(panel: Panel, duration_s: Floats) -> Floats:
    """Covariance of the integrals over cells of a load that goes on after the edge before them.

    What a window has launched ends some time after it, here an exponential one: the powers at two
    instants covary by exp(-t / mean time), the chance that the load lasts until the later of them.
    """
    since_s = _since_edge_s(panel)
    left, right = np.exp(-since_s / LINGERING_S), np.exp(-(since_s + duration_s) / LINGERING_S)
    lasting_s = LINGERING_S * (left - right)
    later = np.triu(np.outer(duration_s, lasting_s), 1)
    covariance: Floats = later + later.T
    np.fill_diagonal(covariance, 2 * LINGERING_S * (lasting_s - duration_s * right))
    return covariance


def _holds_equation(panel: Panel) -> NDArray[np.bool_]:
    """Shape (c,), whether a whole equation lies in the segment of a cell: it shows the power."""
    count = panel.equation_count
    first, last = panel.segment[panel.row_first[:count]], panel.segment[panel.row_last[:count] - 1]
    found: NDArray[np.bool_] = np.isin(panel.segment, first[first == last])
    return found


def _since_edge_s(panel: Panel) -> Floats:
    """Time from the start of its segment to that of each cell, shape (c,).

    The first segment of a panel began before it, and is taken to have begun long ago.
    """
    first = np.concatenate([[True], np.diff(panel.segment) != 0])
    began_s = panel.start_s[np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))]
    since_s: Floats = np.where(panel.segment == panel.segment[0], np.inf, panel.start_s - began_s)
    return since_s


def _settling(panel: Panel, duration_s: Floats) -> Floats:
    """Integrals of exp(-t / settling time) since the start of the segment, shape (c, times).

    Power takes a while to settle after an edge, alike at all edges of one kind.
    """
    since_s = _since_edge_s(panel)
    return np.stack(
        [-s * np.exp(-since_s / s) * np.expm1(-duration_s / s) for s in SETTLING_S], axis=1
    )


def asked_for(panel: Panel) -> Floats:
    """Durations, 0 for cells that no row uses: an hour there would drown the others' digits."""
    used = np.zeros(len(panel.duration_s) + 1)
    np.add.at(used, np.minimum(panel.row_first, panel.row_last), 1)
    np.add.at(used, np.maximum(panel.row_first, panel.row_last), -1)
    return np.where(np.cumsum(used)[:-1] > 0, panel.duration_s, 0.0)


def unseen(panel: Panel, duration_s: Floats) -> Floats:
    """Covariance of the cells before the first or after the last equation, s^2.

    Work may have begun or ended there at any moment: no counter interval tells when.
    """
    count = panel.equation_count
    before = panel.row_first[:count].min(initial=len(duration_s))
    after = panel.row_last[:count].max(initial=0)
    seen = np.arange(len(duration_s))
    outside = (count > 0) & ((seen < before) | (seen >= after))
    return np.diag(np.where(outside, UNSEEN_SHARE * duration_s, 0.0) ** 2)
