"""The energy ledger: every joule of a training run from its first start to its last stop.

    with Ledger(folder, recipe=..., epochs=100, carbon=carbon_factors()) as ledger:
        with ledger.phase(Phase.TRAIN, epoch=1) as tally:
            ...
            tally.item_count += len(images)
        ledger.note_epoch(1, accuracy=0.81)
        ledger.settle()
    ledger.summary().by_phase[Phase.TRAIN]

Without a folder it is in memory: so the callbacks for other people's loops keep theirs.

What happens, in the order of the modules: `ledger` records time cut into `phases` (`stretches`);
`settler` says when, and `settlement` infers the joules of what is past; `ledger_file` appends them
as `lines`; `reading` joins them with the journal of a process that could not write its end
(`accounts`); `summary` adds everything up, and `table` shows it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .entries import Entry, EpochNote, LedgerSummary, Phase, Segment, Tally

if TYPE_CHECKING:
    from .ledger import Ledger
    from .reading import read_ledger

# Loaded at first use: they need NumPy, and a result that was stored is read without it.
_HOMES = {"Ledger": "ledger", "read_ledger": "reading"}

__all__ = [
    "Entry",
    "EpochNote",
    "Ledger",
    "LedgerSummary",
    "Phase",
    "Segment",
    "Tally",
    "read_ledger",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
