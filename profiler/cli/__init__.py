"""The command line: a table of verbs, one file a verb, and the one place that prints errors.

A verb's module has three things: its docstring, which is its help, `configure(parser)`, which adds
its flags, and `execute(arguments) -> int`, which returns the exit code. Only the chosen verb is
imported, so that looking at stored runs never waits for torch.

Exit codes: 0 ok, 1 error, 2 usage, 3 regression, 4 inconclusive, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from profiler.errors import ProfilerError, UsageError
from profiler.version import __version__

VERBS = {
    "measure": "joules, latency and carbon of one model on one device; writes a run",
    "run": "joules of any command, as `perf stat` does for cycles",
    "stats": "parameters and exact MACs, layer by layer, without running the model",
    "compare": "ratios of two runs with intervals and verdicts; a gate for CI",
    "report": "stored runs as text, Markdown, HTML, CSV or JSON",
    "runs": "what has been stored",
    "verify": "recompute every joule of a stored run from its raw readings",
    "doctor": "which sensors this machine has, who may read them, how good they are",
    "score": "the efficiency score, from numbers or from a run",
}
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Usage errors in the form of all others: one sentence and a hint."""

    def error(self, message: str) -> None:  # type: ignore[override] # raising returns as little
        raise UsageError(message, hint=f"see `{self.prog} --help`")


def build_parser(verb: str | None) -> argparse.ArgumentParser:
    """The parser of one verb; without one, the parser that only knows the verbs' names."""
    parser = _Parser(
        prog="wattprof",
        description="Measured energy of PyTorch models: joules, kWh and gCO2e with intervals.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 ok, 1 error, 2 usage, 3 regression, 4 inconclusive",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"wattprof {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
    for name, summary in VERBS.items():
        child = verbs.add_parser(
            name,
            help=summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == verb:
            module = import_module(f".{name}", __name__)
            child.description = module.__doc__
            child.add_argument(
                "--debug", action="store_true", help="show the traceback of an error"
            )
            module.configure(child)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = next((word for word in words if not word.startswith("-")), None)
    debug = "--debug" in words[: words.index("--")] if "--" in words else "--debug" in words
    try:
        return _dispatch(words, verb)
    except ProfilerError as error:
        if debug:
            raise
        _complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        if debug:
            raise
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); the interpreter must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the last resort: a user is shown a sentence, not a traceback
        if debug:
            raise
        name = type(error).__name__
        _complain(
            ProfilerError(
                f"unexpected {name}: {error}", hint="add --debug for the traceback, and report it"
            )
        )
        return 1


def _dispatch(words: list[str], verb: str | None) -> int:
    if verb is not None and verb not in VERBS:
        import difflib

        near = difflib.get_close_matches(verb, VERBS, n=1)
        meant = f"; did you mean `{near[0]}`?" if near else ""
        raise UsageError(f"there is no verb {verb!r}{meant}", hint="see `wattprof --help`")
    parser = build_parser(verb)
    namespace = parser.parse_args(words)
    if namespace.verb is None:
        parser.print_help(sys.stderr)
        return UsageError.exit_code
    module = import_module(f".{namespace.verb}", __name__)
    code = module.execute(namespace)
    sys.stdout.flush()
    return int(code)


def _complain(error: ProfilerError) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
