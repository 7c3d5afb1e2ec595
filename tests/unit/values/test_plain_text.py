from profiler.values.plain_text import few_digits, some_of
from profiler.values.repetition_findings import budget_ended


def test_a_long_list_tells_three_names_and_how_many_more() -> None:
    assert some_of(["a", "b", "c"]) == "a, b, c"
    assert some_of([f"optimizer.{number}" for number in range(44)]) == (
        "optimizer.0, optimizer.1, optimizer.2 and 41 more"
    )


def test_a_number_that_is_rounded_has_no_exponent() -> None:
    assert [few_digits(value) for value in (123.4, 2.0, 0.0123)] == ["120", "2", "0.012"]
    assert few_digits(12345.0, 3) == "12300"
    assert "±120 %" in budget_ended({"the ratio": 1.21}, 0.02, 3.0).observed
