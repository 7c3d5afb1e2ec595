"""Tables in a terminal, in a paper, and in a CSV."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from dataclasses import replace

import pandas
import pytest

from profiler.errors import UsageError
from profiler.render import Column, Document, Section, Table
from profiler.render.document import Record
from profiler.render.formats import render_document, render_profiles
from profiler.render.formats.text import table_text
from profiler.render.labels import labels_of
from profiler.render.paper_table import as_table, paper_table
from profiler.render.report import tell
from profiler.values.estimate import Basis, Estimate
from tests.sample import measured, resnet18, sample_profile

TABLE = Table(
    caption="Layers",
    columns=(
        Column(label="layer"),
        Column(label="kind", leaves=2),
        Column(label="energy", role="number"),
        Column(label="bytes", role="number", leaves=1),
    ),
    rows=(("a layer of a long name " * 3, "Conv2d", "12.3 ± 0.2 mJ", "12.1 kB"),),
)


def test_columns_leave_in_their_order_until_a_table_fits() -> None:
    whole = table_text(TABLE, None)
    assert "kind" in whole
    assert "not shown" not in whole
    for width, gone in ((60, ""), (38, "bytes"), (26, "kind, bytes")):
        lines = table_text(TABLE, width).splitlines()
        assert max(map(len, lines)) <= width
        told = " ".join(" ".join(lines).split())
        assert told.endswith(f"not shown (--wide shows all): {gone}") == bool(gone)
        assert "12.3 ± 0.2 mJ" in told


def test_a_column_that_never_leaves_stays_on_the_narrowest_page() -> None:
    assert "12.3 ± 0.2 mJ" in table_text(TABLE, 10)


LONG_NAME = "ensemble(resnet18+groups=4,resnet18+groups=8,resnet18+depthwise)+int8, distilled"


@pytest.mark.parametrize("name", ["lightweight", LONG_NAME])
def test_a_report_keeps_to_the_page(name: str) -> None:
    second = replace(sample_profile(), name=name)
    text = render_profiles([resnet18(), second, sample_profile(batch_size=1)], "text")
    assert max(map(len, text.splitlines())) <= 80


def test_a_reference_breaks_between_its_parts() -> None:
    table = Table(
        caption="Runs",
        columns=(Column(label="run"), Column(label="energy", role="number")),
        rows=((LONG_NAME, "12.3 ± 0.2 mJ"),),
    )
    lines = [line[:24].rstrip() for line in table_text(table, 40).splitlines()[3:]]
    assert lines == [
        "ensemble(resnet18+",
        "groups=4,resnet18+",
        "groups=8,resnet18+",
        "depthwise)+int8,",
        "distilled",
    ]


@pytest.fixture(scope="module")
def frame() -> pandas.DataFrame:
    document = tell(
        [resnet18(), replace(sample_profile(cpu=True), name="resnet18")], run_ids=["a", "b"]
    )
    record = Record(
        run_id="trained",
        kind="training",
        facts={"model": "lightweight", "seed": 3},
        figures={"energy_j": measured(5, 0, "J")},
    )
    text = render_document(replace(document, records=(record,)), "csv")
    return pandas.read_csv(io.StringIO(text))


def test_a_csv_row_says_by_itself_what_it_is_of(frame: pandas.DataFrame) -> None:
    key = ["run_id", "kind", "part", "layer", "quantity"]
    assert not frame.duplicated(key).any()
    seen = frame[frame.run_id == "b"].iloc[0]
    assert (seen["name"], seen["threads"], seen["data"]) == ("resnet18", 1, "digits")
    assert (seen["input_shape"], seen["runtime"]) == ("128x3x32x32", "eager")
    assert (seen["country"], seen["findings"]) == ("CodeCarbon 2023, USA", "estimate-only")


def test_a_csv_comes_back_through_pandas(frame: pandas.DataFrame) -> None:
    whole = frame[frame.part.isna() & frame.layer.isna() & (frame.kind == "run")]
    wide = whole.pivot(index="run_id", columns="quantity", values="value")
    assert wide.loc["a", "energy_j"] == resnet18().energy_j.point
    parts = frame[(frame.run_id == "b") & (frame.quantity == "energy_j") & frame.part.notna()]
    assert sorted(parts.part) == ["cpu", "ram"]
    assert parts.value.sum() == pytest.approx(wide.loc["b", "energy_j"])
    layers = frame[(frame.run_id == "a") & frame.layer.notna()]
    macs = layers[layers.quantity == "mac_count"]
    assert macs.value.sum() == sum(layer.mac_count for layer in resnet18().layers)
    trained = frame[frame.kind == "training"].iloc[0]
    assert (trained["seed"], trained["value"]) == (3, 5.0)


def test_a_paper_table_has_one_unit_a_column_and_numbers_that_siunitx_reads() -> None:
    text = render_profiles([resnet18(), sample_profile()], "latex")
    assert r"\usepackage{booktabs}" in text
    assert r"\usepackage{siunitx}" in text
    rows = [line for line in text.splitlines() if re.match(r"(resnet18|lightweight) &", line)]
    assert rows == [
        r"resnet18 & 70 & 555.5 & 36.0 +- 0.5 & {--} \\",
        r"lightweight & 70 & 12.16 & 2.44 +- 0.03 & 0.068 +- 0.002 \\",
    ]
    assert text.count(r"\begin{tabular}") == 1
    assert r"\label{tab:joules}" in text


def test_the_columns_and_the_baseline_are_chosen() -> None:
    profiles = [resnet18(), sample_profile()]
    keys = ["latency_per_item_s", "energy_ratio"]
    paper = paper_table(profiles, labels_of(profiles), keys=keys, baseline="lightweight")
    assert [(column.heading, column.unit) for column in paper.columns] == [
        ("latency", "µs"),
        ("energy ratio", ""),
    ]
    assert paper.columns[1].cells[1] is None
    assert paper.columns[1].cells[0].point == pytest.approx(4.61 / 0.312)
    assert as_table(paper).rows[0][1] == "81.2 ± 1.0"


def test_an_unknown_column_or_run_is_named_with_what_there_is() -> None:
    profiles = [resnet18(), sample_profile()]
    with pytest.raises(UsageError, match="no column 'joules'"):
        paper_table(profiles, labels_of(profiles), keys=["joules"])
    with pytest.raises(UsageError, match="no run is called 'vgg'") as caught:
        paper_table(profiles, labels_of(profiles), baseline="vgg")
    assert "lightweight" in (caught.value.hint or "")
    twice = [resnet18(), replace(resnet18(), created_utc="2026-11-23T01:30:00Z")]
    with pytest.raises(UsageError, match="2 runs are called"):
        paper_table(twice, labels_of(twice), baseline="resnet18")


def test_an_interval_that_is_not_even_stands_in_braces() -> None:
    uneven = Estimate(
        point=1.0, low=0.9, high=2.0, unit="J", confidence=0.95, basis=Basis.MEASURED, source="s"
    )
    profiles = [replace(resnet18(), energy_j=uneven.scaled(128, "J"))]
    assert "{1.00 {[}0.90, 2.00{]}}" in render_profiles(profiles, "latex")


def test_long_tables_go_on_over_pages_and_wide_ones_leave_columns_out() -> None:
    columns = tuple(Column(label=f"c{n}", leaves=n) for n in range(12))
    long = Table(caption="t", columns=columns, rows=(("x_1",) * 12,) * 41)
    document = Document(title="t", lead=(), sections=(Section(title="s", tables=(long,)),))
    text = render_document(document, "latex")
    assert r"\usepackage{longtable}" in text
    assert "% Left out, for the width of a page: c1, c2, c3" in text
    assert text.count("&") == 8 * 42


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
def test_the_table_compiles(tmp_path) -> None:
    table = render_profiles([resnet18(), sample_profile()], "latex")
    lines = [r"\documentclass{article}", r"\usepackage{booktabs,siunitx}", r"\begin{document}"]
    (tmp_path / "paper.tex").write_text("\n".join([*lines, table, r"\end{document}"]))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search(r"Overfull \\hbox", done.stdout)
