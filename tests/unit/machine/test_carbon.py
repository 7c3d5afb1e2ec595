import math

import pytest

from profiler.errors import UsageError
from profiler.machine.carbon import carbon_factors
from profiler.values.estimate import Basis


def test_without_a_place_the_world_mean_and_no_overhead_are_assumed():
    factors = carbon_factors()
    assert factors.intensity_g_per_kwh.point == 475
    assert factors.pue.point == 1
    assert factors.intensity_g_per_kwh.basis is factors.pue.basis is Basis.ASSUMED
    assert "--country" in factors.intensity_g_per_kwh.source


def test_a_country_is_quoted_from_codecarbons_table_in_any_case():
    upper, lower = carbon_factors(country="DEU"), carbon_factors(country="deu")
    assert upper == lower
    assert upper.intensity_g_per_kwh.basis is Basis.QUOTED
    assert 100 < upper.intensity_g_per_kwh.point < 700
    assert "Germany" in upper.intensity_g_per_kwh.source


def test_a_given_intensity_wins_over_the_country():
    assert carbon_factors(country="FRA", intensity_g_per_kwh=0).intensity_g_per_kwh.point == 0


@pytest.mark.parametrize("country", ["XXX", "", "Germany", "D", "12"])
def test_an_unknown_country_is_a_usage_error_with_its_value(country):
    with pytest.raises(UsageError, match="not in CodeCarbon's table") as caught:
        carbon_factors(country=country)
    assert repr(country) in caught.value.message


def test_an_unknown_country_comes_with_the_nearest():
    with pytest.raises(UsageError, match=r"near: .*DEU"):
        carbon_factors(country="DEUT")


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, 10_000.0])
def test_an_impossible_intensity_is_refused(value):
    with pytest.raises(UsageError, match="carbon intensity"):
        carbon_factors(intensity_g_per_kwh=value)


@pytest.mark.parametrize("value", [0.0, 0.99, -1.0, math.nan, math.inf, 10.0])
def test_an_impossible_pue_is_refused(value):
    with pytest.raises(UsageError, match="PUE"):
        carbon_factors(pue=value)
