import copy
import json
import math
import pickle

import pytest

from profiler.errors import UsageError
from profiler.values.estimate import Basis
from profiler.values.score import efficiency_score

DENSE = {"parameter_count": 11_173_962, "mac_count": 555_422_720}

TABLE = [
    (11_173_962, 555_422_720, (3.979003, 1.989501, 0.994751)),
    (5_681_226, 281_744_384, (2.020735, 1.010367, 0.505184)),
    (2_934_858, 144_905_216, (1.041600, 0.520800, 0.260400)),
    (1_561_674, 76_485_632, (0.552033, 0.276017, 0.138008)),
    (1_439_626, 73_049_088, (0.517966, 0.258983, 0.129491)),
]


@pytest.mark.parametrize(("parameters", "macs", "scores"), TABLE)
def test_the_formula_gives_the_published_scores(parameters, macs, scores):
    for bits, expected in zip((32, 16, 8), scores, strict=True):
        score = efficiency_score(parameter_count=parameters, mac_count=macs, q_w=bits, q_a=bits)
        assert score == pytest.approx(expected, abs=5e-7)


def test_a_score_is_a_number_that_knows_its_terms():
    score = efficiency_score(**DENSE)
    assert isinstance(score, float)
    assert score.storage_term == pytest.approx(11_173_962 / 5.6e6)
    assert score.compute_term == pytest.approx(555_422_720 / 2.8e8)
    assert score == score.storage_term + score.compute_term
    assert score.inputs["mac_count"] == 555_422_720
    assert json.dumps(score) == json.dumps(float(score))
    assert score.estimate().basis is Basis.COUNTED
    assert score.estimate().point == score


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copied_score_is_the_same(duplicate):
    score = efficiency_score(**DENSE, p_u=0.25)
    again = duplicate(score)
    assert (again, again.notes, again.inputs) == (score, score.notes, score.inputs)


def test_structured_pruning_lowers_both_terms_and_zeroed_weights_only_storage():
    dense = efficiency_score(**DENSE)
    channels = efficiency_score(**DENSE, p_s=0.5)
    zeroed = efficiency_score(**DENSE, p_u=0.5)
    assert channels == pytest.approx(dense / 2)
    assert zeroed.storage_term == pytest.approx(dense.storage_term / 2)
    assert zeroed.compute_term == dense.compute_term


def test_the_wider_of_weights_and_activations_decides_the_compute():
    mixed = efficiency_score(**DENSE, q_w=8, q_a=16)
    assert mixed.compute_term == pytest.approx(efficiency_score(**DENSE).compute_term / 2)
    assert mixed.storage_term == pytest.approx(efficiency_score(**DENSE).storage_term / 4)


def test_channels_that_are_gone_cannot_be_counted_again():
    with pytest.raises(UsageError, match=r"p_s = 0\.5 would count channels twice"):
        efficiency_score(**DENSE, p_s=0.5, already_removed=True)
    assert efficiency_score(**DENSE, already_removed=True) == efficiency_score(**DENSE)


def test_a_pruning_ratio_says_whose_counts_it_needs():
    assert efficiency_score(**DENSE).notes == ()
    assert "unpruned network" in efficiency_score(**DENSE, p_s=0.3).notes[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"parameter_count": -1}, "parameter_count is a count, not -1"),
        ({"mac_count": math.inf}, "mac_count is a count, not inf"),
        ({"mac_count": math.nan}, "mac_count is a count, not nan"),
        ({"p_s": 1.5}, "p_s is a share from 0 to 1, not 1.5"),
        ({"p_u": -0.1}, "p_u is a share from 0 to 1, not -0.1"),
        ({"p_s": math.nan}, "p_s is a share"),
        ({"p_s": 0.6, "p_u": 0.6}, "p_s \\+ p_u is a share of the weights, not 1.2"),
        ({"q_w": 0}, "q_w is a number of bits"),
        ({"q_a": 128}, "q_a is a number of bits"),
    ],
)
def test_a_value_out_of_range_is_named(wrong, message):
    with pytest.raises(UsageError, match=message):
        efficiency_score(**(DENSE | wrong))
