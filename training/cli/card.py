"""The `co2_eq_emissions` entry of a Hugging Face model card, as YAML, from a training.

Its grams are those of the whole run, all segments and hosts of its ledger, epochs that were done
again included.
"""

from __future__ import annotations

import argparse
import sys

from profiler.cli.card import add_card
from profiler.errors import StoreError
from profiler.values.model_card import card_entry, card_yaml
from profiler.values.plain_text import clean
from training.result import read_result

from .output_folders import find_run


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `card`."""
    parser.add_argument(
        "run", metavar="RUN", help="a run's folder, or a part of its name below trainings/"
    )
    add_card(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the YAML."""
    folder = find_run(arguments.run)
    result = read_result(folder)
    if result is None or result.ledger.energy_j is None:
        missing = "has no result yet" if result is None else "has joules that no sensor saw"
        raise StoreError(
            f"the run in '{clean(str(folder))}' {missing}",
            hint=f"see how far it is with `python -m training ledger {clean(arguments.run)}`",
        )
    from profiler.machine.carbon import carbon_factors

    given = (arguments.country, arguments.intensity, arguments.pue)
    factors = result.ledger.carbon
    if any(value is not None for value in given):
        factors = carbon_factors(
            country=arguments.country, intensity_g_per_kwh=arguments.intensity, pue=arguments.pue
        )
    kind = "fine-tuning" if result.recipe.initial is not None else "pre-training"
    entry = card_entry(
        result.ledger.energy_j,
        factors,
        training_type=arguments.training_type or kind,
        location=arguments.location or arguments.country,
        hardware=result.environment.device_name,
    )
    sys.stdout.write(card_yaml(entry))
    return 0
