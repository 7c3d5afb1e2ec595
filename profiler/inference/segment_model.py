"""The segment model: power as a random function whose integral the counter has shown at its moves.

P(t) = label + transient + segment + fluctuation. All windows of one set of names share a label
effect, all gaps another; power may take a while to settle after an edge, alike at all edges; each
segment departs from its label; within a segment power fluctuates on a short and on a long time
scale (Ornstein-Uhlenbeck processes). All parts are Gaussian, so that the energy of any span, given
the counter's intervals, is Gaussian too: kriging with block supports (Chiles and Delfiner,
Geostatistics, 2nd ed., 2012, section 3.5; Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, eq. 2.23-2.24).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .moves import Floats
from .panel import Panel, ask_cells
from .samples import GAIN_DEVIATION

SHORT_S = 0.012
LONG_S = 0.12
GAP_S = 0.03
UNSEEN_SHARE = 0.5
SETTLING_S = (0.015, 0.045, 0.13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One source of variation: the strengths to try, and where the search starts."""

    name: str
    grid: tuple[float, ...]
    start: int


NO_WEIGHT = 3.0
_POWER_GRID = (0.0, 0.002, 0.006, 0.02, 0.06, 0.18, 0.5, 1.0)
_SETTLING_GRID = (0.0, 0.006, 0.03, 0.15, 0.5)
PARTS = (
    Part(name="segment of a window", grid=_POWER_GRID, start=6),
    Part(name="segment of a gap", grid=_POWER_GRID, start=3),
    Part(name="short fluctuation in a window", grid=_POWER_GRID, start=2),
    Part(name="long fluctuation in a window", grid=_POWER_GRID, start=2),
    Part(name="fluctuation in a gap", grid=_POWER_GRID, start=2),
    Part(name="settling of a window", grid=_SETTLING_GRID, start=1),
    Part(name="settling of a gap", grid=_SETTLING_GRID, start=2),
    Part(name="stray of the edges", grid=(0.0, 2e-5, 1e-4, 4e-4, 1.5e-3, 5e-3, 1.5e-2), start=1),
    Part(name="noise of power samples", grid=(0.002, 0.008, 0.03, 0.12, 0.4, NO_WEIGHT), start=5),
    Part(name="jitter of the moves", grid=(0.0, 0.3, 1.0, 3.0), start=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Covariances of the rows of a panel, one for each part of the power, ready to be weighted.

    Args:
        equation_count: rows that are known.
        residual_j: shape (e,), known joules less the prior mean.
        prior_j: shape (r,), prior mean of every row.
        parts_j2: shape (part count, r, r), covariance of the rows at strength 1 of each part.
        fixed_j2: shape (r, r), label effects, timing of the moves, the counter's step.
    """

    equation_count: int
    residual_j: Floats
    prior_j: Floats
    parts_j2: Floats
    fixed_j2: Floats

    def covariance(self, strengths: Floats) -> Floats:
        """Prior covariance of all rows, J^2."""
        rows = len(self.prior_j)
        parts = self.parts_j2.reshape(len(PARTS), -1)
        return self.fixed_j2 + ((strengths**2) @ parts).reshape(rows, rows)

    def log_evidence(self, strengths: Floats) -> float:
        """Log density of the known joules, up to a constant."""
        return float(self.log_densities(strengths).sum())

    def log_densities(self, strengths: Floats) -> Floats:
        """Log density of each known joule given those before it, up to a constant, shape (e,)."""
        count = self.equation_count
        rows = self.parts_j2[:, :count, :count].reshape(len(PARTS), -1)
        known = self.fixed_j2[:count, :count] + ((strengths**2) @ rows).reshape(count, count)
        return _log_densities(known, self.residual_j)

    def posterior(self, strengths: Floats) -> tuple[Floats, Floats]:
        """Mean and covariance of the rows that are asked for."""
        count = self.equation_count
        full = self.covariance(strengths)
        # In units of each row's own deviation: an hour beside 0.1 s would look like a singularity.
        scale = np.sqrt(np.diag(full)[:count])
        known = full[:count, :count] / np.outer(scale, scale)
        gain = np.linalg.solve(known, full[:count, count:] / scale[:, None]).T / scale
        mean = self.prior_j[count:] + gain @ self.residual_j
        return mean, full[count:, count:] - gain @ full[:count, count:]


def _log_densities(covariance: Floats, residual: Floats) -> Floats:
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return np.full(len(residual), -np.inf)
    white = np.linalg.solve(factor, residual)
    densities: Floats = -0.5 * white**2 - np.log(np.diag(factor))
    return densities


def build_model(panel: Panel, scale_w: float) -> Model:
    """Covariances of a panel, for a recording whose mean power is `scale_w`.

    What a move that came late carries over depends on the power at that instant. A first pass, in
    which power is nearly constant within a segment, finds it.
    """
    rough_w = _rough_power(panel, scale_w)
    usual = np.array([part.grid[part.start] for part in PARTS])
    by_cell, _ = _assemble(ask_cells(panel), scale_w, rough_w).posterior(usual)
    power_w = np.maximum(by_cell / panel.duration_s, 0.0)
    return _assemble(panel, scale_w, power_w)


def _assemble(panel: Panel, scale_w: float, power_w: Floats) -> Model:
    duration_s = _asked_for(panel)
    lengths_s = _row_sums(panel, panel.duration_s[:, None] * _one_hot(panel.label))
    prior_j = lengths_s.sum(axis=1) * scale_w
    parts = [_row_covariance(panel, part) for part in _cell_parts(panel, duration_s)]
    for chosen in (~panel.is_gap, panel.is_gap):
        shapes_s = _row_sums(panel, _settling(panel, duration_s) * chosen[:, None])
        parts.append(shapes_s @ shapes_s.T)
    at_edges = _row_sums(panel, _edge_cells(panel))
    parts.append(at_edges @ at_edges.T)
    rows = np.arange(len(prior_j))
    sampled = (rows >= panel.equation_count - panel.sample_count) & (rows < panel.equation_count)
    parts.append(np.diag(np.where(sampled, lengths_s.sum(axis=1), 0.0) ** 2))
    gain_j = np.zeros(len(prior_j))
    gain_j[sampled] = GAIN_DEVIATION * panel.known_j[sampled[: panel.equation_count]]
    jitter = _timing_noise(panel, np.diag(panel.move_jitter_s**2), power_w)
    timing = _timing_noise(panel, panel.move_covariance_s2, power_w)
    return Model(
        equation_count=panel.equation_count,
        residual_j=panel.known_j - prior_j[: panel.equation_count],
        prior_j=prior_j,
        parts_j2=np.stack([*(part * scale_w**2 for part in parts), jitter]),
        fixed_j2=(lengths_s @ lengths_s.T) * scale_w**2
        + np.outer(gain_j, gain_j)
        + _unseen(panel, duration_s) * scale_w**2
        + timing
        + _step_noise(panel, scale_w),
    )


def _asked_for(panel: Panel) -> Floats:
    """Durations, 0 for cells that no row uses: an hour there would drown the others' digits."""
    used = np.zeros(len(panel.duration_s) + 1)
    np.add.at(used, np.minimum(panel.row_first, panel.row_last), 1)
    np.add.at(used, np.maximum(panel.row_first, panel.row_last), -1)
    return np.where(np.cumsum(used)[:-1] > 0, panel.duration_s, 0.0)


def _unseen(panel: Panel, duration_s: Floats) -> Floats:
    """Covariance of the rows for cells before the first or after the last equation.

    Work may have begun or ended there at any moment: no counter interval tells when.
    """
    count = panel.equation_count
    seen = np.arange(len(duration_s))
    before, after = (
        panel.row_first[:count].min(initial=len(seen)),
        panel.row_last[:count].max(initial=0),
    )
    outside = ((seen < before) | (seen >= after)) if count else np.zeros(len(seen), dtype=bool)
    columns = np.flatnonzero(outside)
    cells = np.zeros((len(duration_s), len(columns)))
    cells[columns, np.arange(len(columns))] = UNSEEN_SHARE * duration_s[columns]
    rows_s = _row_sums(panel, cells)
    covariance: Floats = rows_s @ rows_s.T
    return covariance


def _one_hot(label: np.ndarray) -> Floats:
    chosen: Floats = (label[:, None] == np.unique(label)[None, :]).astype(float)
    return chosen


def _row_sums(panel: Panel, cells: Floats) -> Floats:
    total = np.concatenate([np.zeros((1, cells.shape[1])), np.cumsum(cells, axis=0)])
    sums: Floats = total[panel.row_last] - total[panel.row_first]
    return sums


def _row_covariance(panel: Panel, cells: Floats) -> Floats:
    total = np.zeros((len(cells) + 1, len(cells) + 1))
    np.cumsum(np.cumsum(cells, axis=0), axis=1, out=total[1:, 1:])
    half = total[panel.row_last] - total[panel.row_first]
    sums: Floats = half[:, panel.row_last] - half[:, panel.row_first]
    return sums


def _cell_parts(panel: Panel, duration_s: Floats) -> list[Floats]:
    same = panel.segment[:, None] == panel.segment[None, :]
    in_gap = same & panel.is_gap[:, None]
    in_window = same & ~panel.is_gap[:, None]
    area = np.outer(duration_s, duration_s)
    return [
        area * in_window,
        area * in_gap,
        _fluctuation(panel.start_s, duration_s, SHORT_S) * in_window,
        _fluctuation(panel.start_s, duration_s, LONG_S) * in_window,
        _fluctuation(panel.start_s, duration_s, GAP_S) * in_gap,
    ]


def _fluctuation(start_s: Floats, duration_s: Floats, memory_s: float) -> Floats:
    """Covariance of the integrals over cells of a process with covariance exp(-|t| / memory)."""
    fade = -np.expm1(-duration_s / memory_s)
    apart_s = start_s[None, :] - (start_s + duration_s)[:, None]
    apart_s = np.maximum(np.maximum(apart_s, apart_s.T), 0.0)
    covariance: Floats = memory_s**2 * np.exp(-apart_s / memory_s) * np.outer(fade, fade)
    np.fill_diagonal(covariance, 2 * memory_s * (duration_s - memory_s * fade))
    return covariance


def _settling(panel: Panel, duration_s: Floats) -> Floats:
    """Integrals of exp(-t / settling time) since the start of the segment, shape (c, times).

    The first segment of a panel began before it, and is taken as settled.
    """
    first = np.concatenate([[True], np.diff(panel.segment) != 0])
    began_s = panel.start_s[np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))]
    since_s = np.where(panel.segment == panel.segment[0], np.inf, panel.start_s - began_s)
    return np.stack(
        [-s * np.exp(-since_s / s) * np.expm1(-duration_s / s) for s in SETTLING_S], axis=1
    )


def _edge_cells(panel: Panel) -> Floats:
    """Cells on either side of every edge, shape (c, 2 x edges): one column each.

    What a window is about never begins and ends on the dot: some energy lies on the wrong side.
    """
    last = np.flatnonzero(np.diff(panel.segment) != 0)
    columns = np.concatenate([last, last + 1])
    cells = np.zeros((len(panel.segment), len(columns)))
    cells[columns, np.arange(len(columns))] = 1.0
    return cells


def _timing_noise(panel: Panel, covariance_s2: Floats, power_w: Floats) -> Floats:
    """A move that came later than thought brings power x delay from the next interval."""
    at_move_w = (power_w[np.maximum(panel.move_cell - 1, 0)] + power_w[panel.move_cell]) / 2
    weighted = panel.noise * at_move_w
    return weighted @ covariance_s2 @ weighted.T


def _rough_power(panel: Panel, scale_w: float) -> Floats:
    """Power of each cell: of its segment where an interval lies inside it, else of its interval."""
    power_w = np.full(len(panel.duration_s), scale_w)
    pure: dict[int, list[float]] = {}
    for row in range(panel.equation_count):
        first, last = panel.row_first[row], panel.row_last[row]
        mean_w = panel.known_j[row] / panel.duration_s[first:last].sum()
        power_w[first:last] = mean_w
        if panel.segment[first] == panel.segment[last - 1]:
            pure.setdefault(int(panel.segment[first]), []).append(mean_w)
    for segment, means_w in pure.items():
        power_w[panel.segment == segment] = float(np.mean(means_w))
    return power_w


def _step_noise(panel: Panel, scale_w: float) -> Floats:
    """A counter shows its energy rounded to its step: uniform, variance step^2 / 12."""
    # A trace of the power besides keeps the matrices positive where there is no step.
    variance_j2 = panel.resolution_j**2 / 12 + (2e-7 * scale_w) ** 2
    noise: Floats = (panel.noise @ panel.noise.T) * variance_j2
    return noise
