"""The command line of training: a table of verbs, one file a verb.

Exit codes: 0 ok, 1 error, 2 usage, 130 interrupted by Ctrl-C, 143 by SIGTERM, 138 by
SIGUSR1 (a scheduler's word that time is up); what was trained is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from profiler.cli.program import Program

VERBS = {
    "train": "train models of a recipe, every joule in a ledger",
    "distill": "train a small model with a trained one as its teacher",
    "evaluate": "accuracy, calibration and joules per image of a checkpoint",
    "predict": "what a checkpoint sees in image files",
    "ledger": "where the joules of a run went, also of a running or killed one",
    "list": "what was trained, its accuracy and its joules",
    "compare": "trained models beside each other: accuracy, joules in turns, and a verdict",
    "card": "the co2_eq_emissions entry of a Hugging Face model card, from a training",
    "experiment": "several models x several seeds, and one table of what they came to",
    "search": "networks of a space that are accurate and cheap, as measured",
}
PROGRAM = Program(
    name="python -m training",
    package=__name__,
    description="Training with an energy ledger: accuracy against joules, kWh and gCO2e.",
    exit_codes="0 ok, 1 error, 2 usage, 130 interrupted, 143 terminated, 138 by SIGUSR1",
    verbs=VERBS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    return PROGRAM.run(arguments)
