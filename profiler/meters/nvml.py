"""NVIDIA GPUs: the energy counter, and the power beside it, of every GPU this process sees.

The counter is in mJ since the driver was loaded, on Volta and newer; the vendor states an error of
±5 % (NVML API reference). What is known of each chip's sensor is in nvml_chips.py.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from profiler.errors import SensorError
from profiler.values.findings import Finding
from profiler.values.trace import Channel, ChannelKind, Reading

from .base import AsleepError, unknown_channel
from .nvml_asleep import SleepingGpus
from .nvml_chips import INSTANTANEOUS, ChipSensor, sensor_of
from .nvml_samples import SampleBuffer
from .nvml_session import (
    POWER_SCOPE_GPU,
    POWER_SCOPE_MEMORY,
    MissingFunctionError,
    NvmlSession,
    mig_uuids,
    text,
)
from .visible import ListedGpu, resolve, visibility_findings

GAIN_ERROR = 0.05
COUNTER_RESOLUTION_J = 1e-3
POWER_RESOLUTION_W = 1e-3
FIELD_POWER_INSTANT = 186
OPEN_ATTEMPTS = 3
NOBODY = SleepingGpus(Path("/dev/null"))


class NvmlMeter:
    """Energy counter and power of the GPUs that this process sees.

    Channels are named by the process's own numbering (gpu:0 is torch's cuda:0, as far as
    CUDA_VISIBLE_DEVICES tells), their `identity` is the GPU's UUID.

    Args:
        library: the module `pynvml`, or a stand-in; imported when opened if not given.
        environment: where CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER are looked up.
        sleeping: the kernel's view of the GPUs; of this machine if not given.
    """

    name = "nvml"

    def __init__(
        self,
        library: ModuleType | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        sleeping: SleepingGpus | None = None,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self._sleeping = sleeping or SleepingGpus()
        self._library = library
        self._session = NvmlSession(library)
        self._waking = threading.Lock()
        self._woken: NvmlMeter | None = None
        self._environment = os.environ if environment is None else environment
        self._handles: dict[int, Any] = {}
        self._readers: dict[str, Callable[[], float]] = {}
        self._buffers: dict[str, SampleBuffer] = {}

    def open(self) -> tuple[Channel, ...]:
        if self._sleeping.all_asleep():
            self.findings = (self._sleeping.finding(),)
            channels = self._sleeping.channels(GAIN_ERROR)
            for channel in channels:
                read = partial(self._read_woken, channel)
                self._readers[channel.key] = self._sleeping.unless_asleep(read)
            return channels
        return self._open_awake()

    def _read_woken(self, channel: Channel) -> float:
        """The counter of a GPU that has woken up; the first read opens NVML."""
        with self._waking:
            if self._woken is None:
                awake = NvmlMeter(self._library, environment=self._environment, sleeping=NOBODY)
                awake.open()
                self._woken = awake
        return self._woken.read(channel)

    def _open_awake(self) -> tuple[Channel, ...]:
        if not self._session.open():
            return ()
        listed = self._listed()
        seen = resolve(
            listed,
            visible_devices=self._environment.get("CUDA_VISIBLE_DEVICES"),
            device_order=self._environment.get("CUDA_DEVICE_ORDER"),
        )
        self.findings = visibility_findings(seen)
        channels: list[Channel] = []
        for number, index in enumerate(seen.indices):
            channels += self._channels_of(f"gpu:{number}", index, listed[index])
        return tuple(channels)

    def read(self, channel: Channel) -> float:
        reader = self._readers.get(channel.key)
        if reader is None:
            raise unknown_channel(self.name, channel)
        try:
            return reader()
        except AsleepError:
            raise
        except SensorError as error:
            observed = f"{channel.device} cannot be read: {error.message}"
            raise SensorError(observed, hint=error.hint) from error

    def drain(self, channel: Channel) -> Sequence[Reading]:
        buffer = self._buffers.get(channel.key)
        return () if buffer is None else buffer.drain()

    def close(self) -> None:
        self._handles.clear()
        self._readers.clear()
        self._buffers.clear()
        self._session.close()
        if self._woken is not None:
            self._woken.close()

    def _listed(self) -> list[ListedGpu]:
        count = int(self._session.call("nvmlDeviceGetCount"))
        return [self._listed_gpu(index) for index in range(count)]

    def _listed_gpu(self, index: int) -> ListedGpu:
        ask = self._session.ask
        handle = ask("nvmlDeviceGetHandleByIndex", index)
        if handle is None:
            return ListedGpu(uuid=None, name=None)
        self._handles[index] = handle
        slices = mig_uuids(self._session, handle)
        uuid, name = ask("nvmlDeviceGetUUID", handle), ask("nvmlDeviceGetName", handle)
        return ListedGpu(uuid=text(uuid), name=text(name), mig_uuids=slices)

    def _channels_of(self, device: str, index: int, gpu: ListedGpu) -> list[Channel]:
        handle = self._handles.get(index)
        if handle is None:
            try:
                handle = self._session.call("nvmlDeviceGetHandleByIndex", index)
            except SensorError as error:
                observed = f"{device} cannot be read: {error.message}"
                self._report("gpu-unreadable", observed, error.hint)
                return []
        reported_count = len(self.findings)
        sensor = sensor_of(self._session.ask("nvmlDeviceGetArchitecture", handle), gpu.name)
        power = self._power_channels(device, handle, gpu, sensor)
        inside = tuple(channel.device for channel in power if channel.device != device)
        energy = self._energy_channels(device, handle, gpu, sensor, inside)
        if gpu.mig_uuids:
            self._report(
                "gpu-mig",
                f"{device} is split by MIG: its readings are of the whole GPU, and no per-slice "
                "power exists",
                f"measure with MIG off (sudo nvidia-smi -i {index} -mig 0), or with all other "
                "slices idle",
            )
        if not energy and not power and len(self.findings) == reported_count:
            self._report(
                "gpu-without-sensor",
                f"{device} ({gpu.name}) offers neither an energy counter nor a power reading",
                "run on the host rather than in a virtual machine, or on Volta or newer",
            )
        return energy + power

    def _energy_channels(
        self,
        device: str,
        handle: Any,
        gpu: ListedGpu,
        sensor: ChipSensor,
        inside: tuple[str, ...],
    ) -> list[Channel]:
        def read_j() -> float:
            total_mj = self._session.call("nvmlDeviceGetTotalEnergyConsumption", handle)
            return float(total_mj) * COUNTER_RESOLUTION_J

        channel = Channel(
            device=device,
            kind=ChannelKind.ENERGY,
            source=_named("NVML energy counter", gpu),
            update_period_s=sensor.update_period_s,
            resolution_j=COUNTER_RESOLUTION_J,
            contains=inside,
            gain_error=GAIN_ERROR,
            identity=gpu.uuid,
            always_draws=True,
            uncountable=_uncountable(gpu),
        )
        return self._kept(channel, read_j)

    def _power_channels(
        self, device: str, handle: Any, gpu: ListedGpu, sensor: ChipSensor
    ) -> list[Channel]:
        ask = self._session.ask

        def instant_w(scope: int) -> float:
            field = self._session.constant("NVML_FI_DEV_POWER_INSTANT", FIELD_POWER_INSTANT)
            return self._session.field_value(handle, field, scope) * POWER_RESOLUTION_W

        def usage_w() -> float:
            usage_mw = self._session.call("nvmlDeviceGetPowerUsage", handle)
            return float(usage_mw) * POWER_RESOLUTION_W

        def check_instant() -> None:
            if instant_w(POWER_SCOPE_GPU) == 0 and ask("nvmlDeviceGetPowerUsage", handle):
                raise MissingFunctionError("the instant power field is not filled in")

        def check_memory() -> None:
            if not 0 < instant_w(POWER_SCOPE_MEMORY) < instant_w(POWER_SCOPE_GPU):
                raise MissingFunctionError("this driver does not tell the memory's power apart")

        span_s = sensor.instant_averaging_s
        instant = _power_channel(device, gpu, sensor, "instant power", span_s)
        memory = _power_channel(f"{device}/memory", gpu, sensor, "instant memory power", span_s)
        kept_memory = self._kept(
            memory, lambda: instant_w(POWER_SCOPE_MEMORY), check=check_memory, is_optional=True
        )
        kept = self._kept(instant, lambda: instant_w(POWER_SCOPE_GPU), check=check_instant)
        if not kept:
            label = f"power usage, {sensor.usage_text}"
            usage = _power_channel(device, gpu, sensor, label, sensor.usage_averaging_s)
            kept = self._kept(usage, usage_w)
            if kept and sensor.usage_text == INSTANTANEOUS:
                self._buffers[usage.key] = SampleBuffer(self._session, handle)
        return kept + kept_memory

    def _kept(
        self,
        channel: Channel,
        read: Callable[[], float],
        *,
        check: Callable[[], object] | None = None,
        is_optional: bool = False,
    ) -> list[Channel]:
        """The channel if it can be read now; a read that fails at times is tried again.

        `check` takes the place of the first read where reading alone does not prove the sensor.
        """
        for attempt in range(OPEN_ATTEMPTS):
            try:
                (check or read)()
            except MissingFunctionError:
                return []
            except SensorError as error:
                if attempt == OPEN_ATTEMPTS - 1 and not is_optional:
                    observed = f"{channel.device} {channel.kind} cannot be read: {error.message}"
                    self._report("gpu-unreadable", observed, error.hint)
                    if channel.kind is ChannelKind.ENERGY and error.hint is None:
                        break  # nobody knows why: it is asked again while it is recorded
            else:
                break
        else:
            return []
        self._readers[channel.key] = read
        return [channel]

    def _report(self, kind: str, observed: str, remedy: str | None) -> None:
        self.findings += (Finding(kind=kind, observed=observed, remedy=remedy or ""),)


def _power_channel(
    device: str, gpu: ListedGpu, sensor: ChipSensor, label: str, averaging_s: float | None
) -> Channel:
    return Channel(
        device=device,
        kind=ChannelKind.POWER,
        source=_named(f"NVML {label}", gpu),
        update_period_s=sensor.update_period_s,
        resolution_w=POWER_RESOLUTION_W,
        averaging_s=averaging_s,
        contains=() if "/" in device else (f"{device}/memory",),
        gain_error=GAIN_ERROR,
        identity=gpu.uuid,
        always_draws=True,
        uncountable=_uncountable(gpu),
    )


def _named(label: str, gpu: ListedGpu) -> str:
    scope = ", whole GPU (MIG has no per-slice power)" if gpu.mig_uuids else ""
    return f"{label}, {gpu.name or 'unnamed GPU'}{scope}"


def _uncountable(gpu: ListedGpu) -> str | None:
    if not gpu.mig_uuids:
        return None
    return "power of a whole GPU that MIG shares among slices"
