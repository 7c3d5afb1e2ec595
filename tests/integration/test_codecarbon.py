"""CodeCarbon's real package beside `run`, on a virtual H100: what it says and never does."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.virtual.nvml import Scenario, VirtualGpu
from tests.virtual.power import constant
from tests.virtual.process import environment

POWER_W = 300.0
# Every Python process below notes what it connects to, starts and writes.
WATCH = """
import json, os, sys

def note(event, arguments):
    is_write = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
    if is_write or event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        words = [event, str(arguments[1] if event == "subprocess.Popen" else arguments[0])]
        with_path = os.open(NOTES + str(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(with_path, (json.dumps(words) + "\\n").encode())
        os.close(with_path)

NOTES = {notes!r}
if any("codecarbon_process" in word for word in sys.orig_argv):
    busy = []
    def guarded(event, arguments):
        if not busy:
            busy.append(1)
            try:
                note(event, arguments)
            finally:
                busy.clear()
    sys.addaudithook(guarded)
from tests.virtual.process import install_when_imported
install_when_imported()
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("codecarbon")
    notes, inside, bins = folder / "notes", folder / "inside", folder / "bin"
    for path in (notes, inside, bins):
        path.mkdir()
    watch = WATCH.replace("{notes!r}", repr(f"{notes}/"))
    (inside / "sitecustomize.py").write_text(watch, encoding="utf-8")
    (bins / "nvidia-smi").write_text("#!/bin/sh\n", encoding="utf-8")
    (bins / "nvidia-smi").chmod(0o755)
    # Settings of the user that would let it talk to a server, and move the run to Quebec.
    settings = "emissions_endpoint=http://127.0.0.1:9\ncountry_iso_code=CAN\nforce_cpu_power=9999\n"
    (folder / ".codecarbon.config").write_text(f"[codecarbon]\n{settings}", encoding="utf-8")
    gpu = VirtualGpu(script=constant(POWER_W, 3600).at(time.monotonic()), phase_s=0.03)
    machine = environment(Scenario(gpus=(gpu,)))
    machine.pop("WATTPROF_NO_CODECARBON")
    machine |= {
        "HOME": str(folder),
        "PATH": f"{bins}{os.pathsep}{machine['PATH']}",
        "PYTHONPATH": f"{inside}{os.pathsep}{machine['PYTHONPATH']}",
        "CODECARBON_EMISSIONS_ENDPOINT": "http://127.0.0.1:9",
        "OMP_NUM_THREADS": "1",
    }
    words = ["--json", "--out", "runs", "--country", "fra", "--pue", "1.5", "--emissions", "em.csv"]
    ran = subprocess.run(
        [sys.executable, "-m", "profiler", "run", *words, "--", "sleep", "1.5"],
        cwd=folder, env=machine, capture_output=True, text=True, timeout=200, check=True,
    )  # fmt: skip
    with (folder / "em.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [line for path in notes.iterdir() for line in path.read_text("utf-8").splitlines()]
    (profile,) = json.loads(ran.stdout)["profiles"]
    return {"profile": profile, "rows": rows, "did": [json.loads(line) for line in lines]}


def test_its_account_stands_beside_ours_over_the_same_span(done: dict[str, Any]) -> None:
    opinion = done["profile"]["codecarbon"]
    parts = {part["device"]: part for part in opinion["parts"]}
    span_s = opinion["span_s"]["point"]
    assert span_s >= done["profile"]["latency_s"]["point"]
    assert parts["gpu"]["energy_kwh"]["basis"] == "measured"
    assert parts["cpu"]["energy_kwh"]["basis"] in ("measured", "estimated")
    assert parts["ram"]["energy_kwh"]["basis"] == "estimated"
    # It takes the counter as it stands, up to 100 ms old at either edge.
    gpu_j = 3.6e6 * parts["gpu"]["energy_kwh"]["point"]
    assert gpu_j == pytest.approx(POWER_W * span_s, abs=0.15 * POWER_W)
    own_j = 3.6e6 * parts["gpu"]["own_energy_kwh"]["point"]
    assert own_j == pytest.approx(POWER_W * span_s, rel=0.01)
    assert parts["gpu"]["ratio"]["point"] == pytest.approx(gpu_j / own_j)
    kinds = {finding["kind"] for finding in done["profile"]["findings"]}
    assert not {"codecarbon-lost", "codecarbon-unseen", "codecarbon-file"} & kinds


def test_grams_are_those_of_our_country_and_pue(done: dict[str, Any]) -> None:
    opinion, carbon = done["profile"]["codecarbon"], done["profile"]["carbon"]
    intensity = carbon["intensity_g_per_kwh"]["point"]
    assert opinion["emissions_g"]["point"] == pytest.approx(
        opinion["energy_kwh"]["point"] * 1.5 * intensity
    )


def test_its_own_file_is_left_on_request(done: dict[str, Any]) -> None:
    (row,) = done["rows"]
    assert (row["country_iso_code"], row["tracking_mode"], row["pue"]) == ("FRA", "machine", "1.5")
    opinion = done["profile"]["codecarbon"]
    assert float(row["energy_consumed"]) == pytest.approx(1.5 * opinion["energy_kwh"]["point"])


def test_what_it_costs_is_stated(done: dict[str, Any]) -> None:
    opinion = done["profile"]["codecarbon"]
    share = opinion["core_share"]["point"]
    assert share == pytest.approx(opinion["cpu_s"]["point"] / opinion["span_s"]["point"])
    assert opinion["cpu_s"]["point"] > 0
    assert opinion["startup_cpu_s"]["point"] > 0


def test_it_talks_to_nobody_locks_nothing_and_asks_for_no_rights(done: dict[str, Any]) -> None:
    did = done["did"]
    assert not [words for words in did if words[0].startswith("socket.")]
    started = [words for event, words in did if event == "subprocess.Popen"]
    assert any("nvidia-smi" in words for words in started)  # the watch was awake
    assert not [words for words in started if "sudo" in words]
    written = {Path(path) for event, path in did if event == "open" and not path.isdecimal()}
    assert not [path for path in written if "lock" in path.name]
    kept = {path.name for path in written if path.exists()}
    assert kept == {"em.csv", "null"}
