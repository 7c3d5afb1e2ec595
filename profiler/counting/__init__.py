"""Exact counts of what a model does."""

from __future__ import annotations

from .costs import Costs, SecondOpinion, by_kind, rollup
from .count_call import count
from .on_meta import count_on_meta
from .rules import Rule, Rules
from .sizes import compressed_bytes

__all__ = [
    "Costs",
    "Rule",
    "Rules",
    "SecondOpinion",
    "by_kind",
    "compressed_bytes",
    "count",
    "count_on_meta",
    "rollup",
]
