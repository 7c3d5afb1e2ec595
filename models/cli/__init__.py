"""The command line of the zoo: a table of verbs, one file a verb."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.cli.program import Program

PROGRAM = Program(
    name="python -m models",
    package=__name__,
    description="The study's zoo.",
    exit_codes="0 ok, 1 error, 2 usage, 130 interrupted",
    verbs={
        "list": "every model of the zoo",
        "visualize": "the modules of one model or two, with shapes, parameters and MACs",
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    return PROGRAM.run(arguments)
