import errno
import signal
import subprocess
import sys

import pytest

from profiler.cli import VERBS, main
from profiler.cli.program import Program
from profiler.errors import UsageError


def test_without_a_verb_the_help_goes_to_stderr_and_the_code_is_usage(capsys):
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(verb in printed.err for verb in VERBS)


def test_an_unknown_verb_is_a_usage_error_that_names_the_nearest(capsys):
    assert main(["mesure"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: there is no verb 'mesure'; did you mean `measure`?",
        "hint: see `wattprof --help`",
    ]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_the_help_of_a_verb_is_its_docstring(verb, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    module = __import__(f"profiler.cli.{verb}", fromlist=[verb])
    printed = " ".join(capsys.readouterr().out.split())
    assert module.__doc__.splitlines()[0] in printed


@pytest.mark.parametrize("verb", [None, *sorted(VERBS)])
def test_help_fits_the_terminal(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        main([*filter(None, [verb]), "--help"])
    printed = capsys.readouterr().out.splitlines()
    # argparse breaks no list of choices, and an example is meant to be copied as it is.
    assert max(len(line) for line in printed if "{" not in line) <= 80


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "runs"],
        ["--quiet", "runs"],
        ["runs", "--bogus"],
        ["measure"],
        ["measure", "--model"],
        ["measure", "--model", "lightweight", "measure"],
    ],
)
def test_a_misplaced_word_is_a_usage_error(words, capsys):
    assert main(words) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: see `wattprof")


def test_a_wrong_flag_points_to_the_help_of_its_verb(capsys):
    main(["stats", "--model", "lightweight", "--bogus"])
    assert "hint: see `wattprof stats --help`" in capsys.readouterr().err


def test_an_unexpected_error_is_one_sentence_and_a_traceback_only_with_debug(monkeypatch, capsys):
    def broken(program, verb):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Program, "build_parser", broken)
    assert main(["runs"]) == 1
    assert capsys.readouterr().err.startswith("error: unexpected ZeroDivisionError: a bug\nhint: ")
    with pytest.raises(ZeroDivisionError):
        main(["runs", "--debug"])
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "runs"])


def test_a_full_disk_is_told_as_one(monkeypatch, capsys):
    def full(arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("profiler.cli.runs.execute", full)
    assert main(["runs"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: cannot write everything: No space left on device",
        "hint: make room there, or write elsewhere",
    ]


@pytest.mark.parametrize("closed", ["0", "1", "2"])
def test_a_closed_stream_is_one_that_leads_nowhere(closed, tmp_path):
    """Descriptors belong to a process: this needs one, and a shell that closes them."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m profiler runs --root "$1" {closed}>&-', sys.executable, tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "unexpected" not in done.stderr
    assert done.returncode == 0
    if closed == "2":  # what is meant for stderr is not among the data
        assert "runs" not in done.stdout


def test_debug_behind_a_double_dash_belongs_to_the_command(monkeypatch):
    def broken(program, verb):
        raise ZeroDivisionError

    monkeypatch.setattr(Program, "build_parser", broken)
    assert main(["run", "--", "tool", "--debug"]) == 1


def test_an_interruption_is_one_line_and_130(monkeypatch, capsys):
    def interrupted(program, verb):
        raise KeyboardInterrupt

    monkeypatch.setattr(Program, "build_parser", interrupted)
    assert main(["runs"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("kind", [RuntimeError, RecursionError, UsageError])
def test_an_interruption_that_became_another_error_is_still_one(kind, monkeypatch, capsys):
    def broken(program, verb):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise kind("half imported") from None

    monkeypatch.setattr(Program, "build_parser", broken)
    assert main(["runs"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
