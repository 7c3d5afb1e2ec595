"""Whether the layers add up: `python -m tests.bench.layers`, goal beside reached.

1. closure of time on the CPU, by this tool and by looping each leaf alone (naive replay);
2. tables from fresh processes, as the command line makes them: whether a second run finds the same
   rows, and how much of the time is in rows whose own interval is narrow;
3. closure of joules on virtual hardware, whose watts depend on the layer that runs;
4. time of convolutions and linear layers beside torch.profiler's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from statistics import fmean, median

import torch
from torch import nn

from profiler.cli import layers
from profiler.layers import LayerReport, measure_layers
from profiler.values.estimate import Estimate
from profiler.values.layer_cost import LayerCost
from profiler.workload.target import resolve
from tests.virtual.workload import Load, LoadMeter, LoadPower

MODELS = ("resnet18", "lightweight", "torchvision:mobilenet_v2", "torchvision:vit_b_16")
WORST_CLOSURE, WORST_CLOSURE_OF_TINY = 0.05, 0.10
TABLES = {"resnet18": 60.0, "torchvision:mobilenet_v2": 60.0, "torchvision:vit_b_16": 400.0}
"""Seconds for a table; a call of vit_b_16 takes seven by itself."""
TABLE_PRECISION, TABLE_PROCESSES = 0.05, 3
NOTABLE_SHARE = 0.01
PROFILED_CALLS = 15
NAIVE_CALLS = 10


def batch(name: str, size: int) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    target = resolve(name)
    return target.model.eval(), torch.randn(size, *(target.input_shape or (3, 32, 32)))


def report(name: str, size: int, seconds: float) -> LayerReport:
    model, images = batch(name, size)
    return measure_layers(model, images, device="cpu", max_seconds=seconds, meters=[])


def told(good: bool, text: str) -> bool:
    print(f"{'ok  ' if good else 'MISS'} {text}", flush=True)
    return good


def closure(name: str, size: int, seconds: float) -> bool:
    limit = WORST_CLOSURE_OF_TINY if (name, size) == ("lightweight", 1) else WORST_CLOSURE
    found = report(name, size, seconds)
    ratio = found.latency_closure
    half = "?" if ratio.half_width is None else f"{ratio.half_width:.3f}"
    return told(
        abs(ratio.point - 1) <= limit,
        f"closure of time, {name}, batch {size}: {ratio.point:.3f} +- {half}, goal 1 +- {limit}; "
        f"{found.run_count} calls, {found.spent_s:.0f} s; stamps {1e6 * found.tool_cost_s:.0f} us "
        f"(seen {1e6 * found.observed_tool_cost_s:.0f} us) of {1e3 * found.latency_s.point:.2f} ms",
    )


def fresh_report(name: str, size: int, seconds: float, seed: int) -> LayerReport:
    """The layers as `layers --model NAME --batch-size SIZE` measures them."""
    parser = argparse.ArgumentParser()
    layers.configure(parser)
    arguments = parser.parse_args(
        ["--model", name, "--device", "cpu", "--data", "synthetic", "--seed", str(seed), "--quiet",
         "--threads", "1", "--without", "codecarbon", "--batch-size", str(size),
         "--max-seconds", str(seconds), "--processes", str(TABLE_PROCESSES)]
    )  # fmt: skip
    (found,) = layers.measure(arguments)
    return found


def table(name: str, size: int, seconds: float) -> list[bool]:
    """Two tables of one model: what its rows prove, and whether they come out the same again."""
    first, second = (fresh_report(name, size, seconds, seed) for seed in (0, 1))
    rows = [row for row in first.layers if row.time_share is not None]
    notable = [row for row in rows if row.time_share.point >= NOTABLE_SHARE]
    known = sum(
        row.time_share.point
        for row in rows
        if (row.time_share.relative_half_width or 1.0) <= TABLE_PRECISION
    )
    what = f"table of {name}, batch {size}, {first.process_count} process(es), 1 thread"
    closure = first.latency_closure
    shares_apart = apart(notable, second, lambda row: row.time_share)
    seconds_apart = apart(notable, second, lambda row: row.latency_s)
    whole = abs(second.latency_s.point / first.latency_s.point - 1)
    return [
        told(
            median(shares_apart) <= TABLE_PRECISION and first.spent_s < seconds + 5,
            f"{what}: of {len(notable)} rows of 1 % or more, {within(shares_apart)} have the same "
            f"share of the time within {TABLE_PRECISION:.0%} in a second run (median apart "
            f"{median(shares_apart):.1%}, furthest {max(shares_apart):.1%}), "
            f"{within(seconds_apart)} the same seconds (median {median(seconds_apart):.1%}, "
            f"furthest {max(seconds_apart):.1%}; the wholes are {whole:.1%} apart); goal: half of "
            f"the shares, in {seconds:.0f} s",
        ),
        told(
            known >= 0.5,
            f"{what}: {known:.0%} of the time in rows whose own interval is within "
            f"{TABLE_PRECISION:.0%} of their share, ended by {first.stopped_by} after "
            f"{first.spent_s:.0f} s, {first.run_count} calls; goal: half",
        ),
        told(
            abs(closure.point - 1) <= WORST_CLOSURE,
            f"{what}: closure {closure.point:.3f}, goal 1 +- {WORST_CLOSURE}",
        ),
    ]


def apart(
    rows: Sequence[LayerCost], other: LayerReport, figure: Callable[[LayerCost], Estimate]
) -> list[float]:
    """How far each row's figure is from the same row's in another run, relative."""
    others = {row.path: figure(row) for row in other.layers if row.latency_s is not None}
    return [abs(others[row.path].point / figure(row).point - 1) for row in rows]


def within(values: Sequence[float]) -> int:
    return sum(value <= TABLE_PRECISION for value in values)


def naive_closure(name: str, size: int) -> bool:
    """The rival: each leaf looped alone on what it was given, over the whole model; no goal."""
    model, images = batch(name, size)
    given: list[tuple[nn.Module, tuple[torch.Tensor, ...]]] = []
    hooks = [
        leaf.register_forward_pre_hook(lambda leaf, args: given.append((leaf, args)))
        for leaf in model.modules()
        if next(leaf.children(), None) is None
    ]
    with torch.inference_mode():
        model(images)
        for hook in hooks:
            hook.remove()
        leaves_s = sum(
            fastest_half_s(lambda leaf=leaf, args=args: leaf(*args)) for leaf, args in given
        )
        whole_s = fastest_half_s(lambda: model(images))
    return told(True, f"naive replay of time, {name}, batch {size}: {leaves_s / whole_s:.3f}")


def fastest_half_s(call: Callable[[], object]) -> float:
    """Mean of the quicker half of some calls, the first one left out."""
    call()
    times_s = []
    for _ in range(NAIVE_CALLS):
        start_s = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - start_s)
    return fmean(sorted(times_s)[: NAIVE_CALLS // 2])


class Block(nn.Module):
    """Two layers of other watts, and an addition between them."""

    def __init__(self, power: LoadPower) -> None:
        super().__init__()
        self.slow = Load(power, watts=100.0, seconds=3e-3)
        self.hot = Load(power, watts=450.0, seconds=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.hot(self.slow(x)) + x


def joules(update_period_s: float, seconds: float, seed: int) -> bool:
    power = LoadPower(idle_w=40.0)
    model = nn.Sequential(
        Block(power), Load(power, watts=60.0, seconds=4e-3), Block(power),
        Load(power, watts=250.0, seconds=5e-4),
    )  # fmt: skip
    meter = LoadMeter(power, update_period_s=update_period_s)
    found = measure_layers(
        model, torch.zeros(4), device="cpu", meters=[(meter, meter.open())], max_seconds=seconds,
        seed=seed,
    )  # fmt: skip
    ratio = found.energy_closure
    if ratio is None or ratio.low is None or ratio.high is None:
        return told(False, f"closure of joules, counter of {1e3 * update_period_s:.0f} ms: none")
    return told(
        ratio.low <= 1 <= ratio.high,
        f"closure of joules, counter of {1e3 * update_period_s:.0f} ms, seed {seed}: "
        f"{ratio.point:.4f} [{ratio.low:.4f}, {ratio.high:.4f}], goal: holds 1",
    )


def beside_torch_profiler(name: str, size: int, seconds: float) -> bool:
    """Ratio of our seconds to torch.profiler's, layer by layer, for one operator a layer."""
    kinds = {"Conv2d": "aten::conv2d", "Linear": "aten::linear"}
    ours = [
        row.latency_s.point
        for row in report(name, size, seconds).layers
        if row.kind in kinds and row.latency_s is not None
    ]
    model, images = batch(name, size)
    runs: list[list[float]] = []
    with torch.inference_mode():
        model(images)
        for _ in range(PROFILED_CALLS):
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
                model(images)
            events = [event for event in seen.events() if event.name in kinds.values()]
            events.sort(key=lambda event: event.time_range.start)
            runs.append([event.cpu_time_total / 1e6 for event in events])
    theirs = [median(column) for column in zip(*runs, strict=True)]
    ratios = [own / other for own, other in zip(ours, theirs, strict=True)]
    together = sum(ours) / sum(theirs)
    return told(
        0.85 <= together <= 1.15,
        f"beside torch.profiler, {name}, batch {size}, {len(ours)} layers: sum {together:.3f}, "
        f"median layer {median(ratios):.3f}, from {min(ratios):.2f} to {max(ratios):.2f}; "
        "goal: sum within 15 %",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each closure")
    parser.add_argument("--table-seconds", type=float, help="for each of a model's two tables")
    parser.add_argument("--model", action="append", help="of the tables; by default three")
    parser.add_argument("--only", choices=("closure", "table", "joules", "torch"))
    arguments = parser.parse_args()
    only, seconds = arguments.only, arguments.seconds
    results = []
    start_s = time.monotonic()
    if only in (None, "closure"):
        results += [closure(name, size, seconds) for name in MODELS for size in (1, 32)]
        results += [naive_closure(name, size) for name in MODELS[:3] for size in (1, 32)]
    if only in (None, "table"):
        for name in arguments.model or TABLES:
            results += table(name, 32, arguments.table_seconds or TABLES.get(name, 60.0))
    if only in (None, "joules"):
        results += [joules(period_s, 10.0, seed) for period_s in (0.02, 0.1) for seed in range(3)]
    if only in (None, "torch"):
        results += [
            beside_torch_profiler(name, size, seconds / 2)
            for name, size in (("resnet18", 8), ("lightweight", 32))
        ]
    print(f"{sum(results)} of {len(results)} goals reached in {time.monotonic() - start_s:.0f} s")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
