from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.comparison.verdicts import compare
from profiler.values.estimate import Basis, Estimate
from profiler.values.findings import CONTENDED, Finding
from profiler.values.profile import Profile
from tests.sample import resnet18, sample_profile
from training.cli.comparison_screen import verdict
from training.evaluation.side_by_side import ContestantResult, SideBySide

BUSY = Finding(kind=CONTENDED, observed="busy", remedy="")


def with_accuracy(profile: Profile, share: float) -> Profile:
    accuracy = Estimate(
        point=share, low=share - 0.01, high=share + 0.01, unit="", confidence=0.95,
        basis=Basis.MEASURED, source="test split",
    )  # fmt: skip
    return replace(profile, accuracy=accuracy)


def beside(large: Profile, small: Profile) -> SideBySide:
    return SideBySide(
        data="images",
        results=(
            ContestantResult(label="large", profile=large, per_class=()),
            ContestantResult(label="small", profile=small, per_class=()),
        ),
        comparisons=(compare(large, small),),
    )


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.93, "small is not detectably less accurate than the most accurate (large), at 0.0"),
        (0.70, "large is the most accurate, and no model that is as accurate"),
    ],
)
def test_fewer_joules_count_only_where_accuracy_is_not_detectably_less(share, said) -> None:
    found = beside(with_accuracy(resnet18(), 0.931), with_accuracy(sample_profile(), share))
    assert said in " ".join(verdict(found).split())


def test_there_is_no_verdict_on_joules_while_other_work_took_the_cpus() -> None:
    busy = replace(with_accuracy(resnet18(), 0.931), findings=(BUSY,))
    found = beside(busy, with_accuracy(sample_profile(), 0.93))
    assert "there is none on joules" in " ".join(verdict(found).split())
