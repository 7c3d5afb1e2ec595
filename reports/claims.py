"""What the source studies claim, read from `claims/*.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from profiler.values.estimate import Basis, Estimate

from .data_error import ReportDataError
from .metrics import METRICS, TRAINING_METRICS
from .toml_file import TomlTable, files_in, read_toml

FOLDER = Path(__file__).parent / "claims"


class Status(StrEnum):
    """How sure a remark about a claim is."""

    CHECKED = "checked"
    INFERRED = "inferred"
    QUOTED = "quoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNote:
    """A remark about claims.

    Args:
        id: name by which claims refer to it.
        status: checked (recomputed here), inferred (concluded from the numbers), quoted.
        text: the remark.
    """

    id: str
    status: Status
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One figure of a study.

    Args:
        id: unique within the study.
        about: the model it is about, by its name in the zoo where it has one.
        versus: the model it is a ratio to (about / versus); None for a figure by itself.
        dataset: what the study trained on.
        label: what the figure is, in words.
        setting: circumstances the study states ("100 epochs"); None for none.
        epochs: the only length of training to compare with; None for every one.
        device: the only device to compare with: the end of its name, or CPU; None for every one.
        metric: key of `METRICS` or `TRAINING_METRICS` that measures the same; None where nothing
            does.
        batch_size: the only batch size to compare with; None for every one.
        value: the figure in `unit`; None where only a range is stated.
        low: lower end of a stated range.
        high: upper end of a stated range.
        unit: as the study writes it.
        factor: what one `unit` is in the unit of `metric`.
        method: how the study came to it.
        here: how it is measured here.
        notes: remarks that must stand beside it.
    """

    id: str
    about: str
    versus: str | None
    dataset: str
    label: str
    setting: str | None
    epochs: int | None
    device: str | None
    metric: str | None
    batch_size: int | None
    value: float | None
    low: float | None
    high: float | None
    unit: str
    factor: float
    method: str
    here: str
    notes: tuple[ClaimNote, ...]

    def text(self) -> str:
        """The figure as the study writes it: "2 to 5 ms", "258,292"."""
        if self.value is not None:
            number = _plain(self.value)
        else:
            number = f"{_plain(self.low or 0.0)} to {_plain(self.high or 0.0)}"
        return f"{number}{'' if self.unit == 'x' else ' '}{self.unit}".rstrip()

    def estimate(self, unit: str) -> Estimate:
        """The figure in the unit of its metric; of a bare range, the middle within its ends."""
        low, high = self.low, self.high
        value = self.value
        if value is None:
            value = ((low or 0.0) + (high or 0.0)) / 2
        return Estimate(
            point=value * self.factor,
            low=None if low is None else low * self.factor,
            high=None if high is None else high * self.factor,
            unit=unit,
            confidence=None,
            basis=Basis.QUOTED,
            source="the study",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A publication: its title, and what it claims."""

    id: str
    title: str
    claims: tuple[Claim, ...]


def load_claims(folder: Path = FOLDER) -> tuple[Study, ...]:
    """Every study of a folder.

    Raises:
        ReportDataError: a file is not as it must be; the message names file and field.
    """
    return tuple(read_study(file) for file in files_in(folder))


def read_study(file: Path) -> Study:
    """One study.

    Raises:
        ReportDataError: the file is not as it must be; the message names file and field.
    """
    document = read_toml(file)
    head = document.table("study")
    notes = {note.id: note for note in map(_note, document.tables("note"))}
    claims = tuple(_claim(table, notes) for table in document.tables("claim"))
    study = Study(id=head.text("id"), title=head.text("title"), claims=claims)
    head.end()
    document.end()
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ReportDataError(f"{file.name} has two claims '{claim.id}'")
        seen.add(claim.id)
    return study


def _note(table: TomlTable) -> ClaimNote:
    status = table.text("status")
    if status not in list(Status):
        raise ReportDataError(f"{table.place}: 'status' is none of {_listed(Status)}: {status!r}")
    note = ClaimNote(id=table.text("id"), status=Status(status), text=table.text("text"))
    table.end()
    return note


def _claim(table: TomlTable, notes: dict[str, ClaimNote]) -> Claim:
    batch_size, epochs = table.number("batch_size"), table.number("epochs")
    factor = table.number("factor")
    claim = Claim(
        id=table.text("id"),
        about=table.text("about"),
        versus=table.optional_text("versus"),
        dataset=table.text("dataset"),
        label=table.text("label"),
        setting=table.optional_text("setting"),
        epochs=None if epochs is None else int(epochs),
        device=table.optional_text("device"),
        metric=table.optional_text("metric"),
        batch_size=None if batch_size is None else int(batch_size),
        value=table.number("value"),
        low=table.number("low"),
        high=table.number("high"),
        unit=table.optional_text("unit") or "",
        factor=1.0 if factor is None else factor,
        method=table.text("method"),
        here=table.text("here"),
        notes=tuple(_named(name, notes, table) for name in table.texts("notes")),
    )
    table.end()
    _check_figure(claim, table.place)
    return claim


def _named(name: str, notes: dict[str, ClaimNote], table: TomlTable) -> ClaimNote:
    if name not in notes:
        raise ReportDataError(f"{table.place}: 'notes' names '{name}', which is no note")
    return notes[name]


def _check_figure(claim: Claim, place: str) -> None:
    if claim.metric is not None and claim.metric not in {**METRICS, **TRAINING_METRICS}:
        raise ReportDataError(f"{place}: 'metric' is no known quantity: '{claim.metric}'")
    if (claim.low is None) != (claim.high is None):
        raise ReportDataError(f"{place}: a range needs both 'low' and 'high'")
    if claim.value is None and claim.low is None:
        raise ReportDataError(f"{place} lacks 'value', or 'low' and 'high'")
    if claim.low is not None and claim.high is not None and claim.low > claim.high:
        raise ReportDataError(f"{place}: 'low' {claim.low} is above 'high' {claim.high}")
    if claim.factor <= 0:
        raise ReportDataError(f"{place}: 'factor' is not positive: {claim.factor}")


def _plain(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"


def _listed(words: type[StrEnum]) -> str:
    return ", ".join(words)
