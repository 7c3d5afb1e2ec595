from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiler.errors import UsageError
from profiler.values.codec import FormError, decode, encode, parse
from profiler.values.trace import CounterTrace, PowerTrace, Trace
from reports.claims.study import load_claims
from tests.unit.training.checkpoints.samples import info
from tests.unit.values.stored import NUMBERS, PLAIN, STORED, values_of
from training.result import TrainingResult, read_result

ROOT = Path(__file__).resolve().parents[3]
GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "Info": st.builds(info, notes=st.none() | st.dictionaries(st.text("ab"), PLAIN)),
    "Study": st.sampled_from(load_claims()),
}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    start_s: float
    count: int = 0

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is negative: {self.count}")
        if self.count > 9:
            raise UsageError("count is above 9", hint="give less")


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    windows: tuple[Inner, ...] = ()
    pair: tuple[int, str] = (0, "")
    by_colour: Mapping[Colour, float | None] = field(default_factory=dict)
    by_level: Mapping[Level, int] = field(default_factory=dict)
    by_number: Mapping[int, Inner] = field(default_factory=dict)
    either: Inner | Other | None = None
    scalar: int | str | None = None
    anything: Any = None


def stored(value: Any) -> Any:
    return json.loads(json.dumps(encode(value), allow_nan=False))


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
def test_what_is_stored_is_read_back_equal(kind: type) -> None:
    def check(value: Any) -> None:
        assert decode(stored(value), kind) == value
        assert decode(stored(value), kind, strict=True) == value

    values = values_of(kind, **GIVEN)
    suppressed = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    settings(max_examples=8, deadline=None, suppress_health_check=suppressed)(
        given(value=values)(check)
    )()


@given(values_of(Outer, Inner=st.builds(Inner, start_s=NUMBERS, count=st.integers(0, 9))))
@settings(deadline=None, max_examples=50)
def test_mappings_unions_and_tuples_are_read_back_equal(value: Outer) -> None:
    assert decode(stored(value), Outer) == value


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the record is not an object: a list"),
        ({"windows": {}}, "windows is not a list: an object"),
        ({"windows": [{"start_s": 1}, {"start_s": "x"}]}, "windows[1].start_s is not a number"),
        ({"windows": [{}]}, "windows[0].start_s is missing"),
        ({"windows": [{"start_s": 10**400}]}, "windows[0].start_s is not finite: a number of"),
        ({"windows": [{"start_s": True}]}, "windows[0].start_s is not a number: True"),
        ({"windows": [{"start_s": 1, "count": 1.0}]}, "windows[0].count is not a whole number"),
        ({"windows": [{"start_s": 1, "count": -1}]}, "windows[0] is not possible: count is neg"),
        ({"windows": [{"start_s": 1, "count": 10}]}, "windows[0] is not possible: count is above"),
        ({"pair": [1]}, "pair has 1 items where 2 belong"),
        ({"pair": [1, None]}, "pair[1] is not a text: null"),
        ({"by_colour": {"green": 1}}, "by_colour has the key 'green', which cannot be one"),
        ({"by_colour": {"red": "1"}}, "by_colour.red is not a number: '1'"),
        ({"by_level": {"3": 1}}, "by_level has the key '3', which cannot be one"),
        ({"by_number": {"one": {}}}, "by_number has the key 'one', which cannot be one"),
        ({"by_number": {"1": {"start_s": None}}}, "by_number.1.start_s is not a number: null"),
        ({"by_colour": {"\x1b[2J": 1}}, r"by_colour has the key '\x1b[2J', which cannot be one"),
        ({"either": {"end_s": "x"}}, "either.end_s is not a number: 'x'"),
        ({"either": 3}, "either is not an object: 3"),
    ],
)  # fmt: skip
def test_an_error_names_the_path_of_the_field_and_its_value(document: Any, message: str) -> None:
    with pytest.raises(FormError) as caught:
        decode(document, Outer)
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


def test_the_error_holds_path_and_problem_apart() -> None:
    with pytest.raises(FormError) as caught:
        decode({"windows": [{"start_s": "x"}]}, Outer, "run")
    assert (caught.value.where, caught.value.problem) == (
        "run.windows[0].start_s", "is not a number: 'x'"
    )  # fmt: skip


def test_an_unknown_field_is_passed_over_and_refused_where_that_is_asked_for() -> None:
    document = {"windows": [{"start_s": 1.0, "later": 3}], "newer": {}}
    assert decode(document, Outer).windows == (Inner(start_s=1.0),)
    with pytest.raises(FormError, match="the record has the unknown field 'newer'"):
        decode(document, Outer, strict=True)
    with pytest.raises(FormError, match=r"windows\[0\] has the unknown field 'later'"):
        decode({"windows": document["windows"]}, Outer, strict=True)


def test_a_record_of_a_union_is_known_by_its_fields() -> None:
    channel = {"device": "gpu:0", "kind": "energy", "source": "s"}
    power = {"channel": channel, "time_s": [1.0], "power_w": [2.0], "last_seen_s": None}
    assert isinstance(decode(power, Trace), PowerTrace)
    moves = {"earliest_s": [0.0], "latest_s": [1.0], "energy_j": [2.0], "epoch": [0]}
    found = decode({"channel": channel, "last_seen_s": 1.0, "later": 1, **moves}, Trace)
    assert isinstance(found, CounterTrace)


def test_a_whole_number_stays_one_so_that_it_is_stored_as_the_same_text() -> None:
    assert repr(decode({"start_s": 3}, Inner).start_s) == "3"


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_infinities_survive_and_nan_is_never_stored(number: float) -> None:
    assert decode(stored(Inner(start_s=number)), Inner).start_s == number
    with pytest.raises(FormError, match="NaN"):
        encode(Inner(start_s=math.nan))


@pytest.mark.parametrize("text", ["", "{", "NaN", "[" * 100_000, "9" * 10_000, b"\xff"])
def test_what_is_not_json_is_one_sentence(text: str | bytes) -> None:
    with pytest.raises(FormError, match="is not valid JSON") as caught:
        parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "folder",
    [
        "tests/fixtures/first_version/trained",
        *(f"reports/results/lightweight-cifar10-jpeg-cpu/lightweight-seed{n}" for n in range(3)),
    ],
)
def test_a_published_result_is_read_with_every_number_it_was_stored_with(folder: str) -> None:
    document = json.loads((ROOT / folder / "result.json").read_text(encoding="utf-8"))
    result = read_result(ROOT / folder)
    assert isinstance(result, TrainingResult)
    assert_holds(encode(result), document | {"folder": Path(folder).name}, "result")


def assert_holds(found: Any, stored: Any, where: str) -> None:
    """All that was stored stands in `found`; what was added to the form since is not set there."""
    if not isinstance(stored, dict):
        assert found == stored, where
        return
    for name in stored.keys() - {"schema_version"}:
        assert_holds(found[name], stored[name], f"{where}.{name}")
    for name in found.keys() - stored.keys():
        is_unset = found[name] is False or found[name] in (None, [], {}, "")
        assert is_unset, f"{where}.{name}"
