from profiler.values.plain_text import some_of


def test_a_long_list_tells_three_names_and_how_many_more() -> None:
    assert some_of(["a", "b", "c"]) == "a, b, c"
    assert some_of([f"optimizer.{number}" for number in range(44)]) == (
        "optimizer.0, optimizer.1, optimizer.2 and 41 more"
    )
