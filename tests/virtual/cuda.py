"""A stand-in for CUDA: torch sees one GPU, and what is sent to it is computed on the CPU.

    subprocess.run([..., "--device", "cuda"], env=environment(Scenario(), has_cuda=True))

So every line that only a GPU reaches (events, streams, graphs, memory statistics, generators) is
run once before there is one. Its times and joules mean nothing: a tensor that was sent to "cuda:0"
says that it is on "cpu", an event is a look at the clock, and a graph waits for as long as its
capture took.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

UUID = "11111111-2222-3333-4444-555555555555"
NAME = "NVIDIA H100 80GB HBM3"
PEAK_BYTES = 123_456_789
HERTZ = 2e9
_DOING_NOTHING = (
    "synchronize", "set_device", "empty_cache", "reset_peak_memory_stats", "set_rng_state",
)  # fmt: skip


class Event:
    """An instant of the host's clock, stamped when it is recorded."""

    def __init__(self, enable_timing: bool = False) -> None:
        self._time_s: float | None = None

    def record(self, stream: object = None) -> None:
        self._time_s = time.perf_counter()

    def elapsed_time(self, other: Event) -> float:
        assert self._time_s is not None
        assert other._time_s is not None
        return 1e3 * (other._time_s - self._time_s)

    def query(self) -> bool:
        return True

    def synchronize(self) -> None: ...


class Stream:
    """Does at once whatever it is asked."""

    def __init__(self, device: object = None) -> None: ...

    def wait_stream(self, other: Stream) -> None: ...


class CUDAGraph:
    """Remembers how long its capture took, and takes as long when it is replayed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def replay(self) -> None:
        end_s = time.perf_counter() + self.seconds
        while time.perf_counter() < end_s:
            pass


@contextlib.contextmanager
def graph(captured: CUDAGraph) -> Iterator[None]:
    start_s = time.perf_counter()
    yield
    captured.seconds = time.perf_counter() - start_s


def shrink_calibration(calibration: ModuleType) -> None:
    """Loads that are sized for a GPU would take a CPU minutes."""
    calibration.GPU_SIDES = (64, 128)  # type: ignore[attr-defined]  # its own constants
    calibration.GPU_FOOTPRINTS = (1 << 16, 1 << 20)  # type: ignore[attr-defined]  # likewise


def shrink_load(load_response: ModuleType) -> None:
    """The same for the load under which sensors are watched."""
    load_response.SIDE = load_response.CPU_SIDE  # type: ignore[attr-defined]  # its own constants


def install(torch: ModuleType) -> None:
    """Put the stand-in under `torch`, in the main thread of this process, for good."""
    properties = SimpleNamespace(
        name=NAME, uuid=UUID, L2_cache_size=1 << 20, total_memory=80 << 30, major=9, minor=0,
        multi_processor_count=132,
    )  # fmt: skip
    stand_ins = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_properties": lambda device=None: properties,
        "get_device_name": lambda device=None: NAME,
        "get_device_capability": lambda device=None: (9, 0),
        "is_bf16_supported": lambda *_, **__: True,
        "max_memory_allocated": lambda device=None: PEAK_BYTES,
        "get_rng_state": lambda device=None: torch.get_rng_state(),
        "default_generators": (torch.default_generator,),
        "current_stream": lambda device=None: Stream(),
        "stream": lambda stream: contextlib.nullcontext(),
        "device": lambda device: contextlib.nullcontext(),
        "graph": graph,
        "Event": Event,
        "Stream": Stream,
        "CUDAGraph": CUDAGraph,
        "_sleep": lambda cycles: time.sleep(cycles / HERTZ),
    }
    # torch's compiler knows functions by their identity: each name has one of its own.
    for name in _DOING_NOTHING:
        setattr(torch.cuda, name, lambda *arguments, **named: None)
    for name, stand_in in stand_ins.items():
        setattr(torch.cuda, name, stand_in)
    _on_cpu(torch).__enter__()


def _on_cpu(torch: Any) -> Any:
    def moved(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("cuda"):
            return "cpu"
        if isinstance(value, torch.device) and value.type == "cuda":
            return torch.device("cpu")
        return value

    class OnCpu(torch.overrides.TorchFunctionMode):  # type: ignore[misc]  # known when it is there
        """Sends to the CPU what is sent to a GPU."""

        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            if isinstance(func, type):  # a torch.device is not sent anywhere
                return func(*args, **(kwargs or {}))
            named = {name: moved(value) for name, value in (kwargs or {}).items()}
            return func(*map(moved, args), **named)

    return OnCpu()
