"""Read the same windows of the same load with this program and with others side by side.

A bare difference of two counter reads, Zeus (where it is installed) and CodeCarbon's tracker. It
takes about a minute, and the device must have nothing else to do.
"""

from __future__ import annotations

import argparse
import json

from profiler.cli.options import whole_number
from profiler.cli.stdout import stdout_to_stderr
from profiler.render import Document
from profiler.render.formats import render_document
from profiler.values.codec import encode
from reports.sections.devices import rivals_section


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `rivals`."""
    add = parser.add_argument
    add("--device", default="auto", metavar="D", help="cpu, cuda, cuda:N or auto (the default)")
    add("--seed", type=whole_number("--seed", 0), default=0, metavar="N", help="default: 0")
    add("--json", action="store_true", help="one JSON object on stdout and nothing else")


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from profiler.machine.device import find_device
    from reports.rivals.scenarios import measure_rivals

    with stdout_to_stderr():  # where the others say what they find
        report = measure_rivals(find_device(arguments.device), arguments.seed)
    if arguments.json:
        print(json.dumps(encode(report), allow_nan=False))
        return 0
    title = f"{report.device_name}, {report.load}"
    document = Document(title=title, lead=(), sections=(rivals_section(report),))
    print(render_document(document, "text"), end="")
    return 0
