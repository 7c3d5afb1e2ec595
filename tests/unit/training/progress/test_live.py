from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from profiler.values.estimate import Basis
from tests.unit.training.progress.watched import FOLDER, RECIPE, StandingGauge, progress, show_run
from training.progress.live import REDRAW_PERIOD_S, LiveView, pack


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def terminal(width: int = 100, file: io.StringIO | None = None) -> Console:
    return Console(
        file=file or io.StringIO(), force_terminal=True, width=width, height=24,
        color_system=None, legacy_windows=False,
    )  # fmt: skip


def foot(view: LiveView, width: int = 100) -> str:
    """What stands at the foot of a terminal."""
    console = terminal(width)
    console.print(view)
    return console.file.getvalue()


def begun(console: Console | None = None, now_s: Hand | None = None) -> LiveView:
    view = LiveView(console or terminal(), now_s or Hand())
    view.begin(RECIPE, folder=FOLDER, description="digits, cpu", gauge=StandingGauge())
    return view


def test_the_foot_has_every_number_with_its_basis():
    view = begun()
    view.epoch(progress(2, Basis.ASSUMED))
    view.step(3, 0.5)
    text = foot(view)
    view.close()
    for part in (
        "lightweight on digits, cpu", "epoch 3/4", "62 %", "loss 0.5", "91.2 % (validation)",
        "3,610 images/s", "40.0 W (estimated)", "250 J (assumed) so far", "25.0 mg CO2e (quoted)",
        "4 s and 150 J (estimated) left",
    ):  # fmt: skip
        assert part in text


def test_joules_and_grams_are_those_of_this_moment_not_of_the_last_epoch():
    view = begun()
    view.epoch(progress(2))
    text = foot(view)
    view.close()
    assert "250 J (assumed) so far" in text
    assert "25.0 mg" in text
    assert "200 J so far" not in text


def test_a_finished_epoch_scrolls_into_the_history():
    console = terminal()
    view = begun(console)
    view.epoch(progress(1))
    view.close()
    assert "epoch 1/4   loss 1   accuracy 91.2 % (validation)" in console.file.getvalue()


def test_a_stage_is_shown_until_training_goes_on():
    view = begun()
    view.stage("compiling")
    assert "compiling" in foot(view)
    view.step(1, 0.1)
    assert "compiling" not in foot(view)
    view.close()


def test_the_end_of_a_stage_is_drawn_at_once():
    console = terminal()
    view = begun(console)
    view.stage("warming up")
    view.step(1, 0.0)
    assert "warming up" in console.file.getvalue()
    assert "warming up" not in console.file.getvalue().rpartition("epoch 1/4")[2]
    view.close()


def test_joules_go_on_during_a_stage_a_few_times_a_second_at_most():
    hand, console = Hand(), terminal()
    view = begun(console, hand)
    view.stage("evaluating")
    before = len(console.file.getvalue())
    view.tick()
    assert len(console.file.getvalue()) == before
    hand.now_s += REDRAW_PERIOD_S
    view.tick()
    drawn = console.file.getvalue()[before:]
    assert "evaluating" in drawn
    assert "250 J (assumed) so far" in drawn
    view.close()


def test_steps_redraw_a_few_times_a_second_at_most():
    hand, console = Hand(), terminal()
    view = begun(console, hand)
    view.step(1, 0.0)
    before = len(console.file.getvalue())
    for step in range(1000):
        view.step(1, step / 1000)
    assert len(console.file.getvalue()) == before
    hand.now_s += REDRAW_PERIOD_S
    view.step(1, 1.0)
    assert len(console.file.getvalue()) > before
    view.close()


@pytest.mark.parametrize("width", [1, 5, 10, 20, 40, 79, 200])
def test_no_line_is_wider_than_the_terminal(width):
    view = begun()
    view.epoch(progress(2, Basis.ASSUMED))
    text = foot(view, width)
    view.close()
    assert max(map(len, text.splitlines())) <= width


def test_at_40_columns_every_number_is_still_there():
    view = begun()
    view.epoch(progress(2, Basis.ASSUMED))
    text = foot(view, 40)
    view.close()
    for part in ("epoch 3/4", "loss 0.5", "91.2 %", "40.0 W (estimated)", "250 J (assumed) so far"):
        assert part in text
    assert "4 s and 150 J (estimated) left" in text


@given(
    st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30), max_size=12),
    st.integers(1, 120),
)
def test_packing_keeps_every_fact_in_order_and_fills_no_line_too_far(facts, width):
    lines = pack(facts, width)
    assert "   ".join(lines) == "   ".join(facts)
    assert all(len(line) <= width or line in facts for line in lines)


def test_markup_in_a_name_is_text():
    view = LiveView(terminal(), Hand())
    show_run(view, model="[red]nets[bold]:Net")
    assert "[red]nets[bold]:Net on digits" in foot(view)


def test_a_name_cannot_move_the_cursor():
    view = LiveView(terminal(), Hand())
    show_run(view, model="bad\x1b[2Jname")
    assert "\x1b[2J" not in foot(view)


def test_closing_leaves_the_cursor_visible_and_the_foot_erased():
    console = terminal()
    show_run(LiveView(console, Hand()))
    written = console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


class ClosedTerminal(io.StringIO):
    """A terminal whose window is closed after some writes."""

    left = 3

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "Input/output error")
        return super().write(text)


@pytest.mark.parametrize("writes", range(12))
def test_a_terminal_that_is_closed_does_not_end_a_training(writes):
    file = ClosedTerminal()
    file.left = writes
    show_run(LiveView(terminal(file=file), Hand()))


def test_a_view_that_never_began_can_be_closed():
    LiveView(terminal(), Hand()).close()
