"""The dependency rule of CONTRIBUTING.md, read off the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROFILER = ROOT / "profiler"
NEIGHBOURS = {"models", "training", "reports", "tests"}
CORE = (
    "errors", "units", "trace", "estimate", "stats", "inference", "layercost", "profile",
    "quantities", "findings", "reproducibility", "codec", "layertable", "comparison", "pairing",
    "gate", "score", "callcost", "render",
)  # fmt: skip
OUTSIDE_WORLD = {
    "torch", "torchvision", "time", "datetime", "os", "pathlib", "shutil", "tempfile",
    "subprocess", "socket", "threading", "pynvml", "codecarbon", "psutil",
}  # fmt: skip
OUTER_ROOMS = {
    "meters", "recorder", "recording", "sampler", "clock", "measurement", "experiment", "device",
    "environment", "store", "journal", "cli", "target", "inputs", "workbench", "command",
}  # fmt: skip


def modules(*rooms: str) -> list[Path]:
    found = []
    for room in rooms:
        folder = PROFILER / room
        found += sorted(folder.rglob("*.py")) if folder.is_dir() else [PROFILER / f"{room}.py"]
    return found


def imports(path: Path, *, only_at_run_time: bool = True) -> set[str]:
    """Absolute dotted names that a module imports anywhere, type-checking blocks left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            skipped.update(child for item in node.body for child in ast.walk(item))
    names: set[str] = set()
    package = path.relative_to(ROOT).with_suffix("").parts
    package = package[:-1]
    for node in ast.walk(tree):
        if only_at_run_time and node in skipped:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *((node.module,) if node.module else ())))
            names.add(stem)
            names.update(f"{stem}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", modules(*CORE), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_knows_no_torch_no_clock_no_disk(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)}
    assert not tops & OUTSIDE_WORLD
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("profiler.")}
    assert not rooms & OUTER_ROOMS


@pytest.mark.parametrize("path", sorted(PROFILER.rglob("*.py")), ids=lambda p: str(p.name))
def test_the_library_imports_none_of_its_neighbours(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & NEIGHBOURS


def test_the_rule_would_catch_an_offender(tmp_path: Path) -> None:
    offender = PROFILER / "measurement.py"
    assert {name.split(".")[0] for name in imports(offender)} & OUTSIDE_WORLD


def test_importing_the_package_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, profiler; print(sorted({'torch','numpy','pandas','rich'} & set(sys.modules)))"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words", [["--help"], ["report", "--help"], ["compare", "--help"], ["runs"]]
)
def test_verbs_that_only_read_load_no_torch(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom profiler.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch','numpy','pandas'} & set(sys.modules)), file=sys.stderr)"
    )
    seen = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert seen.stderr.strip().splitlines()[-1] == "[]"


def test_every_public_name_can_be_had() -> None:
    import profiler

    missing = [name for name in profiler.__all__ if not hasattr(profiler, name)]
    assert missing == []
    assert set(dir(profiler)) == set(profiler.__all__)


def test_modules_and_functions_stay_small() -> None:
    long_modules, long_functions = [], []
    for path in [*PROFILER.rglob("*.py"), *(ROOT / "models").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 300:
            long_modules.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                if node.end_lineno - node.lineno + 1 > 60 and node.name != "measure":
                    long_functions.append(f"{path.name}:{node.name}")
    assert long_modules == []
    assert long_functions == []
