"""Say which energy sensors this machine has, who may read them, and how good they are.

Every sensor is watched for a few seconds, best on an idle machine: its update period, resolution,
noise and cost are seen, not looked up, and the mean power is the idle power.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.render.document import Column, Section, Table
from profiler.render.formats.text import section_blocks
from profiler.render.roofline import best_tables
from profiler.render.sensor_tables import response_section
from profiler.values.codec import encode
from profiler.values.units import NOT_SEEN, show_number

from .options import number

if TYPE_CHECKING:
    from profiler.machine.allocator import FreedMemory
    from profiler.machine.diagnosis import Diagnosis, SensorReport
    from profiler.values.hardware import HardwareBest
    from profiler.values.sensor_response import SensorResponse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `doctor`."""
    parser.add_argument(
        "--seconds",
        type=number("--seconds"),
        default=4.0,
        metavar="S",
        help="how long to watch (default: 4)",
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="measure what the device does at its best, for `layers` to compare with, and keep "
        "it; of an NVIDIA GPU also how its sensors follow a load (half a minute)",
    )
    parser.add_argument(
        "--device", default="auto", metavar="D", help="what to calibrate (default: auto)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Watch and print."""
    from profiler.machine.diagnosis import diagnose

    if not 0 < arguments.seconds <= 600:
        raise UsageError(
            f"--seconds {arguments.seconds} is not possible", hint="give between 0 and 600 s"
        )
    if sys.stderr.isatty():
        print(f"watching every sensor for {arguments.seconds:g} s ...", file=sys.stderr)
    diagnosis = diagnose(arguments.seconds)
    best, response = _calibrated(arguments.device) if arguments.calibrate else (None, None)
    if arguments.json:
        document = _document(diagnosis)
        if best is not None:
            document |= {"hardware": encode(best), "sensor_response": encode(response)}
        print(json.dumps(document))
        return 0
    sys.stdout.write(_text(diagnosis))
    if best is not None:
        _print(Section(title="What the device can do", tables=best_tables(best)))
    if response is not None:
        _print(response_section(response))
    return 0


def _print(section: Section) -> None:
    sys.stdout.write("\n" + "\n\n".join(block for block in section_blocks(section) if block) + "\n")


def _calibrated(name: str) -> tuple[HardwareBest, SensorResponse | None]:
    from profiler.layers.calibration import hardware_best
    from profiler.layers.load_response import sensor_response
    from profiler.machine.device import find_device

    device = find_device(name)
    best = hardware_best(device, refresh=True)
    if sys.stderr.isatty() and device.is_gpu:
        print("watching how the sensors follow a load, half a minute ...", file=sys.stderr)
    return best, sensor_response(device)


def _document(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "machine": diagnosis.facts,
        "memory": asdict(diagnosis.memory),
        "sensors": [
            {
                **asdict(sensor.channel),
                "probed": asdict(sensor.probed),
                "shortest_window_s": sensor.shortest_window_s,
            }
            for sensor in diagnosis.sensors
        ],
        "findings": [asdict(finding) for finding in diagnosis.findings],
    }


def _text(diagnosis: Diagnosis) -> str:
    machine = Section(
        title="What this machine can measure",
        paragraphs=(
            f"{diagnosis.facts['cpu']}, {diagnosis.facts['cpu_count']} CPUs, "
            f"virtual machine: {diagnosis.facts['virtual_machine']}, "
            f"container: {diagnosis.facts['container']}",
            _told_memory(diagnosis.memory),
        ),
        tables=(_sensors(diagnosis), _sources(diagnosis)) if diagnosis.sensors else (),
        notes=(
            "shortest window: from this length on the joules of one window alone are bracketed "
            "within 5 %. Shorter ones are inferred, with an interval.",
        )
        if diagnosis.sensors
        else (),
    )
    blocks = section_blocks(machine)
    if diagnosis.findings:
        blocks += section_blocks(_remedies(diagnosis))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _told_memory(memory: FreedMemory) -> str:
    """What freed memory costs here, and which flag decides it."""
    return (
        f"Freed memory: {memory.block_mib} MiB that are freed and asked for again cost "
        f"{memory.fault_count:,} page faults and {show_number(memory.elapsed_s, 's')} in a process "
        f"like this one (allocator: {memory.allocator}). A model's calls free and ask for as much, "
        "and whether the C library keeps the pages or hands them back is settled by chance in the "
        "first calls. So measure starts processes that keep them, as servers do: "
        "--allocator steady, the default. --allocator system leaves it to chance, and a finding "
        "then counts the page faults a call."
    )


def _sensors(diagnosis: Diagnosis) -> Table:
    numbers = ("update period", "resolution", "read cost", "mean power", "noise", "shortest window")
    return Table(
        caption="Sensors, as seen",
        columns=(
            Column(label="sensor", role="code"),
            Column(label="basis"),
            *(Column(label=label, role="number") for label in numbers),
        ),
        rows=tuple(_row(sensor) for sensor in diagnosis.sensors),
    )


def _row(sensor: SensorReport) -> tuple[str, ...]:
    channel, probed = sensor.channel, sensor.probed
    step_unit = "J" if channel.kind.value == "energy" else "W"
    values = (
        (sensor.update_period_s, "s"),
        (probed.resolution, step_unit),
        (probed.read_cost_s, "s"),
        (probed.mean_power_w, "W"),
        (probed.noise_w, "W"),
        (sensor.shortest_window_s, "s"),
    )
    shown = (NOT_SEEN if value is None else show_number(value, unit) for value, unit in values)
    return (channel.key, channel.basis.value, *shown)


def _sources(diagnosis: Diagnosis) -> Table:
    return Table(
        caption="What they are, and what is already inside another",
        columns=(
            Column(label="sensor", role="code"),
            Column(label="source"),
            Column(label="contains"),
        ),
        rows=tuple(
            (
                sensor.channel.key,
                sensor.channel.source,
                ", ".join(sensor.channel.contains) or "nothing else",
            )
            for sensor in diagnosis.sensors
        ),
    )


def _remedies(diagnosis: Diagnosis) -> Section:
    table = Table(
        caption="What stands in the way, and what mends it",
        columns=(Column(label="finding"), Column(label="observed"), Column(label="remedy")),
        rows=tuple((f.kind, f.observed, f.remedy) for f in diagnosis.findings),
    )
    return Section(title="Findings", tables=(table,))
