"""Exact counts of what a model does."""

from __future__ import annotations

from .costs import Costs, SecondOpinion, by_kind, rollup
from .counter import count
from .onmeta import count_on_meta

__all__ = ["Costs", "SecondOpinion", "by_kind", "count", "count_on_meta", "rollup"]
