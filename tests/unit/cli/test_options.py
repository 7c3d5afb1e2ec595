import argparse
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.cli import PROGRAM as PROFILER
from profiler.cli import main
from profiler.cli.options import (
    add_carbon,
    add_codecarbon,
    chosen_codecarbon,
    chosen_sensors,
    number,
    precision,
    seconds,
    shape,
    whole_number,
)
from profiler.errors import UsageError
from profiler.meters.choice import SensorChoice, current_choice
from training.cli import PROGRAM as TRAINING


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "many", "nan", "9999999999999"])
def test_a_count_outside_its_range_is_refused_with_flag_and_value(text):
    with pytest.raises(UsageError, match="--batch-size") as caught:
        whole_number("--batch-size", 1)(text)
    assert text in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "", "two"])
@pytest.mark.parametrize("convert", [number("--pue"), precision, seconds])
def test_what_is_no_finite_number_is_refused(convert, text):
    with pytest.raises(UsageError):
        convert(text)


@pytest.mark.parametrize(("text", "share"), [("0.02", 0.02), ("2%", 0.02), ("50%", 0.5)])
def test_a_precision_is_a_share_or_a_percentage(text, share):
    assert precision(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["0", "1", "-0.1", "100%", "0%", "%"])
def test_a_precision_lies_between_0_and_1(text):
    with pytest.raises(UsageError):
        precision(text)


@pytest.mark.parametrize("text", ["0", "-1"])
def test_a_budget_is_positive(text):
    with pytest.raises(UsageError, match="--max-seconds"):
        seconds(text)


def test_a_shape_is_read_axis_by_axis():
    assert shape("3x224x224") == (3, 224, 224)
    assert shape("1X28X28") == (1, 28, 28)


@pytest.mark.parametrize("text", ["", "x", "3x0x3", "3x-1", "3,4", "axb", "3x²"])
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(UsageError, match="--input-shape"):
        shape(text)


@given(st.text(max_size=12))
def test_no_text_gets_a_number_through_that_is_not_finite(text):
    try:
        value = number("--pue")(text)
    except UsageError:
        return
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("program", "verb"),
    [
        *((PROFILER, verb) for verb in ("measure", "layers", "run")),
        *((TRAINING, verb) for verb in ("train", "evaluate")),
    ],
)
def test_every_verb_that_records_takes_the_choice_of_sensors(program, verb):
    needed = {"evaluate": ["--checkpoint", "x"], "run": [], "train": []}
    words = needed.get(verb, ["--model", "lightweight"])
    arguments = program.build_parser(verb).parse_args(
        [verb, *words, "--sensors", "gpu", "--without", "gpu:1"]
    )
    assert (arguments.sensors, arguments.without) == ("gpu", "gpu:1")


def test_the_choice_of_a_verb_holds_for_all_that_it_opens():
    with chosen_sensors({"sensors": "gpu,rapl", "without": "gpu:1"}):
        assert current_choice() == SensorChoice(only=("gpu", "rapl"), without=("gpu:1",))
    with chosen_sensors({}):
        assert current_choice() == SensorChoice()


def test_codecarbons_tracker_runs_unless_left_out(monkeypatch):
    monkeypatch.delenv("WATTPROF_NO_CODECARBON")
    parser = argparse.ArgumentParser()
    add_carbon(parser)
    add_codecarbon(parser)
    options = chosen_codecarbon(parser.parse_args(["--country", "fra", "--emissions", "em.csv"]))
    assert (options.country, options.emissions_file) == ("FRA", Path("em.csv"))
    assert chosen_codecarbon(parser.parse_args([])) is not None
    assert chosen_codecarbon(parser.parse_args(["--no-codecarbon"])) is None
    with pytest.raises(UsageError, match=r"em\.csv needs the tracker") as caught:
        chosen_codecarbon(parser.parse_args(["--no-codecarbon", "--emissions", "em.csv"]))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["measure", "--model", "x", "--county", "DEU"], "did you mean --country?"),
        (["stats", "--model", "x", "--debugg"], "did you mean --debug?"),
        (
            ["layers", "--model", "x", "--precision", "fp16"],
            "numbers is --dtype fp16",
        ),
    ],
)
def test_a_word_that_is_nearly_right_is_told_the_right_one(words, said, capsys):
    assert main(words) == 2
    assert said in capsys.readouterr().err
