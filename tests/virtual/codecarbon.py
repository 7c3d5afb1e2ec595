"""A stand-in for the process of CodeCarbon's tracker that sees a constant power; starts at once."""

from __future__ import annotations

from pathlib import Path

SCRIPT = """
import json, sys, time
settings = json.loads(sys.argv[1])
def say(**answer):
    print(json.dumps(answer), flush=True)
say(event="ready")
assert sys.stdin.readline() == "start\\n"
start_s = time.monotonic()
say(event="started")
assert sys.stdin.readline() == "stop\\n"
end_s = time.monotonic()
energy_kwh = {power_w} * (end_s - start_s) / 3.6e6
say(
    event="stopped", version="3.3.2", tracking_mode="machine", start_s=start_s, end_s=end_s,
    parts=dict(
        cpu=dict(energy_kwh=energy_kwh, is_measured=True, how="RAPL"),
        ram=dict(energy_kwh=energy_kwh, is_measured=False, how="assumed"),
    ),
    emissions_g=2 * energy_kwh * settings["pue"] * settings["intensity_g_per_kwh"],
    cpu_s=0.01, startup_cpu_s=1.0, complaint="", is_file_written=False,
)
"""


def stand_in(folder: Path, power_w: float) -> Path:
    """Write one that accounts for `power_w` on the CPU, and as much in the memory."""
    path = folder / "codecarbon_stand_in.py"
    path.write_text(SCRIPT.replace("{power_w}", repr(power_w)), encoding="utf-8")
    return path
