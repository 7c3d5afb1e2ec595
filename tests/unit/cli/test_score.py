import json

import pytest

from profiler.cli import main
from profiler.store import save
from tests.sample import sample_profile

DENSE = ["--parameters", "11173962", "--macs", "555422720"]


@pytest.mark.parametrize(
    ("bits", "score"), [("32", "3.979003"), ("16", "1.989501"), ("8", "0.994751")]
)
def test_dense_resnet18_scores_as_the_study_says(capsys, bits, score):
    assert main(["score", *DENSE, "--q-w", bits, "--q-a", bits]) == 0
    assert capsys.readouterr().out.startswith(score)


def test_the_counts_of_a_run_are_those_of_one_image(tmp_path, capsys):
    path = save(sample_profile(), tmp_path / "run")
    assert main(["score", str(path), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["scores"]
    assert entry["inputs"]["mac_count"] == 12_159_488
    assert entry["score"] == pytest.approx(258_292 / 5.6e6 + 12_159_488 / 2.8e8)


def test_a_pruning_ratio_is_answered_with_a_note(capsys):
    assert main(["score", *DENSE, "--p-s", "0.5"]) == 0
    assert "unpruned network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs both --parameters and --macs"),
        (["--macs", "1"], "needs both --parameters and --macs"),
        (["run", *DENSE], "not from both"),
        ([*DENSE, "--p-s", "2"], "p_s is a share"),
    ],
)
def test_counts_that_do_not_make_a_score_are_usage_errors(arguments, message, capsys):
    assert main(["score", *arguments]) == 2
    assert message in capsys.readouterr().err
