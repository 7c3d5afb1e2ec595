"""Compare two runs: ratios with intervals, and a verdict that may be "no detectable difference".

B is put against A. Where they stand for several profiles, those of the same model, batch
size and dtype are paired, as far as these vary inside A or B. With --fail-above the exit
code is 3 where B is worse by more than that, 4 where the intervals cannot tell, and 0
otherwise.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import Any

from profiler.comparison.gate import Gate, judge
from profiler.comparison.pairing import Pairing, pair
from profiler.comparison.verdicts import Comparison, compare
from profiler.errors import UsageError
from profiler.render.comparison_sections import comparison_section
from profiler.render.formats.text import section_blocks
from profiler.store import load_all
from profiler.values.codec import encode
from profiler.values.profile import SCHEMA_VERSION
from profiler.values.quantities import QUANTITIES

EXIT_REGRESSION = 3
EXIT_INCONCLUSIVE = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `compare`."""
    parser.add_argument("base", metavar="A", help="a run, a folder of runs, or a JSON file")
    parser.add_argument("other", metavar="B", help="what is put against A")
    parser.add_argument(
        "--fail-above",
        type=_share,
        metavar="SHARE",
        help='how much worse B may be ("5%%" or 0.05); more is exit code 3',
    )
    parser.add_argument(
        "--metric",
        choices=[row.key for row in QUANTITIES if row.lower_is_better is not None],
        default="energy_j",
        metavar="KEY",
        help="what --fail-above judges: energy_j, latency_s, ... (default: %(default)s)",
    )
    parser.add_argument(
        "--noise",
        type=_share,
        metavar="SHARE",
        help="standard deviation from run to run (default: 3%% on a CPU, 1%% on a GPU, or the "
        "spread of a run's own blocks where that is larger)",
    )
    parser.add_argument("--root", default="runs", metavar="DIR", help="where runs are looked for")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Print the comparison; the exit code is that of the worst pair."""
    pairing = pair(
        load_all(arguments.base, arguments.root), load_all(arguments.other, arguments.root)
    )
    if not pairing.pairs:
        raise UsageError(
            f"{arguments.base} and {arguments.other} have no workload in common: "
            f"{'; '.join((*pairing.only_base, *pairing.only_other))}",
            hint="measure both with the same --batch-size and --dtype",
        )
    comparisons = [compare(*items, noise=arguments.noise) for items in pairing.pairs]
    gates = (
        [judge(item, arguments.metric, arguments.fail_above) for item in comparisons]
        if arguments.fail_above is not None
        else []
    )
    if arguments.json:
        _print_json(comparisons, gates, pairing)
    else:
        _print_text(comparisons, gates, pairing)
    return _exit_code(gates, pairing)


def _exit_code(gates: list[Gate], pairing: Pairing) -> int:
    outcomes = {gate.outcome for gate in gates}
    if "regression" in outcomes:
        return EXIT_REGRESSION
    is_incomplete = bool(gates and pairing.only_base)
    return EXIT_INCONCLUSIVE if "inconclusive" in outcomes or is_incomplete else 0


def _print_text(comparisons: list[Comparison], gates: list[Gate], pairing: Pairing) -> None:
    blocks = [block for item in comparisons for block in section_blocks(comparison_section(item))]
    blocks += [f"{gate.outcome}: {gate.reason}" for gate in gates]
    blocks += [f"only in A: {text}" for text in pairing.only_base]
    blocks += [f"only in B: {text}" for text in pairing.only_other]
    print("\n\n".join(blocks))


def _print_json(comparisons: list[Comparison], gates: list[Gate], pairing: Pairing) -> None:
    document = {
        "schema_version": SCHEMA_VERSION,
        "comparisons": [_to_json(item) for item in comparisons],
        "gates": encode(gates),
        "only_base": encode(pairing.only_base),
        "only_other": encode(pairing.only_other),
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def _to_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "base": _identity(comparison, "base"),
        "other": _identity(comparison, "other"),
        "verdict": comparison.verdict,
        "energy_ratio": encode(comparison.energy_ratio),
        "latency_ratio": encode(comparison.latency_ratio),
        "noise_base": comparison.noise_base,
        "noise_other": comparison.noise_other,
        "per_item": comparison.per_item,
        "same_environment": comparison.same_environment,
        "ratios": {row.key: encode(row) for row in comparison.ratios},
        "findings": encode(comparison.findings),
    }


def _identity(comparison: Comparison, side: str) -> dict[str, Any]:
    profile = comparison.base if side == "base" else comparison.other
    return {
        "name": profile.name,
        "created_utc": profile.created_utc,
        "workload": encode(profile.workload),
        "fingerprint": profile.environment.fingerprint,
    }


def _share(text: str) -> float:
    """Read "5%" or "0.05" as a share."""
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is no share such as "5%" or 0.05')
    return share
