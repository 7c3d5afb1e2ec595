"""Compute the efficiency score, from numbers or from a stored run; lower is better.

Parameters and MACs are those of the unpruned network, for one image.
"""

from __future__ import annotations

import argparse
import json
import sys

from profiler.errors import UsageError
from profiler.store import load_all
from profiler.values.applied_transform import zero_share
from profiler.values.profile import SCHEMA_VERSION, Profile
from profiler.values.score import BITS, Score, efficiency_score


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `score`."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="take the counts from a stored run")
    parser.add_argument("--parameters", type=float, metavar="W", help="weights, unpruned")
    parser.add_argument("--macs", type=float, metavar="F", help="MACs of one image, unpruned")
    parser.add_argument("--p-s", type=float, default=0.0, help="share of channels pruned")
    parser.add_argument(
        "--p-u", type=float, help="share of weights set to zero (default: the run's, or 0)"
    )
    parser.add_argument("--q-w", type=float, help="bits of a weight (default: the run's, or 32)")
    parser.add_argument(
        "--q-a", type=float, help="bits of an activation (default: the run's, or 32)"
    )
    parser.add_argument("--root", default="runs", metavar="DIR", help="where runs are looked for")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Print the score of each set of counts."""
    scores = [
        (
            name,
            efficiency_score(
                parameter_count=parameter_count,
                mac_count=mac_count,
                p_s=arguments.p_s,
                p_u=zeros if arguments.p_u is None else arguments.p_u,
                q_w=bits if arguments.q_w is None else arguments.q_w,
                q_a=bits if arguments.q_a is None else arguments.q_a,
                already_removed=is_pruned,
            ),
        )
        for name, parameter_count, mac_count, bits, zeros, is_pruned in _counts(arguments)
    ]
    if arguments.json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "scores": [_to_json(name, score) for name, score in scores],
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")
        return 0
    for name, score in scores:
        terms = f"storage {score.storage_term:.6f} + compute {score.compute_term:.6f}"
        print(f"{name}: {score:.6f} ({terms})" if name else f"{score:.6f} ({terms})")
        for note in score.notes:
            print(f"note: {note}", file=sys.stderr)
    return 0


_Counts = tuple[str, float, float, int, float, bool]


def _counts(arguments: argparse.Namespace) -> list[_Counts]:
    """Name, parameters, MACs of one image, bits, share of zeros, and whether channels are gone.

    One entry a distinct network.
    """
    numbers = (arguments.parameters, arguments.macs)
    if arguments.run is None:
        if None in numbers:
            raise UsageError(
                "a score needs both --parameters and --macs, or a RUN",
                hint="python -m profiler score --parameters 11173962 --macs 555422720",
            )
        return [("", arguments.parameters, arguments.macs, 32, 0.0, False)]
    if numbers != (None, None):
        raise UsageError(
            f"a score takes its counts from the run {arguments.run!r} or from --parameters and "
            "--macs, not from both",
            hint="leave the run or the counts out",
        )
    profiles = load_all(arguments.run, arguments.root)
    return list(dict.fromkeys(_counts_of(profile) for profile in profiles))


def _counts_of(profile: Profile) -> _Counts:
    size = profile.workload.batch_size
    if profile.parameter_count is None or profile.mac_count is None or not size:
        raise UsageError(
            f"the run of {profile.name} has no counts of parameters and MACs per image",
            hint="give --parameters and --macs",
        )
    bits = BITS.get(profile.workload.dtype, 32)
    parameter_count, mac_count = profile.parameter_count.point, profile.mac_count.point / size
    is_pruned = any(item.p_s for item in profile.transforms)
    zeros = zero_share(profile.transforms)
    return profile.name, parameter_count, mac_count, bits, zeros, is_pruned


def _to_json(name: str, score: Score) -> dict[str, object]:
    return {
        "name": name or None,
        "score": float(score),
        "storage_term": score.storage_term,
        "compute_term": score.compute_term,
        "inputs": dict(score.inputs),
        "notes": list(score.notes),
        "basis": "counted",
    }
