"""What the callbacks of all hosts offer their users."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from profiler.machine.carbon import carbon_factors
from profiler.recording.recording import Recording, record
from profiler.values.estimate import Estimate
from profiler.values.findings import Finding
from profiler.values.model_card import card_entry

from .harmless import Shield
from .job import JobEnergy

ENERGY_FILE = "energy.json"


class EnergyReport:
    """The joules of a job as `Estimate`s; mixed into each host's callback.

    Args:
        write: keep `energy.json` beside the run's logs, renewed while the job runs.
        record: makes the recording; `profiler.record` by default.
    """

    def __init__(self, *, write: bool = False, record: Callable[[], Recording] = record) -> None:
        super().__init__()
        self._write = write
        self._job = JobEnergy(record)

    @property
    def shield(self) -> Shield:
        """What went wrong inside the callback."""
        return self._job.shield

    def give_up(self) -> None:
        """Record no more; the joules of this job are not known then."""
        self._job.give_up()

    @property
    def energies(self) -> dict[str, Estimate | None]:
        """Joules of the whole ("fit", "train") and of its parts ("train_epoch 0", "validation 0").

        Training epochs do not contain the validation that runs inside them. None where no sensor
        saw it.
        """
        return self._job.energies

    @property
    def total(self) -> Estimate | None:
        """Joules of everything this callback recorded, the runs it resumed from included."""
        return self._job.total

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What to know before trusting the numbers."""
        return self._job.findings

    def summary(self) -> str:
        """The energies as text, one line each, and what to know about them."""
        return self._job.summary()

    def co2_eq_emissions(
        self,
        country: str | None = None,
        *,
        intensity_g_per_kwh: float | None = None,
        pue: float | None = None,
        training_type: str | None = None,
    ) -> dict[str, Any] | None:
        """The `co2_eq_emissions` entry of a model card on the Hugging Face Hub.

        Keys as in https://huggingface.co/docs/hub/model-cards-co2; what is not known is left out.

        Args:
            country: ISO 3166 alpha-3 code, looked up offline; the world mean is assumed without.
            intensity_g_per_kwh: of the electricity used, where it is known; wins over the country.
            pue: power usage effectiveness of the site; 1.0 is assumed without.
            training_type: "pre-training" or "fine-tuning".

        Returns:
            None where the joules are not known. `emissions` is in grams of CO2 equivalent.

        Raises:
            UsageError: unknown country, impossible intensity or PUE.
        """
        factors = carbon_factors(country=country, intensity_g_per_kwh=intensity_g_per_kwh, pue=pue)
        energy_j = self.total
        if energy_j is None:
            return None
        segments = self._job.segments
        return dict(
            card_entry(
                energy_j,
                factors,
                training_type=training_type,
                location=country,
                hardware=" + ".join(dict.fromkeys(s.hardware for s in segments if s.hardware)),
            )
        )

    def _write_to(self, find_folder: Callable[[], Path]) -> None:
        """Write the file if it was asked for, on the process that speaks for the job."""
        if self._write and self._job.place.is_first:
            with self.shield(f"write {ENERGY_FILE}"):
                self._job.write(find_folder() / ENERGY_FILE)


def for_loggers(values: dict[str, Estimate | None], prefix: str = "energy_j") -> dict[str, float]:
    """Floats for a host's logger: joules, and the share of them that no sensor measured.

    What was not seen is left out: a logger has no word for it.
    """
    known = {name: value for name, value in values.items() if value is not None}
    logged = {f"{prefix}/{name}": value.point for name, value in known.items()}
    if known:
        shares = [value.estimated_share for value in known.values()]
        logged[f"{prefix}/estimated_share"] = max(shares)
    return logged
