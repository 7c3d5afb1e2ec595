"""The command line: a table of verbs, one file a verb.

Exit codes: 0 ok, 1 error, 2 usage, 3 regression, 4 inconclusive, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

from .program import Program

VERBS = {
    "measure": "joules, latency and carbon of one model on one device; writes a run",
    "run": "joules of any command, as `perf stat` does for cycles",
    "stats": "parameters and exact MACs, layer by layer, without running the model",
    "layers": "seconds and joules of every layer, and whether they add up",
    "compare": "ratios of two runs with intervals and verdicts; a gate for CI",
    "export": "a deployable file of a run-time, read back and checked",
    "report": "stored runs as HTML, Markdown, CSV, JSON, text, or a table for a paper",
    "runs": "what has been stored",
    "verify": "recompute every joule of a stored run from its raw readings",
    "doctor": "which sensors this machine has, who may read them, how good they are",
    "check": "stored runs against a budget of joules, latency and size; a gate for CI",
    "sci": "the Software Carbon Intensity (ISO/IEC 21031) of stored runs",
    "card": "the co2_eq_emissions entry of a Hugging Face model card, from a run",
    "score": "the efficiency score, from numbers or from a run",
}
PROGRAM = Program(
    name="wattprof",
    package=__name__,
    description="Measured energy of PyTorch models: joules, kWh and gCO2e with intervals.",
    exit_codes="0 ok, 1 error, 2 usage, 3 regression, 4 inconclusive",
    verbs=VERBS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    return PROGRAM.run(arguments)
