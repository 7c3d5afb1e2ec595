"""Flags that several verbs share, and the checks of their values."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.runtimes import RUNTIMES
from profiler.variants import TRANSFORMS, usage_of

if TYPE_CHECKING:
    from profiler.machine.codecarbon_tracker import CodeCarbonOptions


DTYPES = ("fp32", "bf16", "fp16")


def add_model(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """--model and what belongs to it; `several` lets it be given more than once, as a list."""
    parser.add_argument(
        "--model",
        required=True,
        action="append" if several else "store",
        metavar="REF",
        help="package.module:callable, path/file.py:callable, torchvision:NAME, timm:NAME, "
        "hf:FOLDER-OR-NAME, or in a checkout of wattprof a name of its zoo; behind it transforms, "
        "in their order: +"
        + ", +".join(map(usage_of, TRANSFORMS))
        + ("; several are measured in turns" if several else ""),
    )
    parser.add_argument(
        "--classes",
        type=whole_number("--classes", 1),
        metavar="N",
        help="classes that the model is built for (default: those of a checkpoint that says so, or "
        "the model's own)",
    )


def add_stopping(
    parser: argparse.ArgumentParser, *, share: float, budget_s: float, of: str
) -> None:
    """When a measurement ends."""
    parser.add_argument(
        "--precision",
        type=precision,
        default=share,
        metavar="P",
        help="stop when the intervals are within this share of the value (default: %(default)s)",
    )
    parser.add_argument(
        "--max-seconds",
        type=seconds,
        default=budget_s,
        metavar="S",
        help=f"stop after this many seconds in any case: budget of {of} (default: {budget_s:g})",
    )


def add_runtime(parser: argparse.ArgumentParser, help_text: str, **settings: Any) -> None:
    """--runtime."""
    parser.add_argument("--runtime", choices=tuple(RUNTIMES), help=help_text, **settings)


def add_carbon(parser: argparse.ArgumentParser) -> None:
    """Where the electricity comes from."""
    parser.add_argument(
        "--country", metavar="ISO", help="ISO alpha-3 code for the carbon intensity, such as DEU"
    )
    parser.add_argument(
        "--intensity",
        type=number("--intensity"),
        metavar="G",
        help="carbon intensity in gCO2e per kWh",
    )
    parser.add_argument(
        "--pue",
        type=number("--pue"),
        metavar="X",
        help="power usage effectiveness of the site (default: 1.0, assumed)",
    )


def add_sensors(parser: argparse.ArgumentParser) -> None:
    """--sensors and --without: which sensors and GPUs are read."""
    parser.add_argument(
        "--sensors",
        metavar="NAME,...",
        help="read these alone: meters (nvml, rapl, hwmon, codecarbon), families (gpu, cpu, dram, "
        "board, battery), devices (gpu:1, cpu:package-0) or channels as `doctor` shows them",
    )
    parser.add_argument(
        "--without", metavar="NAME,...", help="leave these out; named like those of --sensors"
    )


def chosen_sensors(options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """What --sensors and --without of a verb mean for everything that is recorded inside.

    Args:
        options: the arguments of any verb.
    """
    sensors, without = options.get("sensors"), options.get("without")
    if sensors is None and without is None:
        return nullcontext()
    from profiler.meters.choice import sensor_choice, using_sensors

    return using_sensors(sensor_choice(sensors, without))


def add_codecarbon(parser: argparse.ArgumentParser) -> None:
    """Whether CodeCarbon's own tracker runs beside the work."""
    parser.add_argument(
        "--no-codecarbon",
        dest="codecarbon",
        action="store_false",
        help="do not run CodeCarbon's own tracker beside it as a second opinion; the environment "
        "variable WATTPROF_NO_CODECARBON=1 does the same for all runs",
    )
    parser.add_argument(
        "--emissions",
        type=Path,
        metavar="FILE",
        help="let CodeCarbon append its own row to this CSV file (its emissions.csv)",
    )


def chosen_codecarbon(arguments: argparse.Namespace) -> CodeCarbonOptions | None:
    """What the flags of `add_codecarbon` and `add_carbon` ask for; None for no tracker."""
    from profiler.machine.codecarbon_tracker import codecarbon_options

    if arguments.emissions is not None and not arguments.codecarbon:
        raise UsageError(
            f"--emissions {arguments.emissions} needs the tracker that --no-codecarbon leaves out",
            hint="leave out one of the two",
        )
    return codecarbon_options(
        is_wanted=arguments.codecarbon,
        country=arguments.country,
        emissions_file=arguments.emissions,
    )


def whole_number(flag: str, smallest: int, largest: int = 2**31 - 1) -> Callable[[str], int]:
    """A converter for argparse that refuses everything outside [smallest, largest]."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = smallest - 1
        if not smallest <= value <= largest:
            raise UsageError(
                f"{flag} {text} is not possible",
                hint=f"give a whole number from {smallest} to {largest}",
            )
        return value

    return convert


def positive(flag: str) -> Callable[[str], float]:
    """A converter for argparse that takes finite numbers above 0, such as a budget of seconds."""

    def convert(text: str) -> float:
        value = number(flag)(text)
        if value <= 0:
            raise UsageError(f"{flag} {text} is not possible", hint="give more than 0")
        return value

    return convert


def number(flag: str) -> Callable[[str], float]:
    """A converter for argparse that refuses NaN and infinity."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"{flag} {text} is not a number", hint=f"give {flag} a finite number")
        return value

    return convert


def precision(text: str) -> float:
    """A relative half width: "0.02" or "2%"."""
    if text in DTYPES:
        raise UsageError(
            f"--precision {text} is not possible: it is how narrow the intervals are to be",
            hint=f"the type of numbers is --dtype {text}",
        )
    value = (
        number("--precision")(text[:-1]) / 100
        if text.endswith("%")
        else number("--precision")(text)
    )
    if not 0 < value < 1:
        raise UsageError(
            f"--precision {text} is not possible", hint="give a share, such as 0.02 or 2%"
        )
    return value


def seconds(text: str) -> float:
    """A budget above 0."""
    value = number("--max-seconds")(text)
    if value <= 0:
        raise UsageError(
            f"--max-seconds {text} is not possible", hint="give seconds above 0, such as 30"
        )
    return value


def shape(text: str) -> tuple[int, ...]:
    """A shape such as 3x224x224."""
    parts = text.lower().split("x")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(
            f"--input-shape {text} is no shape", hint="write it as CxHxW, such as 3x224x224"
        )
    return tuple(int(part) for part in parts)
