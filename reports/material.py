"""What a report is made of: runs and trainings, from any mix of folders that hold such."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiler.errors import StoreError
from profiler.store import load_named
from profiler.values.plain_text import clean
from profiler.values.profile import Profile
from training.run_folder import RESULT

from .studies.results import evaluated_runs, networks_of_study
from .studies.study_folder import STUDY, StoredStudy, read_study
from .trainings import TrainedModel, load_trainings, read_training

PROFILE = "profile.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Everything below the folders that a report was asked of.

    Args:
        runs: what each run is called, and its profile.
        trained: finished trainings, those that differ in their seed alone together.
        unfinished: folders of trainings that were interrupted, and are left out.
        studies: those that some of the runs and trainings belong to.
    """

    runs: tuple[tuple[str, Profile], ...]
    trained: tuple[TrainedModel, ...]
    unfinished: tuple[Path, ...] = ()
    studies: tuple[StoredStudy, ...] = ()

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The profiles of the runs."""
        return tuple(profile for _, profile in self.runs)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """What the runs are called."""
        return tuple(name for name, _ in self.runs)


def gather(
    references: Sequence[str], root: str | Path = "runs", *, with_traces: bool = False
) -> Gathered:
    """Read runs, trainings and whatever folders hold some of both.

    Args:
        references: folders of runs, trainings, experiments or studies, or folders that hold such;
            JSON files of runs; parts of the names of runs under `root`.
        root: where names are looked for.
        with_traces: whether the raw readings are read as well.

    Raises:
        StoreError: one of them holds neither, or cannot be read.
        ReportDataError: two trainings are the same.
    """
    runs: dict[Path, Path] = {}
    named: list[tuple[str, Profile]] = []
    results: list[Path] = []
    studies: dict[Path, StoredStudy] = {}
    for reference in references:
        folder = Path(reference)
        if not folder.is_dir():
            named += load_named(reference, root, with_traces=with_traces)
            continue
        inside, trained = list(_below(folder, PROFILE)), list(_below(folder, RESULT))
        studied = {path.resolve(): read_study(path) for path in _below(folder, STUDY)}
        if not (inside or trained or studied):
            raise StoreError(
                f"'{clean(reference)}' holds neither a run nor a finished training",
                hint=f"name a folder with {PROFILE} or {RESULT} in it or below it",
            )
        studies.update(studied)
        # What a study's own cells no longer name, an older plan of it left there.
        runs.update({path.resolve(): path for path in inside if not _is_in(studied, path)})
        results += [path for path in trained if not _is_in(studied, path)]
    for path in runs.values():
        named += load_named(path, root, with_traces=with_traces)
    for study in studies.values():
        for network in networks_of_study(study, with_traces=with_traces):
            named += evaluated_runs(network)
        results += filter(None, map(study.training_of, study.document.cells))
    begun = {path.resolve(): path for path in results}.values()
    finished = [path for path in begun if read_training(path) is not None]
    return Gathered(
        runs=tuple(named),
        trained=load_trainings(finished) if finished else (),
        unfinished=tuple(path for path in begun if path not in finished),
        studies=tuple(studies.values()),
    )


def _is_in(folders: Collection[Path], path: Path) -> bool:
    return not set(path.resolve().parents).isdisjoint(folders)


def _below(folder: Path, name: str) -> Iterator[Path]:
    """Folders of that file below a folder, itself included; not what was cut short or hidden."""
    for file in sorted(folder.rglob(name)):
        parts = file.parent.relative_to(folder).parts
        if not any(part.startswith(".") or part.endswith(".partial") for part in parts):
            yield file.parent
