"""A program of verbs: one parser a verb, and the one place that prints errors.

A verb's module has three things: its docstring, which is its help, `configure(parser)`, which adds
its flags, and `execute(arguments) -> int`, which returns the exit code. Only the chosen verb is
imported, so that looking at stored runs never waits for torch.
"""

from __future__ import annotations

import argparse
import codecs
import errno
import io
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from profiler.errors import ProfilerError, UsageError
from profiler.interruption import noted_interruptions
from profiler.values.plain_text import clean, one_line
from profiler.version import __version__

INTERRUPTED = 130
ESCAPE = "wattprof-escape"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class _Parser(argparse.ArgumentParser):
    """Usage errors in the form of all others: one sentence and a hint."""

    def error(self, message: str) -> None:  # type: ignore[override] # raising returns as little
        raise UsageError(message, hint=f"see `{self.prog} --help`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is typed before a verb, and the verbs behind it.

    Args:
        name: as it is typed.
        package: dotted name of the package that holds a module for each verb.
        description: one line for `--help`.
        exit_codes: what they mean, for the last line of `--help`.
        verbs: what each does, in one line.
    """

    name: str
    package: str
    description: str
    exit_codes: str
    verbs: Mapping[str, str]

    def build_parser(self, verb: str | None) -> argparse.ArgumentParser:
        """The parser of one verb; without one, the parser that only knows the verbs' names."""
        parser = _Parser(
            prog=self.name,
            description=self.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=_to_width(f"exit codes: {self.exit_codes}"),
            allow_abbrev=False,
        )
        parser.add_argument("--version", action="version", version=f"wattprof {__version__}")
        parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
        verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
        for name, summary in self.verbs.items():
            child = verbs.add_parser(
                name,
                help=summary,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
            if name == verb:
                module = import_module(f"{self.package}.{name}")
                child.description = _to_width(module.__doc__ or "")
                child.add_argument(
                    "--debug", action="store_true", help="show the traceback of an error"
                )
                module.configure(child)
        return parser

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Run one command line and return its exit code."""
        _open_closed_streams()
        _show_everything()
        words = list(sys.argv[1:] if arguments is None else arguments)
        verb = next((word for word in words if not word.startswith("-")), None)
        debug = "--debug" in words[: words.index("--")] if "--" in words else "--debug" in words
        try:
            with noted_interruptions() as seen:
                return self._dispatch(words, verb)
        except BrokenPipeError:
            # The reader of our output has gone (`| head`); the interpreter must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (Exception, KeyboardInterrupt) as error:  # a user is shown a sentence
            if debug:
                raise
            if seen or isinstance(error, KeyboardInterrupt):
                print("interrupted", file=sys.stderr)
                return INTERRUPTED
            known = error if isinstance(error, ProfilerError) else _told_as_ours(error)
            _complain(known)
            return known.exit_code

    def _dispatch(self, words: list[str], verb: str | None) -> int:
        if verb is not None and verb not in self.verbs:
            import difflib

            near = difflib.get_close_matches(verb, self.verbs, n=1)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            raise UsageError(f"there is no verb {verb!r}{meant}", hint=f"see `{self.name} --help`")
        parser = self.build_parser(verb)
        namespace, unknown = parser.parse_known_args(words)
        if unknown:
            called = " ".join((self.name, *filter(None, [namespace.verb])))
            raise UsageError(
                f"unrecognized arguments: {' '.join(unknown)}{_nearest(unknown, parser, verb)}",
                hint=f"see `{called} --help`",
            )
        if namespace.verb is None:
            parser.print_help(sys.stderr)
            return UsageError.exit_code
        from .options import chosen_sensors  # tables that a list of verbs need not wait for

        module = import_module(f"{self.package}.{namespace.verb}")
        with chosen_sensors(vars(namespace)):
            code = module.execute(namespace)
        sys.stdout.flush()
        return int(code)


def _to_width(text: str) -> str:
    """Paragraphs filled to the terminal's width; one with indented lines stays as it is."""
    width = shutil.get_terminal_size().columns
    return "\n\n".join(
        part if part.startswith(" ") else textwrap.fill(part, width, break_on_hyphens=False)
        for part in text.strip("\n").split("\n\n")
    )


def _nearest(unknown: Sequence[str], parser: argparse.ArgumentParser, verb: str | None) -> str:
    """The end of a sentence about unknown words: the flag that the first of them is like."""
    import difflib

    word = next((word for word in unknown if word.startswith("-")), "").partition("=")[0]
    flags = list(parser._option_string_actions)
    for action in parser._actions:
        if verb is not None and isinstance(action.choices, dict):
            flags += action.choices[verb]._option_string_actions
    near = difflib.get_close_matches(word, flags, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _told_as_ours(error: Exception) -> ProfilerError:
    """A sentence about an error that no verb tells: a full disk, or one that nobody thought of."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        where = clean(os.fsdecode(error.filename)) if error.filename else "everything"
        return ProfilerError(
            f"cannot write {where}: {error.strerror}", hint="make room there, or write elsewhere"
        )
    return ProfilerError(
        f"unexpected {one_line(error)}", hint="add --debug for the traceback, and report it"
    )


def _open_closed_streams() -> None:
    """Make a standard stream that the caller has closed (`>&-`) one that leads nowhere.

    Otherwise a file that is opened later gets its number, and with it what a child process prints;
    and Python prints to stdout what is meant for a stderr that is not there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # in this order, each gets the lowest number, its own
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 # for good


def _show_everything() -> None:
    """Let no character end a program after its work: what a stream cannot hold is escaped.

    A path may hold bytes that are no UTF-8, and stdout may be ASCII. Inside JSON the escapes are
    JSON's own.
    """
    codecs.register_error(ESCAPE, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPE)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def _complain(error: ProfilerError) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
