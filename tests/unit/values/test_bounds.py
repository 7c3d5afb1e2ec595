import pytest

from profiler.errors import UsageError
from profiler.values.bounds import read_bound


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.5 mJ", "J", 0.5e-3),
        ("3ms", "s", 3e-3),
        (" 1.2 MB ", "B", 1.2e6),
        ("2 Wh", "J", 7200),
        ("0.7 Wh", "kWh", 0.7e-3),
        ("1 MJ", "kWh", 1e3 / 3600),
        ("5 µs", "s", 5e-6),
        ("90 %", "", 0.9),
        ("0.9", "", 0.9),
        ("1_000", "", 1000),
        ("12 M", "", 12e6),
        ("100 item/s", "item/s", 100),
        ("15 MMAC", "MAC", 15e6),
    ],
)
def test_a_bound_is_brought_to_the_unit_of_its_quantity(text, unit, value):
    assert read_bound(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("mJ", "J"), ("-1 J", "J"), ("0 J", "J"), ("nan J", "J"), ("3 ms", "J"), ("3", "s"),
     ("1e999 J", "J"), ("3 Js", "J"), ("5 xJ", "J"), ("90 %", "s"), ("3 m", "")],
)  # fmt: skip
def test_what_is_no_bound_is_refused_with_an_example(text, unit):
    with pytest.raises(UsageError) as refused:
        read_bound(text, unit)
    assert text in refused.value.message
    assert refused.value.hint.startswith("write a number and its unit: ")
