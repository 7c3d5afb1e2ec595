"""Coverage in real time: the product's own threads, beside whatever else this machine does.

Virtual devices draw a scripted load on the real clock, below the real `pynvml` and the meter of
RAPL; the windows are opened and closed by a thread that sleeps in between, as late as it wakes.
Loads run in several processes side by side, and go on until the time is up. What each window came
to is a line in OUT, so that a check of thousands of windows can be run in pieces.

    python -m tests.bench.real_time --seconds 240 --first-seed 70000 --out build/real-time.jsonl
    python -m tests.bench.real_time --kind rough --kind everything
    python -m tests.bench.real_time --seconds 0 --out build/real-time.jsonl      # the table alone
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from profiler.inference import infer_energies
from profiler.meters import OpenMeter
from profiler.meters.nvml import NvmlMeter
from profiler.meters.rapl import RaplMeter
from profiler.recording.recorder import Recorder
from profiler.values.trace import Trace, Window
from tests.bench import scenarios
from tests.bench.coverage import HEADER, Tally, add_to
from tests.bench.scenarios import Load, Scenario, make
from tests.bench.virtual_recording import A100, H100, RAPL, RTX_4090, V100
from tests.virtual.nvml import Scenario as Gpus
from tests.virtual.nvml import VirtualGpu, install
from tests.virtual.power import PowerScript
from tests.virtual.sysfs import SysfsTree, add_domain, counter_uj

KINDS: tuple[Scenario, ...] = (
    scenarios.short_with_gaps,
    scenarios.back_to_back,
    scenarios.back_to_back_spaced,
    scenarios.steps_4ms_apart,
    scenarios.rough,
    scenarios.varying_inside,
    scenarios.nested,
    scenarios.noisy,
    scenarios.everything,
    scenarios.loose_edges,
    scenarios.unrelated_load,
)
CARDS = (H100, A100, RTX_4090, V100)
LONGEST_S = 20.0
SETTLING_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one window came to on one device."""

    kind: str
    sensor: str
    truth_j: float
    duration_s: float
    bracket_j: tuple[float, float]
    energy_j: tuple[float, float, float] | None


@contextmanager
def _devices(script: PowerScript, seed: int) -> Iterator[list[OpenMeter]]:
    """Four cards and a package, all of which draw that load."""
    chance = random.Random(seed)
    gpus = [
        VirtualGpu(
            script=script, seed=seed + number, phase_s=chance.uniform(0, 0.1),
            uuid=f"GPU-{number}1111111-2222-3333-4444-555555555555", **card.gpu or {},  # type: ignore[arg-type]  # its own fields
        )
        for number, card in enumerate(CARDS)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        tree = SysfsTree(Path(folder), time.monotonic)
        add_domain(tree, "intel-rapl:0", "package-0", counter_uj(script))
        meters = NvmlMeter(environment={}), RaplMeter(tree.root, reader=tree)
        with install(Gpus(gpus=tuple(gpus))):
            yield [(meter, meter.open()) for meter in meters]
            for meter in meters:
                meter.close()


def _record(load: Load, seed: int, kind: str) -> list[Seen]:
    """Play a load once, and infer its windows from what the recorder's threads saw."""
    script = load.script.at(time.monotonic() + 0.2)
    with _devices(script, seed) as meters:
        recorder = Recorder(meters).start()
        edges = sorted(
            (edge_s, is_start, index)
            for index, window in enumerate(load.windows)
            for edge_s, is_start in ((window.start_s, True), (window.end_s or 0.0, False))
        )
        for edge_s, is_start, index in edges:
            time.sleep(max(0.0, script.start_s + edge_s - time.monotonic()))
            name = f"{index} {load.windows[index].name}"
            (recorder.begin if is_start else recorder.end)(name)
        time.sleep(SETTLING_S)
        recorder.stop()
        traces = recorder.traces()
    # The number only told windows of one name apart that overlap.
    windows = [
        Window(name=w.name.partition(" ")[2], start_s=w.start_s, end_s=w.end_s)
        for w in recorder.windows()
    ]
    return list(_judged(traces, windows, script, kind))


def _judged(
    traces: Sequence[Trace], windows: Sequence[Window], script: PowerScript, kind: str
) -> Iterator[Seen]:
    names = {f"gpu:{number}": card.name for number, card in enumerate(CARDS)}
    found = infer_energies(traces, [(window,) for window in windows], windows)
    for energy, window in zip(found, windows, strict=True):
        for device, own in energy.devices.items():
            if "memory" in device:
                continue
            end_s = window.end_s or 0.0
            estimate = own.energy_j
            yield Seen(
                kind=kind,
                sensor=names.get(device, RAPL.name),
                truth_j=script.energy_between_j(window.start_s, end_s),
                duration_s=end_s - window.start_s,
                bracket_j=own.bracket_j or (0.0, 0.0),
                energy_j=None
                if estimate is None
                else (estimate.low or 0.0, estimate.point, estimate.high or math.inf),
            )


def _play(number: int, count: int, options: argparse.Namespace) -> None:
    """Loads of one of several processes, until the time is up."""
    until_s = time.monotonic() + options.seconds
    turn = number
    kinds = [kind for kind in KINDS if not options.kind or kind.__name__ in options.kind]
    while time.monotonic() < until_s - LONGEST_S:
        kind, seed = kinds[turn % len(kinds)], options.first_seed + turn
        load = make(kind, seed)
        rows = _record(load, seed, kind.__name__)
        with options.out.open("a") as file:
            file.write("".join(json.dumps(asdict(row)) + "\n" for row in rows))
        turn += count


def print_table(path: Path) -> None:
    """One line a kind, and one more for every sensor."""
    tallies: dict[tuple[str, str], Tally] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        for sensor in ("", row["sensor"]):
            add_to(
                tallies.setdefault((row["kind"], sensor), Tally()),
                row["truth_j"], row["duration_s"], row["bracket_j"], row["energy_j"],
            )  # fmt: skip
    print(HEADER)
    for (kind, sensor), seen in sorted(tallies.items()):
        print(f"{'    ' + sensor if sensor else kind:32}{seen.line()}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=70_000)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--out", type=Path, default=Path("build/real-time.jsonl"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.touch()
    start = multiprocessing.get_context("spawn").Process
    processes = [
        start(target=_play, args=(number, options.processes, options), daemon=True)
        for number in range(options.processes)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print_table(options.out)


if __name__ == "__main__":
    main()
