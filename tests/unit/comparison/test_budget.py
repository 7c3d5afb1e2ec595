from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.comparison.budget import UNITS, BoundVerdict, Budget, check_budget
from profiler.values.estimate import Basis, stated
from profiler.values.findings import CONTENDED, Finding
from profiler.values.quantities import QUANTITIES
from tests.sample import resnet18, sample_profile

PROFILE = sample_profile(batch_size=1, energy_j=0.010)


def verdict(profile=PROFILE, **bounds):
    (check,) = check_budget(Budget(model="lightweight", **bounds), profile)
    return check.verdict


def test_a_bound_is_held_against_the_whole_interval_and_the_sensors_gain():
    # 10 mJ ± 1.4 %, and 5 % gain: from 9.37 to 10.65 mJ.
    assert verdict(at_most={"energy_j": "10.7 mJ"}) is BoundVerdict.WITHIN
    assert verdict(at_most={"energy_j": "10.2 mJ"}) is BoundVerdict.UNDECIDED
    assert verdict(at_most={"energy_j": "9.5 mJ"}) is BoundVerdict.UNDECIDED
    assert verdict(at_most={"energy_j": "9.3 mJ"}) is BoundVerdict.OVER


def test_a_count_is_decided_exactly():
    assert verdict(at_most={"parameter_count": "258_292"}) is BoundVerdict.WITHIN
    assert verdict(at_most={"parameter_count": "258_291"}) is BoundVerdict.OVER


def test_more_can_be_better():
    sure = replace(PROFILE, accuracy=replace(PROFILE.accuracy, low=0.69, high=0.71))
    assert verdict(sure, at_least={"accuracy": "68 %"}) is BoundVerdict.WITHIN
    assert verdict(sure, at_least={"accuracy": "0.7"}) is BoundVerdict.UNDECIDED
    assert verdict(sure, at_least={"accuracy": "72 %"}) is BoundVerdict.OVER


def test_what_is_not_known_is_undecided():
    blind = replace(PROFILE, energy_j=None)
    bare = replace(PROFILE, energy_j=stated(0.01, "J", Basis.ASSUMED, "somebody"))
    busy = replace(PROFILE, findings=(Finding(kind=CONTENDED, observed="busy", remedy=""),))
    for profile in (blind, bare, busy, None):
        assert verdict(profile, at_most={"energy_j": "1 kJ"}) is BoundVerdict.UNDECIDED
    assert verdict(busy, at_most={"parameter_count": "1e9"}) is BoundVerdict.WITHIN


def test_a_budget_is_about_the_runs_that_it_names():
    assert Budget(model="lightweight", at_most={"energy_j": "1 J"}).is_about(PROFILE)
    for terms in ({"batch_size": 1}, {"device": "cuda"}, {"device": "cuda:0"}, {"dtype": "fp32"}):
        assert Budget(model="lightweight", at_most={"energy_j": "1 J"}, **terms).is_about(PROFILE)
    for terms in ({"batch_size": 2}, {"device": "cpu"}, {"dtype": "bf16"}, {"runtime": "openvino"}):
        about = Budget(model="lightweight", at_most={"energy_j": "1 J"}, **terms)
        assert not about.is_about(PROFILE)
    assert not Budget(model="lightweight", at_most={"energy_j": "1 J"}).is_about(resnet18())


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "neither 'at_most' nor 'at_least'"),
        ({"at_most": {"joules": "1 J"}}, "'at_most' has no 'joules'; it has latency_s"),
        ({"at_most": {"accuracy": "90 %"}}, "'at_most' has no 'accuracy'"),
        ({"at_least": {"energy_j": "1 J"}}, "'at_least' has no 'energy_j'"),
        ({"at_most": {"energy_j": "3 ms"}}, "'energy_j': '3 ms' is not a bound in J"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        Budget(model="m", **bounds)


def test_every_quantity_has_the_unit_that_its_numbers_have():
    assert UNITS.keys() == {row.key for row in QUANTITIES}
    for row in QUANTITIES:
        seen = row.of(PROFILE)
        assert seen is None or seen.unit == UNITS[row.key], row.key
