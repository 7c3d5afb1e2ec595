"""What lies in the folder of a training run, and of an experiment: every name, once.

recipe.json            what is computed; written first
ledger.jsonl           where the joules went; a host beyond the first has a file of its own
journal-N.jsonl        raw readings of the N-th segment
last.safetensors       where the run stands; last.json is its header, readable
best.safetensors       the best weights so far; best.json likewise
result.json            what the run came to

experiment.json        the plan of several runs, and what the finished ones came to
table.md               one row a model
"""

from __future__ import annotations

from pathlib import Path

from profiler.ledger.ledger_file import journal_name, ledger_path

RECIPE = "recipe.json"
LAST = "last.safetensors"
BEST = "best.safetensors"
RESULT = "result.json"
LEDGER = ledger_path(Path(), host=0).name
FIRST_JOURNAL = journal_name(segment=0, host=0)

PLAN = "experiment.json"
TABLE = "table.md"


def is_run(folder: Path) -> bool:
    """Whether a run was begun there."""
    return (folder / RECIPE).is_file() or (folder / LEDGER).is_file()
