import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from profiler.values.estimate import Basis, Estimate, counted, stated
from profiler.values.units import (
    NOT_SEEN,
    show,
    show_count,
    show_duration,
    show_point,
    show_share,
    show_short,
)


def interval(point, low, high, unit):
    return Estimate(
        point=point,
        low=low,
        high=high,
        unit=unit,
        confidence=0.95,
        basis=Basis.MEASURED,
        source="test",
    )


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (interval(0.0123, 0.0121, 0.0125, "J"), "12.3 ± 0.2 mJ"),
        (interval(0.00123, 0.00120, 0.00131, "s"), "1.23 [1.20, 1.31] ms"),
        (interval(1.0, 0.985, 1.015, "J"), "1.000 ± 0.015 J"),
        (interval(0.99996, 0.985, 1.015, "J"), "1.000 ± 0.015 J"),
        (interval(560, 500, 590, "W"), "560 [500, 590] W"),
        (interval(1234, 1000, 1500, "W"), "1.2 ± 0.2 kW"),
        (interval(2e-5, 1.9e-5, 2.1e-5, "kWh"), "20.0 ± 1.0 mWh"),
        (interval(1.7, 1.6, 1.8, "kWh"), "1.70 ± 0.10 kWh"),
        (interval(2000, 1990, 2010, "s"), "2,000 ± 10 s"),
        (interval(0.421, 0.413, 0.429, "x"), "0.421 ± 0.008x"),
        (interval(0.0, 0.0, 0.0, "J"), "0 J"),
        (interval(-0.001, -0.0032, 0.0012, "J"), "-1 ± 2 mJ"),
        (interval(1.5, 0.0, math.inf, "J"), "1.5 [0.0, ∞] J"),
        (counted(555_422_720, "MAC", "test"), "555,422,720"),
        (counted(44_879_904, "B", "test"), "44.88 MB"),
        (counted(1.989501, "", "test"), "1.990"),
        (stated(0.42, "x", Basis.QUOTED, "test"), "0.42x"),
        (stated(369.0, "g/kWh", Basis.QUOTED, "test"), "369 g/kWh"),
        (stated(math.inf, "J", Basis.QUOTED, "test"), "∞ J"),
    ],
)
def test_a_number_is_shown_with_the_digits_its_interval_supports(estimate, text):
    assert show(estimate) == text


def test_what_was_not_seen_is_never_shown_as_zero():
    assert show(None) == show_short(None) == show_point(None) == NOT_SEEN
    assert show_count(None) == show_share(None) == NOT_SEEN
    assert show_count(0) == "0"


def test_short_counts_keep_four_digits():
    assert show_short(counted(555_422_720, "MAC", "test")) == "555.4 M"
    assert show_short(counted(11_220_132, "", "test")) == "11.22 M"
    assert show_short(interval(0.0123, 0.0121, 0.0125, "J")) == "12.3 ± 0.2 mJ"


def test_a_point_keeps_its_unit_and_drops_its_interval():
    assert show_point(interval(0.0123, 0.0121, 0.0125, "J")) == "12.3 mJ"
    assert show_point(interval(0.00123, 0.00120, 0.00131, "s")) == "1.23 ms"
    assert show_point(interval(0.421, 0.413, 0.429, "x")) == "0.421x"
    assert show_point(interval(0.93, 0.92, 0.94, "")) == "0.930"
    assert show_point(counted(258_292, "", "test")) == "258,292"


@pytest.mark.parametrize(("share", "text"), [(0.031, "3.1 %"), (1.0, "100 %"), (0.0, "0 %")])
def test_a_share_is_shown_as_percent(share, text):
    assert show_share(share) == text


@given(
    point=st.floats(1e-9, 1e9),
    relative=st.floats(1e-5, 0.9),
    unit=st.sampled_from(["J", "s", "W", "g", "B", "x", ""]),
)
def test_the_last_digit_shown_is_no_finer_than_a_tenth_of_the_half_width(point, relative, unit):
    side = point * relative
    assume(side > 0)
    text = show(interval(point, point - side, point + side, unit))
    number, error = text.split(" ± ")
    error = error.split(" ")[0].removesuffix("x")
    decimals = len(number.partition(".")[2])
    shown_error = float(error.replace(",", ""))
    assert len(error.partition(".")[2]) == decimals
    assert 10.0**-decimals <= shown_error * 1.0001
    assert shown_error > 0


@given(st.floats(allow_nan=False), st.sampled_from(["J", "s", "kWh", "B", "item/s", ""]))
def test_every_float_can_be_shown(value, unit):
    assert show(stated(value, unit, Basis.QUOTED, "test"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, NOT_SEEN),
        (0.0, "0 s"),
        (0.3, "under 1 s"),
        (12.4, "12 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185.0, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (3725.0, "1 h 02 min"),
        (360_000.0, "100 h 00 min"),
    ],
)
def test_a_duration_is_told_as_people_plan_their_day(seconds, text):
    assert show_duration(seconds) == text
