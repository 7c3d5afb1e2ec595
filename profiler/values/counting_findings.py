"""What to know of the counts of a call."""

from __future__ import annotations

from .findings import Finding


def not_counted(reason: str) -> Finding:
    """MACs and score are missing, and why."""
    return Finding(
        kind="not-counted",
        observed=f"the MACs of a call are not known: {reason}",
        remedy="`python -m profiler stats` names what has no formula; time and joules hold without",
    )


def macs_at_least(mac_count: int, uncounted: tuple[str, ...]) -> Finding:
    """Part of the call has no formula."""
    return Finding(
        kind="not-counted",
        observed=f"the MACs of a call are {mac_count:,} or more: not counted is "
        f"{', '.join(uncounted)}",
        remedy="read the MACs as a lower bound; time and joules hold without",
    )


def counted_by_rules(rules: tuple[str, ...]) -> Finding:
    """Part of the MACs is what the caller says."""
    return Finding(
        kind="counted-by-rules",
        observed=f"the MACs are not all counted: {', '.join(rules)}",
        remedy="leave out `rules` for the count of the operators alone",
    )


def fourier_beside(operation_count: int) -> Finding:
    """Fourier transforms do work that is no MAC."""
    return Finding(
        kind="fourier-operations",
        observed=f"Fourier transforms add {operation_count:,} real operations (5 N log2 N for N "
        "complex points, half for real ones), which are not among the MACs",
        remedy="",
    )


def second_count_differs(source: str, differing_ops: tuple[tuple[str, int, int], ...]) -> Finding:
    """An independent counter gets other MACs: (family of operators, ours, theirs)."""
    families = ", ".join(
        f"{family}: {ours:,} here, {theirs:,} there" for family, ours, theirs in differing_ops
    )
    return Finding(
        kind="counts-differ",
        observed=f"{source} counts one item otherwise ({families})",
        remedy="see `stats --second-opinion` for the operators that it does not know",
    )
