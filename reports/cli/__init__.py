"""The command line of the reports: a table of verbs, one file a verb."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.cli.program import Program

PROGRAM = Program(
    name="python -m reports",
    package=__name__,
    description="What the source studies claim, beside what is measured here.",
    exit_codes="0 ok, 1 error, 2 usage, 130 interrupted; of `study` also those of `measure`",
    verbs={
        "claims": "what the source studies claim",
        "study": "measure a study's models, then build its report",
        "publish": "a study as a folder to be kept, its runs verified",
        "rivals": "the same windows read by this program and by others",
        "build": "a report of any mix of runs, trainings and studies, beside the claims",
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    return PROGRAM.run(arguments)
