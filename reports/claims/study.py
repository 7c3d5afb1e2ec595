"""What the source studies claim, read from `claims/*.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from profiler.values.codec import FormError, decode, encode
from profiler.values.estimate import Basis, Estimate
from reports.data_error import ReportDataError
from reports.toml_file import files_in, read_toml, wrong_in

from .metrics import ENTRY_METRICS, METRICS, TRAINING_METRICS

FOLDER = Path(__file__).parent
KNOWN_METRICS = METRICS.keys() | TRAINING_METRICS.keys() | ENTRY_METRICS.keys()
CLASS_COUNTS = {"CIFAR-10": 10, "CIFAR-100": 100}


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
class MacProxy:
    """What a claimed energy was computed from, as far as its numbers show.

    Args:
        mac_count: MACs of one inference, by the study's own count.
        pj_per_mac: picojoules of one.
    """

    mac_count: float
    pj_per_mac: float

    def __post_init__(self) -> None:
        for name in ("mac_count", "pj_per_mac"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"'{name}' is not positive: {getattr(self, name)}")


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
        metric: key of `METRICS`, `TRAINING_METRICS` or `ENTRY_METRICS` that measures the same; None
            where nothing does.
        batch_size: the only batch size to compare with; None for every one.
        value: the figure in `unit`; None where only a range is stated.
        low: lower end of a stated range.
        high: upper end of a stated range.
        unit: as the study writes it.
        factor: what one `unit` is in the unit of `metric`.
        method: how the study came to it.
        here: how it is measured here.
        proxy: of an energy that was computed from MACs, what from; None for any other figure.
        notes: remarks that must stand beside it.
    """

    id: str
    about: str
    versus: str | None = None
    dataset: str
    label: str
    setting: str | None = None
    epochs: int | None = None
    device: str | None = None
    metric: str | None = None
    batch_size: int | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    factor: float = 1.0
    method: str
    here: str
    proxy: MacProxy | None = None
    notes: tuple[ClaimNote, ...] = ()

    def __post_init__(self) -> None:
        for name in ("id", "about", "dataset", "label", "method", "here"):
            if not getattr(self, name):
                raise ValueError(f"'{name}' is empty")
        if self.metric is not None and self.metric not in KNOWN_METRICS:
            raise ValueError(f"'metric' is no known quantity: '{self.metric}'")
        if (self.low is None) != (self.high is None):
            raise ValueError("a range needs both 'low' and 'high'")
        if self.value is None and self.low is None:
            raise ValueError("there is neither 'value', nor 'low' and 'high'")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"'low' {self.low} is above 'high' {self.high}")
        if self.factor <= 0:
            raise ValueError(f"'factor' is not positive: {self.factor}")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClaimsFile:
    """A file of claims; each names its notes by their ids."""

    study: _Head
    note: tuple[ClaimNote, ...] = ()
    claim: tuple[Mapping[str, Any], ...] = ()


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
    stored = read_toml(file, _ClaimsFile)
    notes = {note.id: note for note in stored.note}
    try:
        claims = tuple(
            _claim(table, notes, f"claim[{index}]") for index, table in enumerate(stored.claim)
        )
    except FormError as error:
        raise wrong_in(file, error) from error
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ReportDataError(f"{file.name} has two claims '{claim.id}'")
        seen.add(claim.id)
    return Study(id=stored.study.id, title=stored.study.title, claims=claims)


def _claim(table: Mapping[str, Any], notes: Mapping[str, ClaimNote], where: str) -> Claim:
    """One claim, with the notes that its table names."""
    names = decode(table.get("notes", []), tuple[str, ...], f"{where}.notes")
    unknown = [name for name in names if name not in notes]
    if unknown:
        raise FormError(f"names '{unknown[0]}', which is no note", f"{where}.notes")
    named = [encode(notes[name]) for name in names]
    return decode({**table, "notes": named}, Claim, where, strict=True)


def _plain(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"
