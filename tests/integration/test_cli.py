"""The verbs as processes: exit codes, stdout that is data alone, and what is imported."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from profiler.store import save_run
from tests.integration.processes import COMMAND, ROOT, TINY, environment, run
from tests.sample import resnet18, sample_profile

HEAVY = ("torch", "pandas", "scipy", "numpy", "rich", "codecarbon", "sklearn")
# What a report may have of it: pyarrow for the readings that it draws, scipy for its fits.
OF_REPORTS = ("pandas", "scipy", "numpy")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder with one real run, and what `measure --json` said."""
    folder = tmp_path_factory.mktemp("measured")
    return folder, run(folder, "measure", "--model", "lightweight", *TINY, "--json")


@pytest.fixture
def stored(tmp_path):
    """A folder with two runs that were never measured: enough for the verbs that only read."""
    save_run(resnet18(), tmp_path / "runs")
    save_run(sample_profile(), tmp_path / "runs")
    return tmp_path


def test_measure_puts_one_json_object_on_stdout_and_nothing_else(measured):
    folder, process = measured
    assert process.returncode == 0
    (profile,) = json.loads(process.stdout)["profiles"]
    assert profile["mac_count"]["point"] == 12_159_488
    (name,) = os.listdir(folder / "runs")
    assert process.stderr == f"stored in runs/{name}\n"
    assert {"profile.json", "layers.csv"} <= set(os.listdir(folder / "runs" / name))


def test_a_real_run_can_be_verified_reported_and_compared(measured):
    folder, _ = measured
    (name,) = os.listdir(folder / "runs")
    assert run(folder, "verify", name).returncode == 0
    assert "lightweight" in run(folder, "report", name, "--format", "md").stdout
    comparison = run(folder, "compare", name, name, "--json", "--fail-above", "5%")
    (told,) = json.loads(comparison.stdout)["comparisons"]
    assert told["verdict"] not in ("less", "more")
    assert comparison.returncode in (0, 4)


def test_stats_puts_one_json_object_on_stdout(tmp_path):
    process = run(tmp_path, "stats", "--model", "resnet18", "--classes", "10", "--json")
    assert process.returncode == 0
    assert json.loads(process.stdout)["mac_count"] == 555_422_720
    assert process.stderr == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        ("doctor", "--seconds", "0.3", "--json"),
        ("compare", "runs", "runs", "--json"),
        ("runs", "--json"),
        ("report", "runs", "--format", "json"),
        ("score", "--parameters", "258292", "--macs", "12159488", "--json"),
    ],
    ids=lambda words: words[0],
)
def test_every_verb_puts_one_json_object_on_stdout(words, stored):
    process = run(stored, *words)
    assert process.returncode == 0
    assert isinstance(json.loads(process.stdout), dict | list)
    assert process.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("measure", "--help"),
        ("report", "runs"),
        ("report", "runs", "--format", "html"),
        ("compare", "runs", "runs"),
        ("runs",),
        ("score", "--parameters", "1", "--macs", "1"),
        ("mesure",),
    ],
    ids=" ".join,
)
def test_what_only_reads_imports_nothing_heavy(words, stored):
    is_report = words[0] == "report"
    heavy = tuple(name for name in HEAVY if not (is_report and name in OF_REPORTS))
    script = (
        "import sys\n"
        "from profiler.cli import main\n"
        "try:\n"
        f"    main({list(words)!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=stored,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert process.stderr.splitlines()[-1] == "[]"


def test_without_arguments_the_help_is_talk_and_the_code_is_usage(tmp_path):
    process = run(tmp_path)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith("usage: wattprof")


def test_an_error_has_no_traceback_and_with_debug_it_has(tmp_path):
    quiet = run(tmp_path, "report", "nothing")
    assert quiet.returncode == 1
    assert "Traceback" not in quiet.stderr
    assert quiet.stderr.startswith("error: ")
    assert "Traceback" in run(tmp_path, "report", "nothing", "--debug").stderr


@pytest.mark.parametrize("form", ["text", "html"])
def test_a_reader_that_goes_away_is_no_error_to_talk_about(form, stored):
    with subprocess.Popen(
        [*COMMAND, "report", "runs", "--format", form],
        cwd=stored,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_console_script_is_the_same_program(tmp_path):
    script = shutil.which("wattprof", path=os.path.dirname(sys.executable))
    if script is None:
        pytest.skip("not installed in this environment")
    words = ["score", "--parameters", "258292", "--macs", "12159488", "--json"]
    printed = subprocess.run([script, *words], capture_output=True, cwd=tmp_path, check=True)
    assert printed.stdout.decode() == run(tmp_path, *words).stdout


def test_the_package_that_runs_is_the_one_under_test(tmp_path):
    script = "import profiler; print(profiler.__file__)"
    printed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == str(ROOT / "profiler" / "__init__.py")
