"""The segment model: power as a random function whose integral the counter has shown at its moves.

P(t) = label + transient + segment + fluctuation. All windows of one set of names share a label
effect, all gaps another; power may take a while to settle after an edge, alike at all edges; each
segment departs from its label, and the beginning of a gap from its rest, while what the window
before it has launched goes on; within a segment power fluctuates on a short and on a long time
scale (Ornstein-Uhlenbeck processes); and work begins and ends a little off its edges. All parts are
Gaussian, so that the energy of any span, given the counter's intervals, is Gaussian too:
kriging with block supports (Chiles and Delfiner, Geostatistics, 2nd ed., 2012, section 3.5;
Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, eq. 2.23-2.24).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from .moves import Floats
from .panel import Panel
from .power_parts import asked_for, cell_parts, unseen
from .strays import Strays
from .timeline import EDGE_KIND_COUNT, kinds_of_edges


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One source of variation: the strengths to try, and where the search starts."""

    name: str
    grid: tuple[float, ...]
    start: int


# Noise, as a share of each row's variance, that lets rows be nearly the same.
RIDGES = (0.0, 1e-13, 1e-11, 1e-9, 1e-6)
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
    Part(name="stray of the edges, s", grid=(2e-5, 1e-4, 4e-4, 1e-3, 2e-3, 5e-3), start=1),
)
SEGMENTS, FLUCTUATIONS, STRAY = (0, 1), (2, 3, 4), len(PARTS) - 1
RARE_S = (1.5e-3, 8e-3)
MOST_LOG_ODDS = 50.0
USUAL_STRENGTHS: Floats = np.array([part.grid[part.start] for part in PARTS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What the counter says about the anchors of a panel.

    Args:
        mean_j: shape (a,), energy between reference and anchor.
        covariance_j2: shape (a, a).
        scores: shape (e,), how far each known interval lies from what all others predict for it, in
            standard deviations of that prediction.
        shift_w: shape (a, kinds), joules of each anchor by which the mean is wrong for every second
            that the edges of a kind lie off the changes of power.
        edges_s: shape (edges,), all edges of the panel.
        rare_j: shape (a, scales, 2, edges), joules of each anchor by which the mean is wrong where
            power changes by one of `RARE_S` after an edge, or before it.
        rare_odds: shape (scales, 2, edges), how much likelier the known joules are with such a
            stray.
    """

    mean_j: Floats
    covariance_j2: Floats
    scores: Floats
    shift_w: Floats
    edges_s: Floats
    rare_j: Floats
    rare_odds: Floats


class Model:
    """The joules of a panel's rows as Gaussian variables, for any strengths of the parts.

    Args:
        panel: a neighbourhood of the recording.
        scale_w: mean power of the recording.
    """

    def __init__(self, panel: Panel, scale_w: float) -> None:
        self._panel, self._scale_w = panel, scale_w
        duration_s = asked_for(panel)
        lengths_s = duration_s[:, None] * _one_hot(panel.label)
        self._fixed_j2 = (lengths_s @ lengths_s.T + unseen(panel, duration_s)) * scale_w**2
        self._prior_j = _row_sums(panel, panel.duration_s[:, None])[:, 0] * scale_w
        self._residual_j = panel.known_j - self._prior_j[: panel.equation_count]
        self._parts_j2 = [part * scale_w**2 for part in cell_parts(panel, duration_s)]
        # What a move that came late carries over depends on the power at that instant, and what an
        # edge that strays carries over on the step of power there. A first pass, in which power is
        # nearly constant within a segment, finds both.
        power_w = _rough_power(panel, scale_w)
        self._noise_j2 = _timing_noise(panel, power_w) + _step_noise(panel, scale_w)
        self._strays = Strays(panel, power_w, scale_w)
        power_w = np.maximum(self.cell_energies_j(USUAL_STRENGTHS) / panel.duration_s, 0.0)
        self._noise_j2 = _timing_noise(panel, power_w) + _step_noise(panel, scale_w)
        self._strays = Strays(panel, power_w, scale_w)
        self._shifts_w = _row_sums(panel, _shifted_power(panel, power_w))
        self._known_strays_j2: dict[float, Floats] = {}

    @functools.cached_property
    def _known_parts_j2(self) -> Floats:
        """Covariance of the equations, one for each part at strength 1, shape (parts, e, e)."""
        count = self._panel.equation_count
        return np.stack(
            [_row_covariance(self._panel, part, count) for part in self._parts_j2]
            + [_row_covariance(self._panel, self._fixed_j2, count) + self._noise_j2[:count, :count]]
        )

    def log_evidence(self, strengths: Floats) -> float:
        """Log density of the known joules, up to a constant."""
        return float(self.log_densities(strengths).sum())

    def log_densities(self, strengths: Floats) -> Floats:
        """Log density of each known joule given those before it, up to a constant, shape (e,)."""
        parts = self._known_parts_j2
        weights = np.append(strengths[:STRAY] ** 2, 1.0)
        known: Floats = (weights @ parts.reshape(len(parts), -1)).reshape(parts[0].shape)
        known += self._known_stray_j2(float(strengths[STRAY]))
        try:
            factor = np.linalg.cholesky(known)
        except np.linalg.LinAlgError:
            return np.full(len(known), -np.inf)
        white: Floats = np.linalg.solve(factor, self._residual_j)
        densities: Floats = -0.5 * white**2 - np.log(np.diag(factor))
        return densities

    def _known_stray_j2(self, stray_s: float) -> Floats:
        """Covariance of the equations by edges that stray, shape (e, e)."""
        if stray_s not in self._known_strays_j2:
            cells = np.diag(self._strays.variance_j2(stray_s))
            count = self._panel.equation_count
            self._known_strays_j2[stray_s] = _row_covariance(self._panel, cells, count)
        return self._known_strays_j2[stray_s]

    def posterior(self, strengths: Floats) -> Posterior:
        """Mean and covariance of the anchors, and the score of every equation.

        The prediction of one row from all others follows from the inverse of the covariance without
        leaving any out (Rasmussen and Williams 2006, eq. 5.12).
        """
        count = self._panel.equation_count
        full = _row_covariance(self._panel, self._cells_j2(strengths)) + self._noise_j2
        whiten = _whitening(full[:count, :count])
        residual, across = whiten @ self._residual_j, whiten @ full[:count, count:]
        rare_j, rare_odds = self._rare_strays(whiten, residual, across)
        return Posterior(
            mean_j=self._prior_j[count:] + across.T @ residual,
            covariance_j2=full[count:, count:] - across.T @ across,
            scores=(whiten.T @ residual) / np.sqrt(np.sum(whiten**2, axis=0)),
            shift_w=self._shifts_w[count:] - across.T @ (whiten @ self._shifts_w[:count]),
            edges_s=self._strays.edges_s,
            rare_j=rare_j,
            rare_odds=rare_odds,
        )

    def _rare_strays(
        self, whiten: Floats, residual: Floats, across: Floats
    ) -> tuple[Floats, Floats]:
        """Errors of the anchors, and odds, as in `Posterior`.

        A stray of one edge adds a matrix of rank one to the covariance, whose effect on the density
        follows without another inverse (Rasmussen and Williams 2006, eq. A.9 and A.10).
        """
        count = self._panel.equation_count
        displaced_j = np.stack([self._strays.displaced_j(stray_s) for stray_s in RARE_S])
        shape = displaced_j.shape[:3]
        rows_j = _row_sums(self._panel, displaced_j.reshape(-1, displaced_j.shape[3]).T)
        known = whiten @ rows_j[:count]
        gain = np.sum(known**2, axis=0)
        log_odds = ((residual @ known) ** 2 / (1 + gain) - np.log1p(gain)) / 2
        errors_j = rows_j[count:] - across.T @ known
        odds = np.exp(np.minimum(log_odds, MOST_LOG_ODDS))
        return errors_j.reshape(len(errors_j), *shape), odds.reshape(shape)

    def shift_evidence(self, strengths: Floats) -> tuple[Floats, Floats]:
        """Information (1/s^2) and score (1/s) of how much later than its edges power changes.

        By kind of edge, shapes (kinds, kinds) and (kinds,): normal equations of generalised least
        squares. Those of all panels add up.
        """
        count = self._panel.equation_count
        known = _row_covariance(self._panel, self._cells_j2(strengths), count)
        whiten = _whitening(known + self._noise_j2[:count, :count])
        shapes = whiten @ self._shifts_w[:count]
        return shapes.T @ shapes, shapes.T @ (whiten @ self._residual_j)

    def cell_energies_j(self, strengths: Floats) -> Floats:
        """Posterior mean of the energy of each cell, shape (c,)."""
        count = self._panel.equation_count
        cells_j2 = self._cells_j2(strengths)
        known = _row_covariance(self._panel, cells_j2, count) + self._noise_j2[:count, :count]
        whiten = _whitening(known)
        across = whiten @ _row_sums(self._panel, cells_j2)[:count]
        return self._panel.duration_s * self._scale_w + across.T @ (whiten @ self._residual_j)

    def _cells_j2(self, strengths: Floats) -> Floats:
        """Prior covariance of the cells, shape (c, c)."""
        cells_j2 = self._fixed_j2.copy()
        for strength, part in zip(strengths[:STRAY], self._parts_j2, strict=True):
            if strength > 0:
                cells_j2 += strength**2 * part
        diagonal = np.diag_indices(len(cells_j2))
        cells_j2[diagonal] += self._strays.variance_j2(float(strengths[STRAY]))
        return cells_j2


def _whitening(covariance: Floats) -> Floats:
    """The matrix W with W' W = the inverse of a covariance: it makes rows independent, of unit 1.

    Variances that are found by subtracting W A from what was known before lose half of the digits
    that they lose with the inverse itself, which has made them negative, and an interval nothing
    (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, section 14.1).
    """
    # In units of each row's own deviation: an hour beside 0.1 s would look like a singularity.
    scale = np.sqrt(np.diag(covariance))
    scaled = covariance / np.outer(scale, scale)
    for ridge in RIDGES:
        try:
            factor = np.linalg.cholesky(scaled + ridge * np.eye(len(scaled)))
        except np.linalg.LinAlgError:
            continue
        return np.linalg.inv(factor) / scale
    raise np.linalg.LinAlgError("the rows of a panel have no covariance")


def _one_hot(label: np.ndarray) -> Floats:
    chosen: Floats = (label[:, None] == np.unique(label)[None, :]).astype(float)
    return chosen


def _row_sums(panel: Panel, cells: Floats) -> Floats:
    total = np.concatenate([np.zeros((1, cells.shape[1])), np.cumsum(cells, axis=0)])
    sums: Floats = total[panel.row_last] - total[panel.row_first]
    return sums


def _row_covariance(panel: Panel, cells: Floats, count: int | None = None) -> Floats:
    """Covariance of the rows, or of the first `count`, from that of the cells."""
    first, last = panel.row_first[:count], panel.row_last[:count]
    total = np.zeros((len(cells) + 1, len(cells) + 1))
    np.cumsum(np.cumsum(cells, axis=0), axis=1, out=total[1:, 1:])
    half = total[last] - total[first]
    sums: Floats = half[:, last] - half[:, first]
    return sums


def _shifted_power(panel: Panel, power_w: Floats) -> Floats:
    """Watts that the cell before each edge has more if its change comes later, shape (c, kinds)."""
    last = np.flatnonzero(np.diff(panel.segment) != 0)
    found = np.zeros((len(power_w), EDGE_KIND_COUNT))
    found[last, kinds_of_edges(panel.label)[last]] = power_w[last] - power_w[last + 1]
    return found


def _timing_noise(panel: Panel, power_w: Floats) -> Floats:
    """A move that came later than thought brings power x delay from the next interval."""
    at_move_w = (power_w[np.maximum(panel.move_cell - 1, 0)] + power_w[panel.move_cell]) / 2
    weighted = panel.noise * at_move_w
    return weighted @ panel.move_covariance_s2 @ weighted.T


def _rough_power(panel: Panel, scale_w: float) -> Floats:
    """Power of each cell: of its segment where an interval lies inside it, else of its interval."""
    power_w = np.full(len(panel.duration_s), scale_w)
    count = panel.equation_count
    first, last = panel.row_first[:count], panel.row_last[:count]
    mean_w = panel.known_j / _row_sums(panel, panel.duration_s[:, None])[:count, 0]
    for row in range(count):
        power_w[first[row] : last[row]] = mean_w[row]
    pure = panel.segment[first] == panel.segment[last - 1]
    segments, place = np.unique(panel.segment[first][pure], return_inverse=True)
    if len(segments):
        pure_w = np.bincount(place, mean_w[pure]) / np.bincount(place)
        at = np.minimum(np.searchsorted(segments, panel.segment), len(segments) - 1)
        power_w = np.where(segments[at] == panel.segment, pure_w[at], power_w)
    return power_w


def _step_noise(panel: Panel, scale_w: float) -> Floats:
    """A counter shows its energy rounded to its step: uniform, variance step^2 / 12."""
    # A trace of the power besides keeps the matrices positive where there is no step.
    variance_j2 = panel.resolution_j**2 / 12 + (2e-7 * scale_w) ** 2
    noise: Floats = (panel.noise @ panel.noise.T) * variance_j2
    return noise
