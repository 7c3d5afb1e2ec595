"""Every error that a user can meet.

ProfilerError            exit code 1; one sentence, and a hint that mends it
├── UsageError           exit code 2: the command line or an argument is wrong
├── TargetError          the model (or what was named instead of one) cannot be had
├── TransformError       a transform cannot be applied to this model, or on this device
├── CheckpointError      weights that do not fit, or that must not be loaded
├── InputDataError       the images asked for are not there or are no images
├── DeviceError          the device asked for is not there, or ran out of memory
├── SensorError          a power sensor cannot be opened, or failed a read
├── MeasurementError     the model could not be run or measured
├── TrainingError        a training run cannot go on
└── StoreError           a run cannot be written or read
"""

from __future__ import annotations


class ProfilerError(Exception):
    """One sentence that holds the offending value, and a hint that says what to do.

    Args:
        message: one sentence without a final period.
        hint: the command or the flag that mends it, if there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(ProfilerError):
    """The command line or an argument is wrong."""

    exit_code = 2


class TargetError(ProfilerError):
    """The reference given does not lead to a model."""


class TransformError(ProfilerError):
    """A transform cannot be applied to this model, or has no kernels on this device."""


class CheckpointError(ProfilerError):
    """Weights that do not fit the model, or that would run code when loaded."""


class InputDataError(ProfilerError):
    """The images asked for are absent, or are no images."""


class DeviceError(ProfilerError):
    """The device asked for is absent, or ran out of memory."""


class SensorError(ProfilerError):
    """A power sensor cannot be opened, or failed a read."""


class MeasurementError(ProfilerError):
    """The model could not be run, or what it did could not be measured."""


class TrainingError(ProfilerError):
    """A training run cannot go on."""


class StoreError(ProfilerError):
    """A run cannot be written or read."""
