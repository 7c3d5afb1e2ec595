"""MACs and the score against joules: how far a count stands for a measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from profiler.comparison.proxy import (
    Misordered,
    ProxySample,
    fit_line,
    misordered_pairs,
    rank_correlation,
)
from profiler.comparison.verdicts import compare
from profiler.values.estimate import Estimate
from profiler.values.profile import Profile
from profiler.values.quantities import per_item
from profiler.values.units import show, show_short

from .document import Axis, Chart, Column, Dot, Line, Section, Table, span_decades
from .places import PlacedRun, Setting

RatioOf = Callable[[ProxySample, ProxySample], Estimate | None]
TOO_FEW = "too few"
MOST_PAIRS = 20
MOST_LAYER_CHARTS = 2
FEWEST_LAYERS = 3
FEWEST_DOTS = 3
"""Two dots always lie on a line: a chart of them says nothing that the table does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proxy:
    """A count that stands for joules, in one place.

    Args:
        name: "MACs"; unit: of the count; slope_unit: of joules over it.
        samples: those that have both.
    """

    name: str
    unit: str
    slope_unit: str
    samples: tuple[ProxySample, ...]


def proxy_section(places: Sequence[Setting]) -> Section | None:
    """Charts, fits, rank correlations and misordered pairs; None without two models in a place."""
    charts: list[Chart] = []
    tables: list[Table] = []
    for place in places:
        proxies = [proxy for proxy in _proxies(place) if len(proxy.samples) > 1]
        charts += [
            _chart(proxy, place.title, f"energy per {place.item}")
            for proxy in proxies
            if len(proxy.samples) >= FEWEST_DOTS
        ]
        if proxies:
            named = [(proxy.name, proxy) for proxy in proxies]
            tables += [_fits(place.title, named), _per_mac(place)]
            ratio = _ratio_within(place)
            tables += [table for proxy in proxies for table in _pairs(proxy, place, ratio)]
    if not tables:
        return None
    return Section(
        title="Do MACs and scores stand for joules?",
        paragraphs=(
            "If they did, all dots would lie on one line, and tau would be 1. E0 is what the fit "
            "leaves to a model without any work; tau is 1 where the count orders every pair as "
            "the joules do, 0 where it says nothing, -1 where it says the reverse. A fit needs "
            "three, a tau five, with different counts.",
        ),
        charts=tuple(charts),
        tables=tuple(tables),
    )


def layer_proxy_section(places: Sequence[Setting]) -> Section | None:
    """The same for the layers of each profile: a chart of the first few, and the fits of all."""
    layers = list(_layers(places))
    if not layers:
        return None
    shown = layers[:MOST_LAYER_CHARTS]
    return Section(
        title="Do MACs stand for joules, layer by layer?",
        charts=tuple(
            _chart(proxy, f"layers of {name}", "energy of a layer, a call") for name, proxy in shown
        ),
        tables=(_fits("layers with MACs, a call", layers),),
        notes=(
            "Layers without any MAC (norms, activations, pools) draw joules too: they are in "
            "the table of layers, and in no line here.",
        ),
    )


def _proxies(place: Setting) -> tuple[_Proxy, ...]:
    macs = [(member, _macs(member.profile)) for member in place.members]
    scores = [(member, member.profile.score) for member in place.members]
    return (
        _Proxy(name="MACs", unit="MAC", slope_unit="J/MAC", samples=_samples(macs)),
        _Proxy(name="efficiency score", unit="", slope_unit="J", samples=_samples(scores)),
    )


def _macs(profile: Profile) -> Estimate | None:
    return per_item(profile.mac_count, profile, "MAC")


def _samples(counts: Sequence[tuple[PlacedRun, Estimate | None]]) -> tuple[ProxySample, ...]:
    return tuple(
        ProxySample(label=member.label, proxy=count.point, energy_j=member.energy_j)
        for member, count in counts
        if count is not None and not count.is_lower_bound and count.point > 0
    )


def _layers(places: Sequence[Setting]) -> Iterator[tuple[str, _Proxy]]:
    """The layers of each profile that measured them."""
    for place in places:
        for member in place.members:
            samples = tuple(
                ProxySample(label=layer.path, proxy=layer.mac_count, energy_j=layer.energy_j)
                for layer in member.profile.layers
                if layer.energy_j is not None
                and layer.energy_j.point > 0
                and layer.mac_count
                and not layer.uncounted_ops
            )
            if len(samples) >= FEWEST_LAYERS:
                yield (
                    member.label,
                    _Proxy(name="MACs", unit="MAC", slope_unit="J/MAC", samples=samples),
                )


def _chart(proxy: _Proxy, title: str, y_label: str) -> Chart:
    dots = tuple(
        Dot(
            label=sample.label,
            x=sample.proxy,
            y=sample.energy_j.point,
            y_low=sample.energy_j.low,
            y_high=sample.energy_j.high,
            basis=sample.energy_j.basis.value,
        )
        for sample in proxy.samples
    )
    # Both or neither: a straight line stays one where E0 is small.
    spans = span_decades(d.x for d in dots) or span_decades(d.y for d in dots)
    is_log = spans and all(dot.x > 0 and dot.y > 0 for dot in dots)
    bases = " and ".join(sorted({dot.basis for dot in dots}))
    fitted = _fitted(proxy, is_log)
    return Chart(
        caption=f"{proxy.name} against joules, {title}; whiskers: 95 % intervals"
        + (f"; dashed: {fitted.label}" if fitted else "")
        + f"; {bases}",
        x=Axis(label=proxy.name, unit=proxy.unit, is_log=is_log),
        y=Axis(label=y_label, unit="J", is_log=is_log),
        dots=dots,
        lines=(Line(label="", points=fitted.points, is_dashed=True),) if fitted else (),
    )


def _fitted(proxy: _Proxy, is_log: bool) -> Line | None:
    """The fit between the least and the largest count, where the axis can show it."""
    fit = fit_line(proxy.samples, unit=proxy.slope_unit)
    if fit is None:
        return None
    counts = [sample.proxy for sample in proxy.samples]
    low, high = min(counts), max(counts)
    steps = [low * (high / low) ** (step / 24) for step in range(25)]
    curve = [(count, fit.base_j.point + fit.slope_j.point * count) for count in steps]
    points = tuple((count, joules) for count, joules in curve if joules > 0 or not is_log)
    return Line(label="E0 + k x count", points=points) if points else None


def _fits(title: str, proxies: Sequence[tuple[str, _Proxy]]) -> Table:
    columns = (
        Column(label="count"),
        Column(label="models or layers", role="number"),
        Column(label="E0", role="number"),
        Column(label="k", role="number"),
        Column(label="rank correlation (tau)", role="number"),
        Column(label="basis", role="basis"),
    )
    rows = []
    for name, proxy in proxies:
        fit = fit_line(proxy.samples, unit=proxy.slope_unit)
        tau = rank_correlation(proxy.samples)
        basis = fit.slope_j.basis.value if fit else "" if tau is None else tau.basis.value
        rows.append(
            (
                name,
                str(len(proxy.samples)),
                TOO_FEW if fit is None else show(fit.base_j),
                TOO_FEW if fit is None else show(fit.slope_j),
                TOO_FEW if tau is None else show(tau),
                basis,
            )
        )
    return Table(caption=f"Joules = E0 + k x count: {title}", columns=columns, rows=tuple(rows))


def _per_mac(place: Setting) -> Table:
    columns = (
        Column(label="run"),
        Column(label=f"MACs per {place.item}", role="number"),
        Column(label="efficiency score", role="number", leaves=1),
        Column(label=f"energy per {place.item}", role="number"),
        Column(label="energy per MAC", role="number"),
        Column(label="basis", role="basis"),
    )
    rows = tuple(
        (
            member.label,
            show_short(_macs(member.profile)),
            show(member.profile.score),
            show(member.energy_j),
            show(_each(member)),
            member.energy_j.basis.value,
        )
        for member in place.members
    )
    return Table(caption=f"Joules of a MAC: {place.title}", columns=columns, rows=rows)


def _each(member: PlacedRun) -> Estimate | None:
    macs = _macs(member.profile)
    if macs is None or macs.is_lower_bound or macs.point <= 0:
        return None
    return member.energy_j.scaled(1 / macs.point, "J/MAC")


def _pairs(proxy: _Proxy, place: Setting, ratio: RatioOf) -> list[Table]:
    """The pairs that the count misjudges, by the verdicts of the comparison."""
    wrong = misordered_pairs(proxy.samples, ratio)
    if not wrong:
        return []
    columns = (
        Column(label=f"by {proxy.name} not worse"),
        Column(label="than"),
        Column(label="joules, second / first", role="number"),
        Column(label="what the count misses"),
        Column(label="basis", role="basis"),
    )
    rows = [_pair(item) for item in wrong[:MOST_PAIRS]]
    rest = len(wrong) - len(rows)
    caption = f"Pairs that {proxy.name} misjudge: {place.title}" + (
        f"; and {rest} more, less far off" if rest else ""
    )
    return [Table(caption=caption, columns=columns, rows=tuple(rows))]


def _ratio_within(place: Setting) -> RatioOf:
    """The comparison's ratio of joules of two samples of a place, each pair compared once."""
    profiles = {member.label: member.profile for member in place.members}

    @cache
    def compared(first: str, second: str) -> Estimate | None:
        row = compare(profiles[first], profiles[second]).of("energy_j")
        return None if row is None else row.ratio

    return lambda one, other: compared(one.label, other.label)


def _pair(item: Misordered) -> tuple[str, ...]:
    basis = item.ratio.basis.value
    return (item.first.label, item.second.label, show(item.ratio), item.fault, basis)
