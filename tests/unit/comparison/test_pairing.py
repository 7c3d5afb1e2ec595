from dataclasses import replace

import pytest

from profiler.comparison.pairing import pair
from profiler.errors import UsageError
from tests.sample import resnet18, sample_profile


def names(pairing):
    return [
        (first.name, first.workload.batch_size, second.name, second.workload.batch_size)
        for first, second in pairing.pairs
    ]


def test_one_profile_a_side_is_always_a_pair():
    pairing = pair([sample_profile(batch_size=1)], [resnet18()])
    assert names(pairing) == [("lightweight", 1, "resnet18", 128)]


def test_batch_sizes_are_paired_across_models():
    slim = [sample_profile(batch_size=size) for size in (1, 128)]
    dense = [resnet18(batch_size=size) for size in (128, 1)]
    assert names(pair(slim, dense)) == [
        ("lightweight", 1, "resnet18", 1),
        ("lightweight", 128, "resnet18", 128),
    ]


def test_models_are_paired_by_name_where_there_are_several():
    before, after = [sample_profile(), resnet18()], [resnet18(), sample_profile()]
    assert [(row[0], row[2]) for row in names(pair(before, after))] == [
        ("lightweight", "lightweight"),
        ("resnet18", "resnet18"),
    ]


def test_precisions_are_compared_where_each_side_has_one():
    half = [
        replace(profile, workload=replace(profile.workload, dtype="bf16"))
        for profile in (sample_profile(batch_size=1), sample_profile())
    ]
    assert len(pair([sample_profile(batch_size=1), sample_profile()], half).pairs) == 2


def test_what_has_no_partner_is_named():
    pairing = pair([sample_profile(batch_size=1), sample_profile()], [sample_profile()])
    assert len(pairing.pairs) == 1
    assert pairing.only_base == ("lightweight, batch 1, fp32",)


def test_two_runs_of_one_workload_on_a_side_are_ambiguous():
    with pytest.raises(UsageError, match="same workload: lightweight, batch 128"):
        pair([sample_profile(), sample_profile()], [sample_profile()])
