"""Which networks are on the front, which go on, and what is told of the counts."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from profiler.errors import UsageError
from profiler.render.formats import render_document
from profiler.values.estimate import Basis, Estimate, counted
from training.recipe import Recipe
from training.search.document import search_document, told_nearest
from training.search.front import agreement, front, ranked
from training.search.halving import survivors
from training.search.objectives import read_constraint
from training.search.plan import SearchPlan
from training.search.result import conclude_search
from training.search.trials import Trial

PLAN = SearchPlan(
    space="residual", objectives=("accuracy", "joules"), constraints=(),
    recipe=Recipe(data="digits", epochs=8), trial_count=4, first_epochs=1, rounds=3,
)  # fmt: skip


def share(point: float) -> Estimate:
    return Estimate(
        point=point, low=max(0.0, point - 0.02), high=min(1.0, point + 0.02), unit="",
        confidence=0.95, basis=Basis.MEASURED, source="top-1 on the validation split, 500 images",
    )  # fmt: skip


def joules(point: float, basis: Basis = Basis.MEASURED) -> Estimate:
    return Estimate(
        point=point, low=0.95 * point, high=1.05 * point, unit="J", confidence=0.95, basis=basis,
        source="RAPL",
    )  # fmt: skip


def trial(number: int, accuracy: float, energy_j: float, rounds: int = 1, **changes) -> Trial:
    values = {
        "number": number, "reference": f"net{number}", "epochs": 2 ** (rounds - 1),
        "costs": {"joules": joules(energy_j), "macs": counted(1e9 * energy_j, "MAC", "counted")},
        "accuracies": (share(accuracy),) * rounds,
    }  # fmt: skip
    return Trial(**values | changes)


BEST, MIDDLE, CHEAP = trial(0, 0.9, 3.0), trial(1, 0.8, 2.0), trial(2, 0.5, 1.0)
BEATEN, LOST = trial(3, 0.7, 2.5), trial(4, 0.4, 4.0)
FAILED = Trial(number=5, reference="net5", error="the loss became NaN")
ALL = [BEST, MIDDLE, CHEAP, BEATEN, LOST, FAILED]


def test_the_front_holds_what_no_other_network_beats() -> None:
    assert front(ALL, PLAN.objectives) == [BEST, MIDDLE, CHEAP]


def test_a_front_comes_before_the_next_and_its_ends_before_its_middle() -> None:
    assert ranked(ALL, PLAN.objectives) == [BEST, CHEAP, MIDDLE, BEATEN, LOST]


def test_the_better_half_goes_on_and_what_failed_does_not() -> None:
    assert survivors(ALL, PLAN, 1) == [BEST, CHEAP, MIDDLE]


def test_who_goes_on_does_not_depend_on_what_was_learnt_later() -> None:
    later = [replace(BEST, accuracies=(share(0.9), share(0.1))), *ALL[1:]]
    assert [each.number for each in survivors(later, PLAN, 1)] == [0, 2, 1]
    twice = [replace(each, accuracies=each.accuracies * 2) for each in ALL]
    assert [each.number for each in survivors(twice, PLAN, 2)] == [0, 2]


def test_a_network_that_was_proposed_twice_goes_on_once() -> None:
    again = replace(BEST, number=6)
    assert survivors([*ALL, again], PLAN, 1) == [BEST, CHEAP, MIDDLE]


def test_those_that_meet_a_constraint_go_on_before_the_others_and_then_the_nearest() -> None:
    plan = replace(PLAN, constraints=(read_constraint("accuracy>=75%"),))
    assert survivors(ALL, plan, 1) == [BEST, MIDDLE, BEATEN]


def test_what_nothing_meets_is_told_with_the_nearest() -> None:
    plan = replace(PLAN, constraints=(read_constraint("accuracy>=0.95"),))
    result = conclude_search(plan, ALL, energy_j=None, importance={})
    assert result.best == ()
    said = told_nearest(result)
    assert said is not None
    assert said.startswith("no network meets accuracy>=0.95; the nearest is net0 with accuracy 90")


def test_where_all_cost_too_much_the_cheapest_is_the_nearest() -> None:
    plan = replace(PLAN, constraints=tuple(map(read_constraint, ("accuracy>=0.5", "joules<=0.5"))))
    left_out = [
        replace(each, accuracies=(), error="breaks joules<=0.5", is_left_out=True) for each in ALL
    ]
    result = conclude_search(plan, left_out, energy_j=None, importance={})
    assert result.nearest is not None
    assert result.nearest.number == CHEAP.number
    assert "the nearest is net2 with accuracy not seen, joules per image 1.0" in (
        told_nearest(result) or ""
    )


@pytest.mark.parametrize("text", ["accuracy", "accuracy>0.9", "speed>=1", "accuracy>=x", ""])
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"'{text}' is no constraint"):
        read_constraint(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy>=1.5", "accuracy outside 0 to 1, which no network has; write accuracy>=1.5%"),
        ("accuracy>=95", "which no network has; write accuracy>=95%"),
        ("accuracy>=101%", "accuracy outside 0 to 1"),
        ("accuracy<=-0.5", "accuracy outside 0 to 1"),
        ("macs<=0", "every network costs something"),
        ("joules<=-1", "every network costs something"),
        ("macs<=1e999", "'macs<=1e999' is no constraint"),
        ("macs<=50%", "'macs<=50%' is no constraint"),
    ],
)
def test_what_no_network_can_meet_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_constraint(text)
    assert said in caught.value.message


def test_constraints_that_exclude_each_other_are_refused() -> None:
    both = tuple(map(read_constraint, ("macs>=2e7", "macs<=1e7")))
    with pytest.raises(UsageError, match=r"no network meets both macs>=2e\+07 and macs<=1e\+07"):
        replace(PLAN, constraints=both)


def test_a_constraint_is_violated_in_relation_to_its_bound() -> None:
    at_most = read_constraint("joules<=2")
    assert at_most.violation(BEST.values) == pytest.approx(0.5)
    assert at_most.is_met(MIDDLE.values)
    assert at_most.violation(FAILED.values) is None
    assert not at_most.is_met(FAILED.values)


def test_the_search_is_paid_for_where_joules_are_saved_surely() -> None:
    result = conclude_search(
        PLAN, ALL, energy_j=joules(100.0), importance={}, baseline="big",
        baseline_costs={"joules": joules(3.0)},
    )  # fmt: skip
    assert result.break_even is not None
    assert set(result.break_even) == {"1", "2"}  # net0 draws what the baseline does
    images = result.break_even["2"]
    assert images.point == pytest.approx(100 / 2.0)
    assert images.low is not None
    assert images.high is not None
    assert images.low < 50 < images.high


def test_counts_agree_with_what_was_measured_and_repeats_count_once() -> None:
    generator = random.Random(0)
    trials = [trial(n, 0.5, generator.random() + 1) for n in range(12)]
    found = agreement([*trials, *(replace(t, number=20) for t in trials[:3])], "macs", "joules")
    assert found is not None
    assert found.point == pytest.approx(1)
    assert found.low is not None
    assert 0.9 < found.low < 1
    assert "over 12 networks" in found.source
    assert agreement(trials[:4], "macs", "joules") is None


@pytest.mark.parametrize("form", ["text", "md", "html"])
def test_the_report_says_what_was_only_modelled_and_what_failed(form: str) -> None:
    modelled = [
        replace(each, costs={"joules": joules(each.number + 1.0, Basis.ESTIMATED)})
        for each in ALL[:3]
    ]
    result = conclude_search(
        PLAN, [*modelled, FAILED], energy_j=joules(100.0),
        importance={"accuracy": {"depth": 0.75, "width": 0.25}},
    )  # fmt: skip
    shown = " ".join(render_document(search_document(result), form).split())
    for words in ("modelled power times time", "the loss became NaN", "75", "100", "estimated"):
        assert words in shown


def drawn(result):
    (section,) = (each for each in search_document(result).sections if each.title == "Front")
    return section


def test_every_trained_network_is_drawn_and_the_front_is_a_line() -> None:
    again = replace(LOST, number=6, reference=BEST.reference)  # a repeat is no other network
    (chart,) = drawn(conclude_search(PLAN, [*ALL, again], energy_j=None, importance={})).charts
    assert [(dot.label, dot.is_on_front) for dot in chart.dots] == [
        ("0", True), ("1", True), ("2", True), ("3", False), ("4", False),
    ]  # fmt: skip
    assert chart.lines[0].points == ((1.0, 50.0), (2.0, 80.0), (3.0, 90.0))
    assert (chart.dots[0].y_low, chart.dots[0].x_high) == (88.0, pytest.approx(3.15))


def test_numbers_of_trials_stand_in_the_tables_and_joules_where_a_break_even_rests_on_them() -> (
    None
):
    plan = replace(PLAN, objectives=("accuracy", "macs"))
    result = conclude_search(
        plan, ALL, energy_j=joules(100.0), importance={}, baseline="big",
        baseline_costs={"joules": joules(3.0, Basis.ASSUMED)},
    )  # fmt: skip
    (table,) = drawn(result).tables
    heads = [column.label for column in table.columns]
    cells = dict(zip(heads, table.rows[-1], strict=True))
    assert cells["trial"] == "2"
    assert cells["joules per image"] == "1.00 ± 0.05 J"
    assert cells["basis of the joules"] == "measured"
    assert cells["paid for after"].endswith("(assumed)")


def test_the_way_of_a_search_is_told() -> None:
    plan = replace(PLAN, constraints=(read_constraint("macs<=2e7"),), batch_size=4)
    left_out = replace(FAILED, number=6, is_left_out=True)
    result = conclude_search(plan, [*ALL, left_out], energy_j=None, importance={})
    lead = " ".join(search_document(result).lead)
    for words in (
        "Tried: 7 networks; not trained, because they cost too much: 1; failed: 1; on the front",
        "or a part of them, were not seen",
        "Data: digits. Epochs of each round: 1, 1, 2;",
        "Proposed by tpe (seed 0); macs<=2e+07. Measured in fp32, 4 images a call.",
    ):
        assert words in lead


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objectives": ("accuracy",)}, "weighs accuracy against a cost"),
        ({"objectives": ("score", "macs")}, "weighs accuracy against a cost"),
        ({"objectives": ("accuracy", "speed")}, "no objective 'speed'"),
        ({"rounds": 5}, "train for 16, longer than the recipe's 8"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes, said) -> None:
    with pytest.raises(UsageError, match=said):
        replace(PLAN, **changes)


def test_rounds_double_what_a_network_has_seen() -> None:
    assert [PLAN.round_epochs(number) for number in range(4)] == [1, 1, 2, 4]
    assert PLAN.total_epochs(3) == 8


def test_another_search_is_told_by_what_differs() -> None:
    PLAN.check_same(replace(PLAN, trial_count=99))
    with pytest.raises(UsageError, match="begun with space residual, not densenet; seed 0, not 3"):
        PLAN.check_same(replace(PLAN, space="densenet", recipe=replace(PLAN.recipe, seed=3)))
