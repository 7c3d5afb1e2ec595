"""What compression gains on this machine, beside its goals: `python -m tests.bench.variants`.

Contenders of one table run in turns, block by block in random order, on one thread. A ratio is the
median over the rounds of (seconds of the rival) / (seconds of the contender), with its interval.

    python -m tests.bench.variants --only int8,runtimes --seconds 20 --out reports/results/X
    python -m tests.bench.variants --only accuracy --checkpoint FILE --data cifar10
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from profiler.counting import count
from profiler.errors import ProfilerError
from profiler.inputs import load_calibration, load_inputs
from profiler.machine.device import find_device
from profiler.machine.environment import cpu_flags
from profiler.runtimes import RUNTIMES, is_outside_torch
from profiler.runtimes.deploy import deploy, runtime_of
from profiler.values.applied_transform import score_of_variant
from profiler.values.statistics import median_interval
from profiler.variants import build
from profiler.workload.prepared import prepare
from profiler.workload.transformed import transforms_of
from tests.unit.variants.test_factorization import STUDY

from .bare_int8 import bare_int8
from .table_file import add_rows

BARE = "torchao by hand"
SHAPE = (3, 32, 32)
BLOCK_S = 0.2
FEWEST_ROUNDS = 7
# By batch size: times faster than fp32 eager with VNNI alone, and with AMX.
INT8_GOALS = {1: (4.0, 4.0), 32: (4.5, 8.0), 256: (6.0, 12.0)}
Call = Callable[[], object]


def prepared(reference: str, runtime: str, batch_size: int) -> Call:
    """One call of a variant on a run-time, its answers held against eager torch's."""
    torch.manual_seed(0)
    if runtime == BARE:
        dense = build(reference.partition("+")[0], num_classes=10).model.eval()
        return bare_int8(dense, _images(batch_size))
    outside = runtime if is_outside_torch(runtime) else None
    model = build(
        reference,
        num_classes=10,
        runtime=outside,
        load_batches=lambda target: load_calibration("digits", input_shape=SHAPE, seed=0),
    ).model
    device = find_device("cpu")
    executor = runtime_of(model, runtime)
    is_channels_last = runtime == "compile" and "+bf16" in reference
    bench = prepare(
        model, _images(batch_size), device, runtime=executor, channels_last=is_channels_last
    )
    return deploy(bench, device, runtime=executor).call


def _images(batch_size: int) -> torch.Tensor:
    images: torch.Tensor = load_inputs(
        "digits", batch_size=batch_size, input_shape=SHAPE, seed=0
    ).images
    return images


def timed(call: Call) -> float:
    """Seconds of a call, over a block."""
    start_s, count = time.perf_counter(), 0
    while True:
        call()
        count += 1
        spent_s = time.perf_counter() - start_s
        if spent_s > BLOCK_S:
            return spent_s / count


def in_turns(calls: dict[str, Call], budget_s: float) -> dict[str, list[float]]:
    """Seconds of a call of each contender, round by round."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        timed(call)
    end_s, order = time.perf_counter() + budget_s, random.Random(0)
    while time.perf_counter() < end_s or len(next(iter(seconds.values()))) < FEWEST_ROUNDS:
        names = list(calls)
        order.shuffle(names)
        for name in names:
            seconds[name].append(timed(calls[name]))
    return seconds


def race(
    title: str,
    contenders: Sequence[tuple[str, str]],
    batch_size: int,
    goals: dict[tuple[str, str], float],
    options: argparse.Namespace,
) -> None:
    """Print a table, and keep it if that was asked for; the first contender is all others' rival.

    Args:
        title: of the table.
        contenders: (reference, run-time) of each.
        batch_size: items in a call.
        goals: how many times faster than the rival a contender is to be.
        options: of the command line.
    """
    print(f"\n{title}, batch {batch_size}, {torch.get_num_threads()} thread")
    calls: dict[str, Call] = {}
    names = {pair: f"{pair[0]} on {pair[1]}" for pair in contenders}
    for pair, name in names.items():
        try:
            calls[name] = prepared(*pair, batch_size)
        except ProfilerError as error:
            print(f"  {name:44} not run: {error.message}")
    seconds = in_turns(calls, options.seconds)
    wanted = {names[pair]: goal for pair, goal in goals.items()}
    rival, rows = names[contenders[0]], []
    for name, own in seconds.items():
        ratios = [base / value for base, value in zip(seconds[rival], own, strict=True)]
        point, low, high = median_interval(ratios)
        goal = wanted.get(name)
        verdict = "" if goal is None else "reached" if low >= goal else "missed"
        latency_s = median_interval(own).point
        told = "" if goal is None else f"  goal {goal:g}x: {verdict}"
        print(
            f"  {name:44} {latency_s * 1e6:10.1f} us  {point:6.2f}x [{low:.2f}, {high:.2f}] "
            f"of {rival}{told}"
        )
        rows.append(
            {
                "table": title,
                "batch": batch_size,
                "contender": name,
                "ms a call": 1e3 * latency_s,
                "times faster": point,
                "low": low,
                "high": high,
                "than": rival,
                "rounds": len(own),
                "goal": goal,
                "verdict": verdict,
            }
        )
    if options.out is not None:
        add_rows(
            options.out, "speed", rows,
            keys=("table", "batch", "contender"), threads=options.threads,
            title="What compression and run-times gain: medians of rounds in turns, 95 % intervals",
        )  # fmt: skip


def counts(options: argparse.Namespace) -> None:
    """Counts and scores of study B's table."""
    print("\ncounts and scores of the study's table (32, 16 and 8 bits)")
    for reference, (parameter_count, mac_count, *scores) in STUDY.items():
        with torch.device("meta"):
            model = build(reference, num_classes=10).model.eval()
            costs = count(model, torch.empty(1, *SHAPE))
        found = [
            float(
                score_of_variant(
                    transforms_of(model),
                    parameter_count=costs.parameter_count,
                    mac_count=costs.mac_count or 0,
                    default_bits=bits,
                )
            )
            for bits in (32, 16, 8)
        ]
        exact = (costs.parameter_count, costs.mac_count) == (parameter_count, mac_count)
        near = all(abs(a - b) < 5e-7 for a, b in zip(found, scores, strict=True))
        print(f"  {reference:24} {'exact' if exact and near else 'WRONG'}")


def int8(options: argparse.Namespace) -> None:
    """INT8 ResNet-18 against fp32 eager, and beside bf16."""
    has_amx, has_bf16 = "amx_int8" in cpu_flags(), "avx512_bf16" in cpu_flags()
    for batch_size in options.batch_sizes:
        contenders = [
            ("resnet18", "eager"),
            ("resnet18+int8", "compile"),
            ("resnet18+int8", BARE),
            ("resnet18", "compile"),
        ]
        if has_bf16 or batch_size < 256:  # imitated, it takes a quarter of a minute a call
            contenders.append(("resnet18+bf16", "compile"))
        title = f"INT8 ResNet-18 ({'AMX' if has_amx else 'no AMX'})"
        race(
            title, contenders, batch_size, {contenders[1]: INT8_GOALS[batch_size][has_amx]}, options
        )


def runtimes(options: argparse.Namespace) -> None:
    """Lightweight on every run-time; the goal is that of the best."""
    contenders = [("lightweight", name) for name in RUNTIMES]
    contenders += [("lightweight+int8", name) for name in RUNTIMES if name != "eager"]
    goals = {("lightweight+int8", name): 7.0 for name in RUNTIMES if name != "eager"}
    race("run-times (the goal is that of the best)", contenders, 1, goals, options)


def prune(options: argparse.Namespace) -> None:
    """Structured pruning against the dense model."""
    contenders = [("resnet18", "eager"), ("resnet18+prune=0.5", "eager")]
    race("structured pruning", contenders, 32, {contenders[1]: 3.0}, options)


def accuracy(options: argparse.Namespace) -> None:
    """INT8 after training, on all test images."""
    print("\nINT8 accuracy of a trained lightweight on the test split; goal: within 1 point")
    if options.checkpoint is None:
        print("  not run: give --checkpoint FILE, and --data as it was trained on")
        return
    found = {}
    for reference in ("lightweight", "lightweight+int8"):
        words = ["evaluate", "--checkpoint", options.checkpoint, "--model", reference, "--json"]
        words += ["--seconds", "0", "--device", "cpu"]
        words += ["--data", options.data] if options.data else []
        done = subprocess.run(
            [sys.executable, "-m", "training", *words], capture_output=True, text=True
        )
        if done.returncode:
            print(f"  {reference}: {done.stderr.strip().splitlines()[0]}")
            return
        found[reference] = json.loads(done.stdout)["top1"]
        top1 = found[reference]
        print(f"  {reference:24} {top1['point']:.4f} [{top1['low']:.4f}, {top1['high']:.4f}]")
    lost = found["lightweight"]["point"] - found["lightweight+int8"]["point"]
    print(f"  lost {100 * lost:.2f} points: {'reached' if lost <= 0.01 else 'no'}")


PARTS = {part.__name__: part for part in (counts, int8, runtimes, prune, accuracy)}


def main() -> int:
    """Print the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, by commas: %(default)s")
    parser.add_argument("--seconds", type=float, default=30.0, help="of timing a table")
    parser.add_argument(
        "--batch-sizes", type=int, nargs="+", default=[*INT8_GOALS], choices=INT8_GOALS
    )
    parser.add_argument("--out", type=Path, help="folder whose speed.json gets the rows, too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", help="of a trained lightweight")
    parser.add_argument("--data", help="its images (default: those it was trained on)")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {sorted(unknown)[0]!r}; parts: {', '.join(PARTS)}")
    torch.set_num_threads(options.threads)
    for run in [partial(PARTS[name], options) for name in options.only.split(",")]:
        run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
