"""A stand-in for libnvidia-ml.so.1 that the real `pynvml` talks to, fed by scripted true power.

    clock = FakeClock()
    gpu = VirtualGpu(script=constant(300, 5).at(clock.now_s() + 1))
    with install(Scenario(gpus=(gpu,)), now_s=clock.now_s, sleep=clock.sleep):
        ...                                           # pynvml now sees one virtual H100
    gpu.script.energy_between_j(a, b)                 # the truth

What it imitates: a millijoule counter that moves every `update_period_s` at a phase (with jitter,
and lagging behind); instant power, the mean of the last `look_s`, renewed at each update; average
power, the mean of the last `average_s`; a buffer of timestamped samples; optionally a sensor that
looks at `look_s` of every period only, and scales up what it saw. Faults are per GPU (`Fault`, in
seconds after the start of its script) or of the library (`Scenario.library_fault`, `.missing`).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields

from tests.virtual.power import PowerScript, constant

SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION = 0, 1, 2, 3, 4
NOT_FOUND, DRIVER_NOT_LOADED, GPU_IS_LOST, VERSION_MISMATCH, UNKNOWN = 6, 9, 15, 18, 999
LIBRARY_FAULTS = {
    "driver not loaded": DRIVER_NOT_LOADED,
    "no permission": NO_PERMISSION,
    "version mismatch": VERSION_MISMATCH,
}
ERROR_TEXT = {
    NOT_SUPPORTED: b"Not Supported",
    NO_PERMISSION: b"Insufficient Permissions",
    DRIVER_NOT_LOADED: b"Driver Not Loaded",
    GPU_IS_LOST: b"GPU is lost",
    VERSION_MISMATCH: b"Driver/library version mismatch",
}
SAMPLE_BUFFER_LENGTH = 120
PART_TIME_BLOCK = 64
ENERGY_FIELD, AVERAGE_FIELD, INSTANT_FIELD = 83, 185, 186
MEMORY_SCOPE = 2
UNSIGNED_INT, UNSIGNED_LONG_LONG = 1, 3


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one GPU, from `start_s` to `end_s` after the start of its script.

    kind: "lost", "failing" (every `every`-th call), "reset" (counter back to 0 at `start_s`),
    "frozen" (counter), "zero power", "energy unsupported", "power unsupported",
    "slow" (each call takes `delay_s`), "no permission".
    """

    kind: str
    start_s: float = -math.inf
    end_s: float = math.inf
    every: int = 1
    delay_s: float = 0.0


@dataclass(frozen=True)
class VirtualGpu:
    """One virtual GPU; an H100 by default. `start_mj` is the counter at the start of the script."""

    script: PowerScript = field(default_factory=lambda: constant(90.0))
    name: str = "NVIDIA H100 80GB HBM3"
    uuid: str = "GPU-11111111-2222-3333-4444-555555555555"
    architecture: int = 9
    update_period_s: float = 0.1
    phase_s: float = 0.0
    jitter_s: float = 0.0
    lag_s: float = 0.0
    look_s: float = 0.025
    part_time: bool = False
    average_s: float = 1.0
    memory_share: float | None = None
    instant_supported: bool = True
    start_mj: int = 123_456_789_000
    mig_uuids: tuple[str, ...] = ()
    power_limit_w: float = 700.0
    temperature_c: int = 45
    event_reasons: int = 0
    faults: tuple[Fault, ...] = ()
    seed: int = 0

    def update_s(self, index: int) -> float:
        """Instant of the counter's `index`-th move, counted from the start of the script."""
        jitter_s = 0.0
        if self.jitter_s:
            jitter_s = random.Random(f"{self.seed}/{index}").uniform(-self.jitter_s, self.jitter_s)
        return self.script.start_s + self.phase_s + index * self.update_period_s + jitter_s

    def last_update(self, now_s: float) -> int:
        """Index of the last move at or before `now_s`."""
        index = math.floor((now_s - self.script.start_s - self.phase_s) / self.update_period_s) + 1
        while self.update_s(index) > now_s:
            index -= 1
        return index

    def counter_mj(self, now_s: float) -> int:
        """What the energy counter shows, faults included."""
        shown_mj = self._clean_mj(self._unfrozen_s(now_s))
        for fault in self._active("reset", now_s):
            shown_mj -= self._clean_mj(self.script.start_s + fault.start_s)
        return int(max(0.0, shown_mj))

    def instant_w(self, now_s: float) -> float:
        return self._mean_before_w(now_s, self.look_s)

    def averaged_w(self, now_s: float) -> float:
        return self._mean_before_w(now_s, self.average_s)

    def fails(self, kind: str, now_s: float) -> bool:
        return bool(self._active(kind, now_s))

    def _active(self, kind: str, now_s: float) -> list[Fault]:
        elapsed_s = now_s - self.script.start_s
        return [f for f in self.faults if f.kind == kind and f.start_s <= elapsed_s < f.end_s]

    def _unfrozen_s(self, now_s: float) -> float:
        frozen = self._active("frozen", now_s)
        starts_s = [max(self.script.start_s + f.start_s, self.script.start_s) for f in frozen]
        return min([now_s, *starts_s])

    def _mean_before_w(self, now_s: float, span_s: float) -> float:
        if self.fails("zero power", now_s):
            return 0.0
        seen_s = self.update_s(self.last_update(now_s)) - self.lag_s
        return self.script.mean_w(seen_s - span_s, seen_s)

    def _clean_mj(self, now_s: float) -> float:
        index = self.last_update(now_s)
        if not self.part_time:
            seen_s = self.update_s(index) - self.lag_s
            return self.start_mj + 1000 * self.script.energy_j(seen_s)
        return self.start_mj + 1000 * self._part_time_j(index)

    def _part_time_j(self, index: int) -> float:
        """Joules as a sensor sees them that looks at the last `look_s` of every period only."""
        scale = self.update_period_s / self.look_s
        if index < 0:
            return index * self.update_period_s * self.script.pieces[0].start_w
        return scale * _looked_at_j(self, index)


@functools.lru_cache(maxsize=100_000)
def _looked_at_j(gpu: VirtualGpu, index: int) -> float:
    """Joules looked at up to move `index`, summed from the nearest whole block before it."""
    if index == 0:
        return 0.0
    first = (index - 1) // PART_TIME_BLOCK * PART_TIME_BLOCK
    total_j = _looked_at_j(gpu, first)
    for update in range(first, index):
        seen_s = gpu.update_s(update + 1) - gpu.lag_s
        total_j += gpu.script.energy_between_j(seen_s - gpu.look_s, seen_s)
    return total_j


@dataclass(frozen=True)
class Scenario:
    """The machine: its GPUs in PCI order and what is wrong with its driver library.

    library_fault: "", "no library", or a key of LIBRARY_FAULTS.
    missing: C functions that the library lacks.
    """

    gpus: tuple[VirtualGpu, ...] = (VirtualGpu(),)
    library_fault: str = ""
    missing: tuple[str, ...] = ()
    call_cost_s: float = 0.0

    def to_json(self) -> dict[str, object]:
        return {**_plain(self), "gpus": [_gpu_to_json(gpu) for gpu in self.gpus]}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Scenario:
        options = {**data, "missing": tuple(data["missing"])}  # type: ignore[arg-type]  # plain JSON
        gpus: list[dict[str, object]] = options.pop("gpus")  # type: ignore[assignment]  # plain JSON
        return cls(gpus=tuple(_gpu_from_json(gpu) for gpu in gpus), **options)  # type: ignore[arg-type]  # plain JSON


def _plain(thing: object) -> dict[str, object]:
    return {item.name: getattr(thing, item.name) for item in fields(thing)}  # type: ignore[arg-type]  # a dataclass


def _gpu_to_json(gpu: VirtualGpu) -> dict[str, object]:
    faults = [_plain(fault) for fault in gpu.faults]
    return {**_plain(gpu), "script": gpu.script.to_json(), "faults": faults}


def _gpu_from_json(data: dict[str, object]) -> VirtualGpu:
    faults = tuple(Fault(**fault) for fault in data["faults"])  # type: ignore[attr-defined]  # plain JSON
    script = PowerScript.from_json(data["script"])  # type: ignore[arg-type]  # plain JSON
    mig_uuids = tuple(data["mig_uuids"])  # type: ignore[arg-type]  # plain JSON
    return VirtualGpu(**{**data, "script": script, "faults": faults, "mig_uuids": mig_uuids})  # type: ignore[arg-type]  # plain JSON


class VirtualNvml:
    """What `CDLL("libnvidia-ml.so.1")` returns: C functions as callables on ctypes arguments."""

    def __init__(
        self, scenario: Scenario, now_s: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self.scenario = scenario
        self.call_counts: dict[str, int] = {}
        self._now_s = now_s
        self._sleep = sleep
        self._init_count = 0

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(type(self), f"c_{name}", None)
        if method is None or name in self.scenario.missing:
            raise AttributeError(name)

        def call(*arguments: object) -> object:
            if self.scenario.call_cost_s:
                self._sleep(self.scenario.call_cost_s)
            return method(self, *arguments)

        setattr(self, name, call)
        return call

    # --- the library itself

    def c_nvmlInitWithFlags(self, flags: int) -> int:
        code = LIBRARY_FAULTS.get(self.scenario.library_fault, SUCCESS)
        self._init_count += code == SUCCESS
        return code

    def c_nvmlShutdown(self) -> int:
        if self._init_count == 0:
            return UNINITIALIZED
        self._init_count -= 1
        return SUCCESS

    def c_nvmlErrorString(self, code: int) -> bytes:
        return ERROR_TEXT.get(code, b"Unknown Error")

    def c_nvmlSystemGetDriverVersion(self, buffer: ctypes.Array[ctypes.c_char], length) -> int:
        return self._text(buffer, "570.00")

    def c_nvmlDeviceGetCount_v2(self, count) -> int:
        if self._init_count == 0:
            return UNINITIALIZED
        count._obj.value = len(self.scenario.gpus)
        return SUCCESS

    # --- handles: GPU number g is the pointer value g + 1, its MIG slice s is (g + 1) * 1000 + s

    def c_nvmlDeviceGetHandleByIndex_v2(self, index, handle) -> int:
        if self._init_count == 0:
            return UNINITIALIZED
        if index.value >= len(self.scenario.gpus):
            return INVALID_ARGUMENT
        if self.scenario.gpus[index.value].fails("lost", self._now_s()):
            return GPU_IS_LOST
        return _point(handle, index.value + 1)

    def c_nvmlDeviceGetHandleByUUID(self, uuid, handle) -> int:
        wanted = uuid.value.decode()
        for number, gpu in enumerate(self.scenario.gpus):
            if gpu.uuid == wanted:
                return _point(handle, number + 1)
            if wanted in gpu.mig_uuids:
                return _point(handle, (number + 1) * 1000 + gpu.mig_uuids.index(wanted))
        return NOT_FOUND

    def c_nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, mig_handle, handle) -> int:
        return _point(handle, _value(mig_handle) // 1000)

    def c_nvmlDeviceGetMigMode(self, handle, current, pending) -> int:
        def fill(gpu: VirtualGpu, now_s: float) -> int:
            current._obj.value = pending._obj.value = int(bool(gpu.mig_uuids))
            return SUCCESS

        return self._on_gpu(handle, fill)

    def c_nvmlDeviceGetMaxMigDeviceCount(self, handle, count) -> int:
        return self._number(handle, count, lambda gpu, now_s: len(gpu.mig_uuids))

    def c_nvmlDeviceGetMigDeviceHandleByIndex(self, handle, index, mig_handle) -> int:
        if index.value >= len(self.scenario.gpus[_value(handle) - 1].mig_uuids):
            return NOT_FOUND
        return _point(mig_handle, _value(handle) * 1000 + index.value)

    # --- energy and power

    def c_nvmlDeviceGetTotalEnergyConsumption(self, handle, energy) -> int:
        return self._number(handle, energy, VirtualGpu.counter_mj, family="energy")

    def c_nvmlDeviceGetPowerUsage(self, handle, power) -> int:
        def milliwatts(gpu: VirtualGpu, now_s: float) -> int:
            averages = gpu.architecture >= 7
            return round(1000 * (gpu.averaged_w if averages else gpu.instant_w)(now_s))

        return self._number(handle, power, milliwatts, family="power")

    def c_nvmlDeviceGetFieldValues(self, handle, count, values) -> int:
        def fill(gpu: VirtualGpu, now_s: float) -> int:
            for value in values._obj[: count.value]:
                value.timestamp = self._wall_us(now_s)
                value.nvmlReturn = self._fill_field(gpu, now_s, value)
            return SUCCESS

        return self._on_gpu(handle, fill)

    def _fill_field(self, gpu: VirtualGpu, now_s: float, value) -> int:
        if value.fieldId == ENERGY_FIELD and not value.scopeId:
            if (code := self._family_fault(gpu, now_s, "energy")) != SUCCESS:
                return code
            value.valueType, value.value.ullVal = UNSIGNED_LONG_LONG, gpu.counter_mj(now_s)
            return SUCCESS
        share = {0: 1.0, MEMORY_SCOPE: gpu.memory_share}.get(value.scopeId)
        is_power = value.fieldId in (INSTANT_FIELD, AVERAGE_FIELD)
        if not is_power or not gpu.instant_supported or share is None:
            return NOT_SUPPORTED
        if (code := self._family_fault(gpu, now_s, "power")) != SUCCESS:
            return code
        watts = (gpu.instant_w if value.fieldId == INSTANT_FIELD else gpu.averaged_w)(now_s)
        value.valueType, value.value.uiVal = UNSIGNED_INT, round(1000 * share * watts)
        return SUCCESS

    def c_nvmlDeviceGetSamples(self, handle, kind, since, value_type, count, samples) -> int:
        def fill(gpu: VirtualGpu, now_s: float) -> int:
            if (code := self._family_fault(gpu, now_s, "power")) != SUCCESS:
                return code
            if kind.value != 0:
                return NOT_SUPPORTED
            last = gpu.last_update(now_s)
            instants_s = [gpu.update_s(i) for i in range(last - SAMPLE_BUFFER_LENGTH + 1, last + 1)]
            fresh_s = [s for s in instants_s if self._wall_us(s) > since.value]
            if not fresh_s:
                return NOT_FOUND
            value_type._obj.value = UNSIGNED_INT
            if samples is None:
                count._obj.value = len(fresh_s)
                return SUCCESS
            count._obj.value = min(count._obj.value, len(fresh_s))
            for sample, instant_s in zip(samples, fresh_s, strict=False):
                sample.timeStamp = self._wall_us(instant_s)
                sample.sampleValue.uiVal = round(1000 * gpu.instant_w(instant_s))
            return SUCCESS

        return self._on_gpu(handle, fill)

    # --- facts

    def c_nvmlDeviceGetName(self, handle, buffer, length) -> int:
        return self._on_gpu(handle, lambda gpu, now_s: self._text(buffer, gpu.name))

    def c_nvmlDeviceGetUUID(self, handle, buffer, length) -> int:
        number, slice_number = divmod(_value(handle), 1000)
        if number:
            uuid = self.scenario.gpus[number - 1].mig_uuids[slice_number]
        else:
            uuid = self.scenario.gpus[slice_number - 1].uuid
        return self._text(buffer, uuid)

    def c_nvmlDeviceGetArchitecture(self, handle, architecture) -> int:
        return self._number(handle, architecture, lambda gpu, now_s: gpu.architecture)

    def c_nvmlDeviceGetEnforcedPowerLimit(self, handle, limit) -> int:
        return self._number(handle, limit, lambda gpu, now_s: round(1000 * gpu.power_limit_w))

    def c_nvmlDeviceGetTemperature(self, handle, sensor, temperature) -> int:
        return self._number(handle, temperature, lambda gpu, now_s: gpu.temperature_c)

    def c_nvmlDeviceGetClockInfo(self, handle, kind, clock) -> int:
        return self._number(handle, clock, lambda gpu, now_s: 2619 if kind.value == 2 else 1980)

    def c_nvmlDeviceGetCurrentClocksEventReasons(self, handle, reasons) -> int:
        return self._number(handle, reasons, lambda gpu, now_s: gpu.event_reasons)

    c_nvmlDeviceGetCurrentClocksThrottleReasons = c_nvmlDeviceGetCurrentClocksEventReasons

    def c_nvmlDeviceGetPersistenceMode(self, handle, mode) -> int:
        return self._number(handle, mode, lambda gpu, now_s: 1)

    def c_nvmlDeviceGetPciInfo_v3(self, handle, info) -> int:
        def fill(gpu: VirtualGpu, now_s: float) -> int:
            info._obj.busId = f"00000000:{0x10 + _value(handle):02X}:00.0".encode()
            return SUCCESS

        return self._on_gpu(handle, fill)

    # What CodeCarbon asks for besides.

    def c_nvmlDeviceGetMemoryInfo(self, handle, memory) -> int:
        def fill(gpu: VirtualGpu, now_s: float) -> int:
            memory._obj.total = memory._obj.free = 80 * 2**30
            return SUCCESS

        return self._on_gpu(handle, fill)

    def c_nvmlDeviceGetUtilizationRates(self, handle, rates) -> int:
        def fill(gpu: VirtualGpu, now_s: float) -> int:
            rates._obj.gpu = 50
            return SUCCESS

        return self._on_gpu(handle, fill)

    # --- how a call goes

    def _on_gpu(self, handle, fill: Callable[[VirtualGpu, float], int]) -> int:
        if self._init_count == 0:
            return UNINITIALIZED
        value = _value(handle)
        if value >= 1000:
            return NOT_SUPPORTED
        gpu = self.scenario.gpus[value - 1]
        for fault in gpu._active("slow", self._now_s()):
            self._sleep(fault.delay_s)
        now_s = self._now_s()
        return GPU_IS_LOST if gpu.fails("lost", now_s) else fill(gpu, now_s)

    def _number(
        self, handle, target, read: Callable[[VirtualGpu, float], int], *, family: str = ""
    ) -> int:
        def fill(gpu: VirtualGpu, now_s: float) -> int:
            code = self._family_fault(gpu, now_s, family) if family else SUCCESS
            if code == SUCCESS:
                target._obj.value = read(gpu, now_s)
            return code

        return self._on_gpu(handle, fill)

    def _family_fault(self, gpu: VirtualGpu, now_s: float, family: str) -> int:
        if gpu.fails(f"{family} unsupported", now_s):
            return NOT_SUPPORTED
        if gpu.fails("no permission", now_s):
            return NO_PERMISSION
        key = f"{gpu.uuid}/{family}"
        self.call_counts[key] = self.call_counts.get(key, 0) + 1
        failing = gpu._active("failing", now_s)
        return UNKNOWN if any(self.call_counts[key] % f.every == 0 for f in failing) else SUCCESS

    def _wall_us(self, monotonic_s: float) -> int:
        """NVML stamps samples with the date; the offset is taken afresh, as a jump would do."""
        if self._now_s is time.monotonic:
            return round(1e6 * (monotonic_s + time.time() - time.monotonic()))
        return round(1e6 * (monotonic_s + 1.7e9))

    @staticmethod
    def _text(buffer, text: str) -> int:
        buffer.value = text.encode(errors="surrogateescape")
        return SUCCESS


def _value(handle) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _point(handle, value: int) -> int:
    ctypes.cast(handle, ctypes.POINTER(ctypes.c_void_p))[0] = value
    return SUCCESS


def substitute(library: VirtualNvml) -> Callable[[], None]:
    """Put the library under `pynvml` in place of the driver's; returns what undoes it."""
    import pynvml

    def load(name: str, *arguments: object) -> VirtualNvml:
        if library.scenario.library_fault == "no library":
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return library

    saved = pynvml.CDLL, pynvml.nvmlLib, pynvml._nvmlLib_refcount
    pointers = pynvml._nvmlGetFunctionPointer_cache
    saved_pointers = dict(pointers)
    pointers.clear()
    pynvml.CDLL, pynvml.nvmlLib, pynvml._nvmlLib_refcount = load, None, 0

    def restore() -> None:
        pynvml.CDLL, pynvml.nvmlLib, pynvml._nvmlLib_refcount = saved
        pointers.clear()
        pointers.update(saved_pointers)

    return restore


@contextlib.contextmanager
def install(
    scenario: Scenario,
    *,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[VirtualNvml]:
    """Let `pynvml` find the virtual library in place of the driver's, and undo it afterwards."""
    library = VirtualNvml(scenario, now_s, sleep)
    restore = substitute(library)
    try:
        yield library
    finally:
        restore()
