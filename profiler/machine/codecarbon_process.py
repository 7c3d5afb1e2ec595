"""CodeCarbon's own tracker, in a process of its own: `codecarbon_tracker` runs this file by path.

It imports nothing of `profiler`. It is told "start" and "stop" on stdin, a line each, and answers
with one JSON object a line: "ready" once everything slow is done, "started", and "stopped" with
what the tracker came to; or "failed" and why. It ends with its parent, however that ended.
"""

from __future__ import annotations

import inspect
import json
import logging
import math
import os
import resource
import sys
import threading
import time
from typing import IO, Any

WATCH_S = 0.5
SENSORS = {
    "intel_rapl": "RAPL",
    "windows_emi": "Windows EMI",
    "intel_power_gadget": "Intel Power Gadget",
}
MODELS = {"cpu_load": "load x TDP", "constant": "half the TDP at any load"}
GRAMS_PER_KG = 1000.0


class Complaints(logging.Handler):
    """Keeps the last thing that CodeCarbon complained of: it raises nothing, and logs instead."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = repr(error) if error is not None else record.getMessage()
        if text != "stopping.":
            self.last = " ".join(text.split())


class Keeper:
    """An output of the tracker that keeps the totals, whatever becomes of its file."""

    total: Any = None

    def out(self, total: Any, delta: Any) -> None:
        """Called when the tracker is stopped, before the file is written."""
        self.total = total

    live_out = task_out = lambda self, *values: None

    def exit(self) -> None: ...


def main() -> None:
    """Track one span, as the first argument (a JSON object) and stdin say."""
    settings = json.loads(sys.argv[1])
    threading.Thread(target=die_with, args=(settings["parent"],), daemon=True).start()
    told, said = own_streams()
    complaints = Complaints()
    try:
        for answer in track(settings, told, complaints):
            said.write(json.dumps(answer) + "\n")
            said.flush()
    except BrokenPipeError:
        pass  # the parent has ended
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        said.write(json.dumps({"event": "failed", "reason": reason}) + "\n")
        said.flush()
    os._exit(0)  # its timers, and a library that hangs in its own clean-up, must not keep us


def die_with(parent: int) -> None:
    """End when the parent has: the end of stdin is not seen while CodeCarbon is at work."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def own_streams() -> tuple[IO[str], IO[str]]:
    """The parent's pipes, out of reach of CodeCarbon and of the programs that it starts."""
    told, said = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return told, said


def track(settings: dict[str, Any], told: IO[str], complaints: Complaints) -> Any:
    """Yield the answers, in their order."""
    keeper = Keeper()
    tracker = make_tracker(settings, keeper, complaints)
    startup_cpu_s = cpu_seconds()
    yield {"event": "ready"}
    if told.readline() != "start\n":
        return
    # Its joules are those from the entry of start() to the entry of stop(), in 3.2 and 3.3 alike.
    start_s, begun_cpu_s = time.monotonic(), cpu_seconds()
    tracker.start()
    yield {"event": "started"}
    if told.readline() != "stop\n":
        return
    end_s = time.monotonic()
    tracker.stop()
    data = keeper.total
    if data is None:
        raise RuntimeError(complaints.last or "it gave no result")
    is_whole = getattr(tracker, "final_emissions_data", None) is not None
    yield {
        "event": "stopped",
        "version": data.codecarbon_version,
        "tracking_mode": data.tracking_mode,
        "start_s": start_s,
        "end_s": end_s,
        "parts": parts_of(tracker, data, settings["pue"]),
        "emissions_g": grams_of(data, settings["intensity_g_per_kwh"]),
        "cpu_s": cpu_seconds() - begun_cpu_s,
        "startup_cpu_s": startup_cpu_s,
        "complaint": complaints.last,
        "is_file_written": is_whole and settings["output_file"] is not None,
    }


def make_tracker(settings: dict[str, Any], keeper: Keeper, complaints: Complaints) -> Any:
    """A tracker that has looked at the hardware, and has everything imported that it will need."""
    leave_user_settings()
    sys.path.append(settings["package_parent"])
    import codecarbon.core.emissions
    import codecarbon.external.geography  # noqa: F401  # it imports these two when it is stopped
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").addHandler(complaints)
    accepted = parameters_of(OfflineEmissionsTracker)
    saving = saving_options(settings["output_dir"], settings["output_file"], accepted)
    if "force_carbon_intensity_g_co2e_kwh" in accepted:
        saving["force_carbon_intensity_g_co2e_kwh"] = settings["intensity_g_per_kwh"]
    tracker = OfflineEmissionsTracker(
        project_name=settings["project_name"],
        country_iso_code=settings["country"],
        gpu_ids=gpu_indices(set(settings["gpu_identities"])),
        pue=settings["pue"],
        tracking_mode="machine",
        allow_multiple_runs=True,  # without it, it takes a lock file of the whole machine
        api_call_interval=-1,
        log_level="warning",
        output_handlers=[keeper],
        **saving,
    )
    if hasattr(tracker, "get_detected_hardware"):
        tracker.get_detected_hardware()
    if not getattr(tracker, "_hardware", None):
        raise RuntimeError(complaints.last or "it found no hardware")
    return tracker


def gpu_indices(identities: set[str]) -> list[int]:
    """CodeCarbon's numbers of these GPUs: the UUIDs that it takes, it does not find.

    It strips the letters of "MIG-" off the front of each, and with them the G of "GPU-".
    """
    if not identities:
        return []
    from codecarbon.core.gpu import AllGPUDevices

    known = AllGPUDevices().get_gpu_static_info()
    return [gpu["gpu_index"] for gpu in known if gpu["uuid"] in identities]


def saving_options(folder: str, file: str | None, accepted: set[str]) -> dict[str, Any]:
    """How this version is told to write `file`, or none; later ones warn of `save_to_file`."""
    saving: dict[str, Any] = {"save_to_file": file is not None}
    if "output_methods" in accepted:
        from codecarbon import OutputMethod

        saving = {"output_methods": [] if file is None else [OutputMethod.CSV]}
    return saving if file is None else saving | {"output_dir": folder, "output_file": file}


def leave_user_settings() -> None:
    """Let it find no settings that somebody made for other runs: an endpoint, a token, a TDP.

    It reads them from HOME, the working directory and the environment. Under SLURM it would ask the
    controller for the memory of the job.
    """
    sys.path[:] = [os.path.abspath(path) for path in sys.path]
    os.environ["HOME"] = os.path.dirname(os.path.abspath(__file__))
    os.chdir(os.environ["HOME"])
    for name in list(os.environ):
        if name.lower().startswith(("codecarbon_", "slurm_")):
            del os.environ[name]


def parameters_of(kind: type) -> set[str]:
    """What a tracker's constructor, or that of its base, takes by name."""
    constructors = [
        vars(base)["__init__"] for base in kind.__mro__[:-1] if "__init__" in vars(base)
    ]
    return {name for function in constructors for name in inspect.signature(function).parameters}


def grams_of(data: Any, intensity_g_per_kwh: float) -> float | None:
    """Its grams; None where it went by another intensity than ours (3.2 cannot be given one)."""
    grams = float(data.emissions) * GRAMS_PER_KG
    is_ours = math.isclose(grams, data.energy_consumed * intensity_g_per_kwh, rel_tol=1e-3)
    return grams if is_ours else None


def parts_of(tracker: Any, data: Any, pue: float) -> dict[str, dict[str, Any]]:
    """Its kWh by device, without PUE, and what each rests on.

    A device at 0 kWh is left out: CodeCarbon reports 0 for what it could not read.
    """
    parts = {}
    for hardware in tracker._hardware:
        device, is_measured, how = basis_of(hardware)
        energy_kwh = float(getattr(data, f"{device}_energy", 0.0)) / pue
        if energy_kwh > 0:
            parts[device] = {"energy_kwh": energy_kwh, "is_measured": is_measured, "how": how}
    return parts


def basis_of(hardware: Any) -> tuple[str, bool, str]:
    """The device behind one of its hardware objects, whether it reads a sensor, and how."""
    kind, mode = type(hardware).__name__, getattr(hardware, "_mode", "")
    if kind == "GPU":
        return "gpu", True, "GPU energy counter"
    if kind == "RAM":
        return "ram", False, "power assumed from the size of the memory"
    if kind == "CPU":
        watts = f" of {hardware._tdp:g} W" if mode in MODELS else ""
        return "cpu", mode in SENSORS, SENSORS.get(mode) or MODELS.get(mode, mode) + watts
    return str(getattr(hardware, "chip_part", kind)).lower(), True, kind


def cpu_seconds() -> float:
    """CPU seconds of this process and of the programs that it has waited for."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
