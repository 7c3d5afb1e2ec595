"""Flags about how often, and in how many processes, a measurement is repeated."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from profiler.errors import UsageError
from profiler.machine.allocator import ALLOCATORS, STEADY

from .options import whole_number

if TYPE_CHECKING:
    from profiler.measurement.workers import FreshProcesses

PROCESSES = 3


def add_repetition(parser: argparse.ArgumentParser) -> None:
    """--processes and --allocator."""
    parser.add_argument(
        "--processes",
        type=whole_number("--processes", 1, 64),
        default=PROCESSES,
        metavar="N",
        help="fresh processes that share the budget (default: %(default)s); 1 is a quick look in "
        "this one, whose interval does not know how much processes differ",
    )
    parser.add_argument(
        "--allocator",
        choices=ALLOCATORS,
        help=f"{STEADY} keeps freed memory in the process, as servers do (the default), system is "
        "the C library's own way",
    )


def check_repetition(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be had together.

    Raises:
        UsageError: an allocator for the process that already runs.
    """
    if arguments.processes == 1 and arguments.allocator is not None:
        raise UsageError(
            f"--allocator {arguments.allocator} needs fresh processes, and --processes 1 "
            "measures in this one",
            hint="leave out --allocator, or ask for --processes 2 or more",
        )


def fresh_processes(arguments: argparse.Namespace, options: dict[str, Any]) -> FreshProcesses:
    """The processes that the flags ask for, each with the models of `options`."""
    from profiler.measurement.workers import FreshProcesses

    return FreshProcesses(
        count=arguments.processes,
        loader="profiler.cli.workload:load_requests",
        options=options,
        allocator=arguments.allocator or STEADY,
    )
