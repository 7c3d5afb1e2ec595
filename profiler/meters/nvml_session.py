"""NVIDIA's management library through `pynvml`, as a session that says plainly what went wrong."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from profiler.errors import SensorError
from profiler.interruption import heed_interruption
from profiler.values.plain_text import one_line

POWER_SCOPE_GPU = 0
ESCAPED = "backslashreplace"  # what becomes of bytes of a name that are no UTF-8
POWER_SCOPE_MEMORY = 2  # NVML_POWER_SCOPE_MEMORY of nvml.h; pynvml does not name the scopes

_REMEDIES = {
    "NVML_ERROR_DRIVER_NOT_LOADED": "sudo modprobe nvidia, then see what nvidia-smi says",
    "NVML_ERROR_NO_PERMISSION": (
        "give this user read and write access to /dev/nvidia* (ls -l /dev/nvidia*); "
        "start a container with --gpus all"
    ),
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": (
        "the driver was updated while the old one is still loaded: reboot"
    ),
    "NVML_ERROR_GPU_IS_LOST": "look for Xid messages with sudo dmesg, then reset or reboot",
}


class NvmlSession:
    """An initialised NVML. Calls are by name, so that a library that lacks one still serves.

    NVML itself is thread-safe and counts initialisations, so that any number of sessions may live
    in a process, beside other users of `pynvml`.

    Args:
        library: the module `pynvml`; imported when the session is opened if not given.
    """

    def __init__(self, library: ModuleType | None = None) -> None:
        self._given = library
        self._library: Any = None

    def open(self) -> bool:
        """Initialise; False where there is no NVML at all.

        Raises `SensorError` where the library is there but refuses.
        """
        library: Any = self._given
        if library is None:
            try:
                import pynvml
            except ImportError:
                return False
            library = pynvml
        try:
            library.nvmlInit()
        except OSError:
            return False
        except library.NVMLError as error:
            if getattr(error, "value", None) == library.NVML_ERROR_LIBRARY_NOT_FOUND:
                return False
            raise SensorError(
                f"the NVIDIA driver answers {str(error)!r}", hint=_remedy(library, error)
            ) from error
        self._library = library
        return True

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of `pynvml`.

        Raises `SensorError` with NVML's own reason, and the remedy where one is known.
        """
        library = self._library
        if library is None:
            raise SensorError("NVML is closed")
        function = getattr(library, name, None)
        if function is None:
            raise MissingFunctionError(f"this pynvml has no {name}")
        try:
            return function(*arguments)
        except library.NVMLError as error:
            raise self._translated(error, name) from error
        except _mismatch_error(library) as error:
            raise MissingFunctionError(f"this NVML has no {name}") from error
        except UnicodeDecodeError as error:
            return error.object.decode(errors=ESCAPED)
        except Exception as error:
            # pynvml's own mistake about one GPU must not lose the others.
            heed_interruption(error)
            raise SensorError(f"{name}: {one_line(error)}") from error

    def ask(self, name: str, *arguments: Any) -> Any | None:
        """Call a function of `pynvml`; None where it is not there, not supported or fails."""
        try:
            return self.call(name, *arguments)
        except SensorError:
            return None

    def field_value(self, handle: Any, field_id: int, scope: int) -> float:
        """One field of a GPU, in NVML's unit.

        Raises `SensorError`, as `call` does.
        """
        (value,) = self.call("nvmlDeviceGetFieldValues", handle, [(field_id, scope)])
        if value.nvmlReturn != self._library.NVML_SUCCESS:
            error = self._library.NVMLError(value.nvmlReturn)
            raise self._translated(error, f"field {field_id}") from error
        return _number(self._library, value.valueType, value.value)

    def constant(self, name: str, default: int) -> int:
        """A constant of `pynvml`, or its value in nvml.h where this module lacks it."""
        return int(getattr(self._library, name, default))

    def sample_value(self, value_type: int, value: Any) -> float:
        """A member of NVML's value union, by its type tag."""
        return _number(self._library, value_type, value)

    def close(self) -> None:
        """Shut down what `open` initialised; never raises."""
        library, self._library = self._library, None
        if library is None:
            return
        try:
            library.nvmlShutdown()
        except library.NVMLError:
            return  # the driver went away before us: there is nothing left to let go of

    def _translated(self, error: Exception, name: str) -> SensorError:
        library = self._library
        missing = (
            library.NVML_ERROR_NOT_SUPPORTED,
            library.NVML_ERROR_FUNCTION_NOT_FOUND,
            library.NVML_ERROR_INVALID_ARGUMENT,  # a field or scope that this driver does not know
        )
        if getattr(error, "value", None) in missing:
            return MissingFunctionError(f"{name}: {error}")
        return SensorError(f"{name}: {error}", hint=_remedy(library, error))


class MissingFunctionError(SensorError):
    """This GPU or this driver does not offer what was asked: the channel does not exist."""


def text(value: Any) -> str | None:
    """A name as `pynvml` returns it, which is bytes in some versions."""
    if value is None:
        return None
    return value.decode(errors=ESCAPED) if isinstance(value, bytes) else str(value)


def mig_uuids(session: NvmlSession, handle: Any) -> tuple[str, ...]:
    """UUIDs of the slices of a GPU; () where MIG is off."""
    mode = session.ask("nvmlDeviceGetMigMode", handle)
    if not mode or not mode[0]:
        return ()
    uuids: list[str] = []
    for number in range(int(session.ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0)):
        mig_handle = session.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, number)
        if mig_handle is not None:
            uuids.append(text(session.ask("nvmlDeviceGetUUID", mig_handle)) or "")
    return tuple(uuids) or ("",)


def _remedy(library: Any, error: Exception) -> str | None:
    code = getattr(error, "value", None)
    return next((r for name, r in _REMEDIES.items() if getattr(library, name, -1) == code), None)


def _mismatch_error(library: Any) -> type[Exception]:
    """What pynvml raises, apart from its error tree, for functions that changed their signature."""
    error: type[Exception] = getattr(library, "NVMLLibraryMismatchError", library.NVMLError)
    return error


def _number(library: Any, value_type: int, value: Any) -> float:
    members = {
        library.NVML_VALUE_TYPE_DOUBLE: "dVal",
        library.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
        library.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
        library.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
        library.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    }
    member = members.get(value_type)
    if member is None:
        raise SensorError(f"NVML returned a value of unknown type {value_type}")
    return float(getattr(value, member))
