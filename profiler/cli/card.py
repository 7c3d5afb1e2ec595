"""The `co2_eq_emissions` entry of a Hugging Face model card, as YAML, from a run of a command.

`run -- python train.py` stores the run of a training of your own; its grams, their source and what
it ran on go into the head of the model's README.md. A measured inference is no training: its grams
are those of one call.
"""

from __future__ import annotations

import argparse
import sys

from profiler.errors import UsageError
from profiler.store import load_all
from profiler.values.model_card import TRAINING_TYPES, card_entry, card_yaml
from profiler.values.profile import HOST

from .options import add_carbon


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `card`."""
    parser.add_argument("run", metavar="RUN", help="a run that `run` stored")
    parser.add_argument("--root", default="runs", metavar="DIR", help="where runs are looked for")
    add_card(parser)


def add_card(parser: argparse.ArgumentParser) -> None:
    """--training-type, --location, and where the electricity came from."""
    parser.add_argument("--training-type", choices=TRAINING_TYPES, help="what kind of training")
    parser.add_argument(
        "--location", metavar="TEXT", help="where it ran (default: what --country says)"
    )
    add_carbon(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the YAML."""
    profiles = load_all(arguments.run, arguments.root)
    if len(profiles) != 1 or profiles[0].workload.device != HOST:
        raise UsageError(
            f"'{arguments.run}' is no run of one command: its joules are not those of a training",
            hint="measure the training with `wattprof run -- CMD`, and name what that stores",
        )
    (profile,) = profiles
    if profile.energy_j is None:
        raise UsageError(
            f"no sensor saw the joules of '{arguments.run}'", hint="see `wattprof doctor`"
        )
    from profiler.machine.carbon import carbon_factors

    given = (arguments.country, arguments.intensity, arguments.pue)
    factors = profile.carbon
    if factors is None or any(value is not None for value in given):
        factors = carbon_factors(
            country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
        )
    entry = card_entry(
        profile.energy_j,
        factors,
        training_type=arguments.training_type,
        location=arguments.location or arguments.country,
        hardware=profile.environment.device_name,
    )
    sys.stdout.write(card_yaml(entry))
    return 0
