"""A fresh process that prepares models and makes the timed calls it is asked for.

It is told which function of this library loads the models, and with which options, so that no
object of the user's ever travels between processes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from profiler.interruption import heed_interruption
from profiler.meters.clock import MonotonicClock
from profiler.values.codec import encode

from .messages import error_message, receive, send
from .request import Request, facts_of, prepare_request
from .runners import LocalRunner

Loader = Callable[[dict[str, Any]], Sequence[Request]]


def main(socket_fd: int) -> None:
    """Answer messages until the other side has gone."""
    runner: LocalRunner | None = None
    with (
        socket.socket(fileno=socket_fd) as link,
        link.makefile("r", encoding="utf-8") as questions,
        link.makefile("w", encoding="utf-8") as answers,
    ):
        while (message := receive(questions)) is not None:
            try:
                if runner is None:
                    runner, facts = _prepared(message)
                    send(answers, {"facts": facts})
                elif "follow_up" in message:
                    result = _function(message["follow_up"])(message["options"])
                    send(answers, {"result": result})
                else:
                    send(answers, asdict(runner.run(*message["run"])))
            except Exception as error:  # whatever it is, the measurement is to say it
                heed_interruption(error)
                send(answers, error_message(error))


def _prepared(message: dict[str, Any]) -> tuple[LocalRunner, list[Any]]:
    """The models laid out, and what is known of them where this is asked for."""
    from profiler.runtimes.shared_export import SharedExport

    load: Loader = _function(message["loader"])
    shared = SharedExport(folder=Path(message["exports"]), is_first=message["is_first"])
    ready = [
        (request, *prepare_request(request, shared.of_model(number)))
        for number, request in enumerate(load(message["options"]))
    ]
    facts = [encode(facts_of(*item)) for item in ready] if message["is_first"] else []
    runner = LocalRunner(
        calls=[prepared.call for _, prepared, _ in ready],
        synchronize=ready[0][2].synchronize,
        clock=MonotonicClock(),
    )
    return runner, facts


def _function(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
