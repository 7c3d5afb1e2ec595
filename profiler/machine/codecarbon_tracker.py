"""CodeCarbon's own tracker beside a measurement, as a second opinion that disturbs nothing.

It runs in a process of its own, started by exec: importing it starts programs, touches NVML and
takes seconds. It is asked for everything that this machine draws (tracking mode "machine"), as the
sensors here see it too; its other mode follows the processes below its own, where the work is not.
It is offline, takes no lock file and has no terminal that sudo could ask on. Whatever happens to it
is a finding, and the measurement goes on.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from profiler.errors import StoreError
from profiler.meters.codecarbon_tables import package_folder
from profiler.meters.nvml_asleep import SleepingGpus
from profiler.values.codecarbon import GPU, TrackerReading
from profiler.values.estimate import Basis, Estimate, stated, weakest
from profiler.values.findings import Finding
from profiler.values.profile import CarbonFactors

SCRIPT = Path(__file__).with_name("codecarbon_process.py")
SWITCH = "WATTPROF_NO_CODECARBON"
READY_S = 60.0
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCarbonOptions:
    """How CodeCarbon's tracker is run.

    Args:
        country: ISO alpha-3 code, for its file alone: grams are those of the carbon factors.
        emissions_file: where it appends a row in its own format (emissions.csv); None for nowhere.
    """

    country: str | None = None
    emissions_file: Path | None = None


def codecarbon_options(
    *, is_wanted: bool, country: str | None = None, emissions_file: Path | None = None
) -> CodeCarbonOptions | None:
    """The options that a command line asks for; None where the tracker is to be left out.

    Raises:
        StoreError: the file cannot be written where it was asked for.
    """
    if not is_wanted or (os.environ.get(SWITCH) and emissions_file is None):
        return None
    if emissions_file is not None:
        folder = emissions_file.absolute().parent
        target = emissions_file if emissions_file.exists() else folder
        if emissions_file.is_dir() or not folder.is_dir() or not os.access(target, os.W_OK):
            raise StoreError(
                f"'{emissions_file}' cannot be written",
                hint="name a file in a folder of yours with --emissions",
            )
    return CodeCarbonOptions(
        country=None if country is None else country.upper(), emissions_file=emissions_file
    )


class CodeCarbonTracker:
    """One span of one measurement. Made without options it does nothing.

    As a context it launches the process, which gets ready meanwhile, and ends it in any case.

    Args:
        options: None to leave it out.
        gpu_identities: UUIDs of the GPUs to account for; others on the machine are left alone.
        carbon: factors from joules to grams.
        name: of the project in its file.
        script: what is run.
        ready_s: how long it may take to get ready.
        answer_s: how long it may take to start and to stop.
        sleeping: the kernel's view of the GPUs; of this machine if not given.
    """

    def __init__(
        self,
        options: CodeCarbonOptions | None,
        *,
        gpu_identities: Sequence[str] = (),
        carbon: CarbonFactors,
        name: str = "wattprof",
        script: Path = SCRIPT,
        ready_s: float = READY_S,
        answer_s: float = ANSWER_S,
        sleeping: SleepingGpus | None = None,
    ) -> None:
        self._sleeping = sleeping or SleepingGpus()
        self.findings: tuple[Finding, ...] = ()
        self.reading: TrackerReading | None = None
        self._options = options
        self._gpu_identities = tuple(gpu_identities)
        self._carbon = carbon
        self._name = name
        self._script = script
        self._ready_s, self._answer_s = ready_s, answer_s
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._is_ready = False

    def __enter__(self) -> CodeCarbonTracker:
        if self._options is None:
            return self
        if package_folder() is None or not sys.executable:
            self._lose("CodeCarbon is not installed", "pip install 'codecarbon>=3.2'")
            return self
        if self._sleeping.all_asleep():
            self._lose("it would wake the NVIDIA GPUs, which are asleep")
            return self
        words = [sys.executable, "-P", str(self._script), json.dumps(self._settings())]
        try:
            # A session of its own: Ctrl-C at the terminal is for the work, not for this.
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._lose(f"its process cannot be started ({error.strerror})")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def wait_ready(self) -> None:
        """Wait until the process has done everything slow, so that it is quiet from here on."""
        if self._process is not None and not self._is_ready:
            self._is_ready = self._answer("ready", self._ready_s) is not None

    @contextmanager
    def tracking(self) -> Iterator[None]:
        """Track the enclosed code; `reading` and `findings` are there afterwards.

        Code that raises is not waited for: the process is ended with the context.
        """
        self.wait_ready()
        self._ask("start", "started")
        yield
        answer = self._ask("stop", "stopped")
        if answer is not None:
            self._take(answer)
        self._end()

    def _settings(self) -> dict[str, Any]:
        assert self._options is not None
        folder, file = package_folder(), self._options.emissions_file
        return {
            "parent": os.getpid(),
            "package_parent": str(folder.parent if folder else ""),
            "project_name": self._name,
            "country": self._options.country,
            "intensity_g_per_kwh": self._carbon.intensity_g_per_kwh.point,
            "pue": self._carbon.pue.point,
            "gpu_identities": list(self._gpu_identities),
            "output_dir": None if file is None else str(file.absolute().parent),
            "output_file": None if file is None else file.name,
        }

    def _ask(self, word: str, event: str) -> dict[str, Any] | None:
        process = self._process
        if process is None or process.stdin is None:
            return None
        with suppress(BrokenPipeError):  # it has ended: what it said last is read below
            process.stdin.write(f"{word}\n".encode())
            process.stdin.flush()
        return self._answer(event, self._answer_s)

    def _answer(self, event: str, patience_s: float) -> dict[str, Any] | None:
        """What it answers; None, with a finding and the process ended, where that is not it."""
        try:
            line = self._line(patience_s)
        except TimeoutError:
            self._lose(f"it did not say {event!r} within {patience_s:g} s")
            return None
        if not line:
            self._lose(f"its process ended by itself ({self._exit()})")
            return None
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or answer.get("event") != event:
            reason = answer.get("reason") if isinstance(answer, dict) else None
            self._lose(reason or f"it said {line.decode(errors='replace')!r}")
            return None
        return answer

    def _exit(self) -> str:
        """How a process ended that has closed its pipe."""
        assert self._process is not None
        try:
            return f"exit code {self._process.wait(self._answer_s)}"
        except subprocess.TimeoutExpired:
            return "it closed its output"

    def _line(self, patience_s: float) -> bytes:
        """The next line, or what there was when its end closed; `TimeoutError` after a while."""
        assert self._process is not None
        assert self._process.stdout is not None
        pipe, deadline_s = self._process.stdout.fileno(), time.monotonic() + patience_s
        while b"\n" not in self._unread:
            left_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([pipe], [], [], left_s)[0]:
                raise TimeoutError
            block = os.read(pipe, 65536)
            if not block:
                break
            self._unread += block
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _take(self, answer: dict[str, Any]) -> None:
        """Turn its account into numbers with their bases; say what is missing in it."""
        self.reading = reading_of(answer, self._carbon, self._gpu_identities)
        complaint = f": {answer['complaint']}" if answer["complaint"] else ""
        unseen = {"cpu", "ram", *((GPU,) if self._gpu_identities else ())} - {*answer["parts"]}
        for device in sorted(unseen):
            self._note("codecarbon-unseen", f"CodeCarbon's tracker did not see {device}{complaint}")
        if self.reading.emissions_g is None:
            observed = "CodeCarbon's gCO2e are left out: it went by a carbon intensity of its own"
            self._note("codecarbon-intensity", observed, "pip install --upgrade codecarbon")
        file = self._options.emissions_file if self._options else None
        if file is not None and not answer["is_file_written"]:
            self._note("codecarbon-file", f"CodeCarbon could not write '{file}'{complaint}")

    def _lose(self, reason: str, remedy: str = "") -> None:
        self._note(
            "codecarbon-lost",
            f"CodeCarbon's tracker gives no second opinion: {reason}",
            remedy or "the measurement is whole without it; --no-codecarbon leaves it out",
        )
        self._end()

    def _note(self, kind: str, observed: str, remedy: str = "") -> None:
        self.findings += (Finding(kind=kind, observed=observed, remedy=remedy),)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # a word that it no longer read
                    pipe.close()


def reading_of(
    answer: dict[str, Any], carbon: CarbonFactors, gpu_identities: Sequence[str]
) -> TrackerReading:
    """What the process said at the end, as numbers with basis and source."""
    name = f"CodeCarbon {answer['version']}'s tracker"
    grams, own = answer["emissions_g"], "resource usage of its process"
    parts = {device: _part(part, name) for device, part in answer["parts"].items()}
    factors = (carbon.intensity_g_per_kwh, carbon.pue)
    basis = weakest(number.basis for number in (*parts.values(), *factors))
    return TrackerReading(
        version=answer["version"],
        tracking_mode=answer["tracking_mode"],
        start_s=answer["start_s"],
        end_s=answer["end_s"],
        parts=parts,
        gpu_identities=tuple(gpu_identities),
        emissions_g=None
        if grams is None
        else stated(grams, "g", basis, f"{name} x {carbon.intensity_g_per_kwh.source}"),
        cpu_s=stated(answer["cpu_s"], "s", Basis.MEASURED, own),
        startup_cpu_s=stated(answer["startup_cpu_s"], "s", Basis.MEASURED, own),
    )


def _part(part: dict[str, Any], name: str) -> Estimate:
    basis = Basis.MEASURED if part["is_measured"] else Basis.ESTIMATED
    return stated(part["energy_kwh"], "kWh", basis, f"{name}: {part['how']}")
