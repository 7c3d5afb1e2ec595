"""The house as CONTRIBUTING.md draws it, held against the imports themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("profiler", "models", "training", "reports")

# Room -> the rooms that it may import, lazily and for types too. A module that lies flat in its
# top-level folder is a room of its own. `profiler` is the library's face, which hands on what lies
# in its rooms; errors, interruption and version may be imported from anywhere.
MAY_IMPORT: dict[str, str] = {
    "profiler.files": "",
    "profiler.values": "",
    "profiler.inputs": "values workload",
    "profiler.inference": "values",
    "profiler.comparison": "values",
    "profiler.counting.operators": "",
    "profiler.counting": "counting.operators values",
    "profiler.meters": "values",
    "profiler.recording": "inference meters values",
    "profiler.machine": "inference meters values",
    "profiler.store": "files values",
    "profiler.render": "comparison values",
    "profiler.render.formats": "render values",
    "profiler.workload": "counting machine values",
    "profiler.variants": "counting machine values workload",
    "profiler.runtimes": "counting files machine values variants workload",
    "profiler.measurement": "counting inference machine meters recording runtimes values workload",
    "profiler.layers": "counting inference machine measurement meters recording values workload",
    "profiler.ledger": "inference machine meters recording render render.formats values",
    "profiler.integrations": "files ledger machine recording values",
    "profiler.cli": "comparison counting files inference inputs layers machine measurement meters"
    " recording render render.formats runtimes store values variants workload",
    "profiler": "comparison counting layers measurement recording store values variants",
    "profiler.__main__": "cli",
    "models.spaces": "",
    "models": "models.spaces",
    "models.outline": "counting variants",
    "models.drawing": "models.outline",
    "models.cli": "cli counting files values variants models models.drawing models.outline",
    "models.__main__": "models.cli",
    "training.recipe": "values",
    "training.run_folder": "ledger",
    "training.distribution": "machine meters values",
    "training.data": "inputs values training.distribution training.recipe",
    "training.result": "files ledger values training.recipe training.run_folder",
    "training.checkpoints": "files inputs values variants workload training.data"
    " training.recipe training.result training.run_folder",
    "training.progress": "values training.recipe training.result",
    "training.evaluation": "comparison inputs machine measurement meters recording values workload"
    " training.checkpoints training.data training.distribution training.result",
    "training.experiments": "files render values training.evaluation training.progress"
    " training.recipe training.result training.run_folder",
    "training.run": "files inputs ledger machine measurement meters values variants"
    " workload"
    " training.checkpoints training.data training.distribution training.evaluation"
    " training.progress training.recipe training.result training.run_folder",
    "training.search": "counting files ledger machine measurement render values variants workload"
    " training.checkpoints training.data training.progress training.recipe training.result"
    " training.run training.run_folder",
    "training.cli": "cli comparison files inputs ledger machine render render.formats store values"
    " training.checkpoints training.distribution training.evaluation training.experiments"
    " training.progress training.recipe training.result training.run training.run_folder"
    " training.search",
    "training.__main__": "training.cli",
    "training": "",
    "reports.data_error": "",
    "reports.toml_file": "values reports.data_error",
    "reports.engines": "values",
    "reports.studies": "files store values variants reports.data_error reports.engines"
    " reports.toml_file training.result training.run_folder",
    "reports.publication": "files measurement store values reports.studies training.run_folder",
    "reports.rivals": "layers machine measurement meters recording values",
    "reports.trainings": "values reports.data_error training.experiments training.recipe"
    " training.result training.run_folder",
    "reports.claims": "comparison values reports.data_error reports.toml_file reports.trainings",
    "reports.sections": "comparison render values reports.claims reports.rivals reports.studies"
    " reports.trainings",
    "reports.material": "store values reports.studies reports.trainings training.run_folder",
    "reports.build": "files render render.formats values reports.claims reports.material"
    " reports.sections reports.trainings",
    "reports.cli": "cli comparison machine render render.formats values reports.build"
    " reports.claims reports.engines reports.material reports.publication reports.rivals"
    " reports.sections reports.studies",
    "reports.__main__": "reports.cli",
    "reports": "",
}

FROM_ANYWHERE = {"profiler.errors", "profiler.interruption", "profiler.version"}
CORE = ("errors", "values", "inference", "comparison", "render")
OUTSIDE_WORLD = {
    "torch", "torchvision", "time", "datetime", "os", "pathlib", "shutil", "tempfile",
    "subprocess", "socket", "threading", "pynvml", "codecarbon", "psutil",
}  # fmt: skip
MOST_FLAT = {"profiler": 6, "training": 5}


def modules(*tops: str) -> list[Path]:
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))


@cache
def module_of(dotted: str) -> Path | None:
    """The file of a module or package of this tree."""
    path = ROOT.joinpath(*dotted.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


def imports(path: Path) -> set[str]:
    """Absolute dotted names that a module imports anywhere, type-checking blocks included."""
    package = path.relative_to(ROOT).parts[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *((node.module,) if node.module else ())))
            for alias in node.names:
                inner = f"{stem}.{alias.name}"
                names.add(inner if module_of(inner) else stem)
    return names


def room(path: Path) -> str:
    """The package of a module, or the module itself where it lies flat in its top-level folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if len(parts) == 2:
        return parts[0] if parts[1] == "__init__" else ".".join(parts)
    return ".".join(parts[:-1])


@cache
def house() -> dict[str, dict[str, list[str]]]:
    """Room -> room that it imports -> the files that do."""
    arrows: dict[str, dict[str, list[str]]] = {}
    for path in modules(*TOPS):
        for name in imports(path):
            target = module_of(name)
            if name.split(".")[0] in TOPS and target and room(target) != room(path):
                files = arrows.setdefault(room(path), {}).setdefault(room(target), [])
                files.append(str(path.relative_to(ROOT)))
    return arrows


def allowed(name: str) -> set[str]:
    tops = ("models", "training", "reports")
    full = {
        word if word.split(".")[0] in tops else f"profiler.{word}"
        for word in MAY_IMPORT[name].split()
    }
    return full | FROM_ANYWHERE


@pytest.mark.parametrize("name", sorted({room(path) for path in modules(*TOPS)} - FROM_ANYWHERE))
def test_a_room_imports_what_the_table_lets_it(name: str) -> None:
    too_much = {
        target: files
        for target, files in house().get(name, {}).items()
        if target not in allowed(name)
    }
    assert too_much == {}


@pytest.mark.parametrize("name", sorted(MAY_IMPORT))
def test_the_table_allows_no_arrow_that_nobody_needs(name: str) -> None:
    assert allowed(name) - FROM_ANYWHERE <= set(house().get(name, {}))


def test_no_arrow_runs_back_up() -> None:
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above, name))
        if name not in done:
            for target in house().get(name, {}):
                walk(target, (*above, name))
            done.add(name)

    for name in house():
        walk(name, ())


def test_no_two_modules_import_each_other_in_a_loop() -> None:
    arrows = {path: {module_of(name) for name in imports(path)} for path in modules(*TOPS)}
    done: set[Path] = set()

    def walk(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, " -> ".join(str(item.relative_to(ROOT)) for item in above)
        if path not in done:
            for target in arrows.get(path, ()):
                # A package's face hands on what lies inside, which may import its sisters.
                if target is not None and target != path and target.name != "__init__.py":
                    walk(target, (*above, path))
            done.add(path)

    for path in arrows:
        walk(path, ())


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in modules("profiler")
        if path.relative_to(ROOT).with_suffix("").parts[1] in CORE
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_core_knows_no_torch_no_clock_no_disk(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & OUTSIDE_WORLD


def test_the_library_imports_none_of_its_neighbours() -> None:
    neighbours = {"models", "training", "reports", "tests"}
    offenders = {
        str(path.relative_to(ROOT))
        for path in modules("profiler")
        if {name.split(".")[0] for name in imports(path)} & neighbours
    }
    assert offenders == set()


def advice(path: Path) -> set[str]:
    """The texts of a module that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, kinds) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }


def test_the_library_advises_nothing_that_its_wheel_lacks() -> None:
    lacking = re.compile(r"python -m (training|models|reports)|(profiler|training|models)/\S*\.py")
    assert lacking.search("see `python -m training evaluate`")
    offenders = {
        f"{path.relative_to(ROOT)}: {text}"
        for path in modules("profiler")
        for text in advice(path)
        if lacking.search(text)
    }
    assert offenders == set()


def test_the_rules_would_catch_an_offender() -> None:
    offender = ROOT / "profiler" / "measurement" / "model.py"
    assert {name.split(".")[0] for name in imports(offender)} & OUTSIDE_WORLD
    assert "profiler.measurement" not in allowed("profiler.values")


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
    for path in modules(*TOPS):
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(ROOT))
        if text.count("\n") > 300:
            long_modules.append(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                if node.end_lineno - node.lineno + 1 > 60:
                    long_functions.append(f"{name}:{node.name}")
    assert long_modules == []
    assert long_functions == []


@pytest.mark.parametrize("top", sorted(MOST_FLAT))
def test_few_files_lie_flat(top: str) -> None:
    assert len(list((ROOT / top).glob("*.py"))) <= MOST_FLAT[top]


def test_a_class_name_means_one_thing() -> None:
    homes: dict[str, set[str]] = {}
    for path in modules(*TOPS):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, set()).add(str(path.relative_to(ROOT)))
    # Each host's callback has the name that its users import it by.
    assert {name for name, files in homes.items() if len(files) > 1} <= {"EnergyCallback"}
