import json
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.cli import main
from profiler.store import save_run
from tests.sample import resnet18, sample_profile


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "runs"
    save_run(sample_profile(), root)
    save_run(resnet18(), root)
    return root


def test_markdown_goes_to_stdout_by_default(root, capsys):
    assert main(["report", str(root)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("# ")
    assert captured.err == ""


def test_a_run_is_found_by_part_of_its_name(root, capsys):
    assert main(["report", "resnet", "--root", str(root), "--format", "json"]) == 0
    (profile,) = json.loads(capsys.readouterr().out)["profiles"]
    assert profile["name"] == "resnet18"


def test_html_is_written_to_a_file(root, tmp_path, capsys):
    target = tmp_path / "sub" / "report.html"
    arguments = ["report", str(root), "--format", "html", "--out", str(target), "--title", "A & B"]
    assert main(arguments) == 0
    assert "<h1>A &amp; B</h1>" in target.read_text()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"wrote {target}\n"


def test_quiet_says_nothing(root, tmp_path, capsys):
    assert main(["report", str(root), "--out", str(tmp_path / "r.md"), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_folder_as_out_is_an_error(root, tmp_path, capsys):
    assert main(["report", str(root), "--out", str(tmp_path)]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert [item.name for item in tmp_path.iterdir()] == ["runs"]


def test_an_unknown_run_is_one_sentence_and_a_hint(root, capsys):
    assert main(["report", "nothing", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "'nothing'" in captured.err
    assert "hint: " in captured.err
    assert "Traceback" not in captured.err


def test_an_unknown_format_is_a_usage_error(root):
    assert main(["report", str(root), "--format", "pdf"]) == 2


@pytest.mark.parametrize(
    "words", [["report", "RUNS"], ["compare", "RUNS", "RUNS"], ["runs", "--root", "RUNS"]]
)
def test_reading_runs_imports_nothing_heavy(root, words):
    # A report fits lines through joules; the others read numbers and print them.
    needed = {"numpy", "scipy"} if words[0] == "report" else set()
    words = [str(root) if word == "RUNS" else word for word in words]
    code = (
        "import sys; from profiler.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'pandas', 'pyarrow', 'rich', 'jinja2', 'scipy'};"
        f"heavy -= {needed!r};"
        "sys.exit(code or str(sorted(heavy & set(sys.modules))).strip('[]') or 0)"
    )
    repository = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
