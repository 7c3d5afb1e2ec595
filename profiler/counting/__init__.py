"""Exact counts of what a model does."""

from __future__ import annotations

from .costs import Costs, SecondOpinion, by_kind, rollup
from .count_call import count
from .on_meta import count_on_meta

__all__ = ["Costs", "SecondOpinion", "by_kind", "count", "count_on_meta", "rollup"]
