"""Hold stored runs against a budget of joules, latency and size; a gate for CI.

The budget is a TOML file, a table [[budget]] for each model:

    [[budget]]
    model = "lightweight"
    batch_size = 1
    at_most = { energy_per_item_j = "0.5 mJ", latency_s = "3 ms", size_bytes = "1.2 MB" }

Of several runs that a budget is about the newest counts. The exit code is 3 where a whole interval
is over its bound, 4 where the interval holds the bound or there is no run, 0 otherwise. An absolute
bound also holds the sensor's own gain error, which cancels in `compare`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from profiler.comparison.budget import BoundCheck, BoundVerdict, Budget, check_budget
from profiler.errors import StoreError, UsageError
from profiler.render.formats.text import paragraph
from profiler.store import list_runs, load_all
from profiler.values.codec import FormError, decode, encode, parse_toml
from profiler.values.plain_text import clean
from profiler.values.profile import SCHEMA_VERSION, Profile

EXIT_OVER = 3
EXIT_UNDECIDED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFile:
    """What a budget file holds."""

    budget: tuple[Budget, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check`."""
    parser.add_argument("budget", type=Path, metavar="BUDGET.TOML", help="the bounds")
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="what is held against them (default: every run)"
    )
    parser.add_argument("--root", default="runs", metavar="DIR", help="where runs are looked for")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def execute(arguments: argparse.Namespace) -> int:
    """Print what is said of each bound; the exit code is that of the worst."""
    budgets = read_budgets(arguments.budget)
    profiles = _profiles(arguments)
    checks = [
        check for budget in budgets for check in check_budget(budget, _newest(budget, profiles))
    ]
    for model in sorted(_unknown_models(budgets, profiles)):
        told = f"no run of a model '{clean(model)}' is here: {_models_of(profiles)}"
        print(told, file=sys.stderr)
    if arguments.json:
        document = {"schema_version": SCHEMA_VERSION, "checks": encode(checks)}
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False, allow_nan=False)
        sys.stdout.write("\n")
    else:
        print("\n".join(map(_text, checks)))
    verdicts = {check.verdict for check in checks}
    if BoundVerdict.OVER in verdicts:
        return EXIT_OVER
    return EXIT_UNDECIDED if BoundVerdict.UNDECIDED in verdicts else 0


def read_budgets(path: Path) -> tuple[Budget, ...]:
    """The budgets of a file.

    Raises:
        UsageError: it cannot be read, is no TOML (with the line), or a field is not as it must be.
    """
    name = clean(str(path))
    try:
        found = decode(parse_toml(path.read_bytes()), BudgetFile, strict=True)
    except OSError as error:
        raise UsageError(
            f"the budget '{name}' cannot be read: {error.strerror}",
            hint="see `wattprof check --help`",
        ) from error
    except FormError as error:
        wrong = f"{name} {error}" if error.where is None else f"{name}: {error}"
        raise UsageError(wrong, hint="see `wattprof check --help`") from error
    if not found.budget:
        raise UsageError(f"{name} has no [[budget]]", hint="see `wattprof check --help`")
    return found.budget


def _profiles(arguments: argparse.Namespace) -> list[Profile]:
    if arguments.runs:
        return [one for word in arguments.runs for one in load_all(word, arguments.root)]
    profiles: list[Profile] = []
    for run in list_runs(arguments.root):
        if run.complete:
            try:
                profiles += load_all(run.path)
            except StoreError as error:  # a broken run beside the others decides nothing
                print(f"left out {run.path.name}: {error.message}", file=sys.stderr)
    return profiles


def _unknown_models(budgets: tuple[Budget, ...], profiles: list[Profile]) -> set[str]:
    """Models of which there is no run at all, as where a name is written otherwise."""
    known = {profile.workload.model for profile in profiles}
    return {budget.model for budget in budgets if budget.model not in known}


def _models_of(profiles: list[Profile]) -> str:
    names = sorted({profile.workload.model for profile in profiles})
    return f"the runs are of {', '.join(map(clean, names))}" if names else "there are no runs"


def _newest(budget: Budget, profiles: list[Profile]) -> Profile | None:
    about = [profile for profile in profiles if budget.is_about(profile)]
    return max(about, key=lambda profile: profile.created_utc, default=None)


def _text(check: BoundCheck) -> str:
    """A bound, what a run says of it, and the numbers on a line of their own."""
    head = f"{check.verdict.value}: {check.label} of {check.about}, {check.bound}"
    return f"{paragraph(head)}\n  {clean(check.reason)}"
