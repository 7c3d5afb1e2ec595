"""Folders under a temporary root that look like the kernel's, and whose numbers move.

    tree = SysfsTree(tmp_path, clock.now_s)
    add_rapl(tree, script)                       # RaplMeter(tree.root, reader=tree) reads it
    tree.deny("*/energy_uj")                     # PermissionError, even for root
    tree.remove("intel-rapl:0")                  # the domain vanishes

The tree is the reader that a meter is given: a moving file has the value of the instant at which it
is read. `tick` writes the values of this instant into the files, for readers of files alone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from profiler.meters.sysfs import SysfsReader
from tests.virtual.power import PowerScript

Value = Callable[[float], float | str]
IDLE_TICKS = 100_000  # a machine has been up for a while


class SysfsTree(SysfsReader):
    def __init__(self, root: Path, now_s: Callable[[], float]) -> None:
        self.root = root
        self.now_s = now_s
        self._moving: dict[Path, Value] = {}
        self._refused: list[tuple[str, int]] = []

    def add(self, path: str, content: str | float | Value) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        self._moving.pop(file, None)
        if callable(content):
            self._moving[file] = content
            content = _shown(content(self.now_s()))
        file.write_text(f"{content}\n")

    def deny(self, pattern: str, code: int = errno.EACCES) -> None:
        self._refused.append((pattern, code))

    def remove(self, pattern: str) -> None:
        self._refused.append((pattern, errno.ENODEV))

    def forgive(self) -> None:
        """Undo every `deny` and `remove`."""
        self._refused.clear()

    def tick(self) -> None:
        for file, value in self._moving.items():
            file.write_text(f"{_shown(value(self.now_s()))}\n")

    def text(self, path: Path) -> str:
        name = path.relative_to(self.root).as_posix()
        for pattern, code in self._refused:
            if fnmatch(name, pattern) or fnmatch(name, f"{pattern}/*"):
                raise OSError(code, os.strerror(code), str(path))
        moving = self._moving.get(path)
        return super().text(path) if moving is None else _shown(moving(self.now_s()))


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else str(int(value))


def counter_uj(
    script: PowerScript, *, share: float = 1.0, start_uj: float = 5e6, wrap_uj: float | None = None
) -> Value:
    """A microjoule counter of a share of the true power, which moves every millisecond."""

    def value(now_s: float) -> float:
        seen_s = int(now_s * 1000 + 1e-6) / 1000
        total_uj = start_uj + 1e6 * share * script.energy_j(seen_s)
        return total_uj if wrap_uj is None else total_uj % wrap_uj

    return value


def add_domain(
    tree: SysfsTree, folder: str, name: str, value: Value, *, wrap_uj: float = 262_143_328_850
) -> None:
    tree.add(f"{folder}/name", name)
    tree.add(f"{folder}/max_energy_range_uj", int(wrap_uj))
    tree.add(f"{folder}/energy_uj", value)


def add_rapl(tree: SysfsTree, script: PowerScript, *, wrap_uj: float = 262_143_328_850) -> None:
    """One package (60 % of it core), memory at 10 % of its power, the platform, and the mirror."""

    def counter(share: float, start_uj: float) -> Value:
        return counter_uj(script, share=share, start_uj=start_uj, wrap_uj=wrap_uj)

    add_domain(tree, "intel-rapl:0", "package-0", counter(1.0, 5e6), wrap_uj=wrap_uj)
    add_domain(tree, "intel-rapl:0:0", "core", counter(0.6, 3e6), wrap_uj=wrap_uj)
    add_domain(tree, "intel-rapl:0:1", "dram", counter(0.1, 1e6), wrap_uj=wrap_uj)
    add_domain(tree, "intel-rapl:1", "psys", counter(1.5, 9e6), wrap_uj=wrap_uj)
    add_domain(tree, "intel-rapl-mmio:0", "package-0", counter(1.0, 5e6), wrap_uj=wrap_uj)
    tree.add("intel-rapl/enabled", 1)


def power_uw(script: PowerScript, *, share: float = 1.0) -> Value:
    return lambda now_s: 1e6 * share * script.power_w(now_s)


def add_proc(
    tree: SysfsTree,
    *,
    model: str,
    load: Callable[[float], float],
    sockets: int = 1,
    memory_kib: int = 16 * 1024**2,
) -> None:
    """A procfs whose CPUs are as busy as `load` (0 to 1) says; integrated in steps of one tick."""
    cpu_count = os.cpu_count() or 1
    start_s = tree.now_s()
    entries = [
        f"processor\t: {n}\nmodel name\t: {model}\nphysical id\t: {n % sockets}\n"
        for n in range(max(cpu_count, sockets))
    ]

    def stat(now_s: float) -> str:
        ticks = int((now_s - start_s) * 100 + 1e-6)
        busy = round(sum(cpu_count * load(start_s + (k + 0.5) / 100) for k in range(ticks)))
        idle = IDLE_TICKS + cpu_count * ticks - busy
        return f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 0 0 0 0\n"

    tree.add("cpuinfo", "\n".join(entries))
    tree.add("meminfo", f"MemTotal:       {memory_kib} kB\nMemFree: 1 kB")
    tree.add("stat", stat)
