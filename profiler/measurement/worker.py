"""A fresh process that prepares models and makes the timed calls it is asked for.

It is told which function of this library loads the models, and with which options, so that no
object of the user's ever travels between processes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.interruption import heed_interruption
from profiler.meters.clock import MonotonicClock
from profiler.values.codec import encode

from .messages import error_message, receive, send
from .request import Request, facts_of, prepare_request
from .runners import LocalRunner

if TYPE_CHECKING:
    from profiler.machine.device import Device
    from profiler.workload.prepared import PreparedModel

Loader = Callable[[dict[str, Any]], Sequence[Request]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What stays in this process between two messages.

    Args:
        runner: makes the timed calls.
        ready: the models, laid out.
        kept: what the functions that this process is asked to call keep for one another, by name.
    """

    runner: LocalRunner
    ready: Sequence[tuple[Request, PreparedModel, Device]]
    kept: dict[str, Any] = field(default_factory=dict)


def main(socket_fd: int) -> None:
    """Answer messages until the other side has gone."""
    station: Station | None = None
    with (
        suppress(BrokenPipeError),  # it has, while this worked
        socket.socket(fileno=socket_fd) as link,
        link.makefile("r", encoding="utf-8") as questions,
        link.makefile("w", encoding="utf-8") as answers,
    ):
        while (message := receive(questions)) is not None:
            try:
                if station is None:
                    station = _prepared(message)
                    send(answers, _description(station, counts=message["counts"]))
                elif "function" in message:
                    result = _function(message["function"])(station, message["arguments"])
                    send(answers, {"result": result})
                elif "turns" in message:
                    send(answers, asdict(station.runner.take_turns(*message["turns"])))
                else:
                    send(answers, asdict(station.runner.run(*message["run"])))
            except Exception as error:  # whatever it is, the measurement is to say it
                heed_interruption(error)
                send(answers, error_message(error))


def _prepared(message: dict[str, Any]) -> Station:
    """The models laid out."""
    from profiler.runtimes.shared_export import SharedExport

    load: Loader = _function(message["loader"])
    shared = SharedExport(folder=Path(message["exports"]), is_first=message["is_first"])
    ready = [
        (request, *prepare_request(request, shared.of_model(number)))
        for number, request in enumerate(load(message["options"]))
    ]
    runner = LocalRunner(
        calls=[prepared.call for _, prepared, _ in ready],
        synchronize=ready[0][2].synchronize,
        clock=MonotonicClock(),
    )
    return Station(runner=runner, ready=ready)


def _description(station: Station, *, counts: bool) -> dict[str, Any]:
    """What is known of the models; all of it where this is asked for."""
    return {
        "facts": [encode(facts_of(*item)) for item in station.ready] if counts else [],
        "names": [request.name for request, _, _ in station.ready],
        "is_gpu": station.ready[0][2].is_gpu,
    }


def _function(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
