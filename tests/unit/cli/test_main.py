import signal

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
    assert module.__doc__.splitlines()[0] in capsys.readouterr().out


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
