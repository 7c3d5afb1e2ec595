from __future__ import annotations

import io

import pytest
from rich.console import Console

from reports.studies.cell import Cell, CellEnd, CellKind, CellState
from reports.studies.view import LiveWatch, PlainWatch, choose_watch


def cell(number: int) -> Cell:
    return Cell(name=f"measure-{number}", kind=CellKind.MEASURE, models=("m",), device="cpu")


def end(state: CellState = CellState.FINISHED, reason: str = "") -> CellEnd:
    return CellEnd(
        code="", state=state, command=(), started_utc="", duration_s=32.0, device="cpu",
        engine="local", reason=reason,
    )  # fmt: skip


CELLS = [cell(number) for number in range(40)]


def table_of(watch: LiveWatch) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(watch._table(0.0))
    return console.file.getvalue()


def test_the_table_has_what_runs_first_and_fits_the_terminal() -> None:
    watch = LiveWatch(lambda _: "", ())
    try:
        watch.begin(CELLS, {"measure-0": end()})
        watch.look(["measure-7"])
        lines = table_of(watch).splitlines()
        assert "1 of 40 cells done; about" in lines[0]
        rows = [line for line in lines if "measure-" in line]
        assert "measure-7" in rows[0]
        assert "running" in rows[0]
        assert len(lines) <= 25
        assert "more that wait" in lines[-1]
        watch.ended(cell(7), end())
        assert "measure-7" not in table_of(watch)
    finally:
        watch.close()


def test_without_a_terminal_each_cell_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    watch = choose_watch(lambda _: "12 mJ", (), quiet=False)
    assert type(watch) is PlainWatch
    watch.begin(CELLS[:2], {})
    watch.ended(cell(0), end())
    watch.ended(cell(1), end(CellState.FAILED, "no \x1b[31mmodel"))
    assert capsys.readouterr().err.splitlines() == [
        "0 of 2 cells done; about 1 min 24 s left",
        "1/2 measure-0: 32 s, 12 mJ",
        "2/2 measure-1: failed: no  [31mmodel",
    ]


def test_quiet_tells_failures_alone(capsys: pytest.CaptureFixture[str]) -> None:
    watch = choose_watch(lambda _: "", (), quiet=True)
    watch.begin(CELLS[:2], {})
    watch.ended(cell(0), end())
    watch.ended(cell(1), end(CellState.FAILED, "gone"))
    assert capsys.readouterr().err == "2/2 measure-1: failed: gone\n"
