"""No fault of a sensor may become a plausible wrong number: all of it on virtual hardware."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.virtual.faults import CASES, Answer, Case


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name.replace(" ", "-"))
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Case, list[Answer]]:
    case: Case = request.param
    return case, list(case.play(tmp_path_factory.mktemp("rapl")))


def test_every_answer_is_right_or_none_with_a_finding(played: tuple[Case, list[Answer]]) -> None:
    _, answers = played
    assert answers
    wrong = [answer for answer in answers if answer.verdict == "WRONG"]
    assert wrong == []


def test_every_finding_says_what_to_do(played: tuple[Case, list[Answer]]) -> None:
    _, answers = played
    assert all(finding.remedy for answer in answers for finding in answer.findings)


def test_what_cannot_be_known_is_not_given(played: tuple[Case, list[Answer]]) -> None:
    case, answers = played
    told = {answer.target.split("/", 1)[1]: answer for answer in answers}
    for device in case.must_tell:
        assert told[f"work/{device}"].energy_j is None


def test_a_sound_machine_is_measured_everywhere_without_a_word(tmp_path: Path) -> None:
    sound = next(case for case in CASES if case.name == "no fault at all")
    answers = list(sound.play(tmp_path))
    assert [answer.findings for answer in answers] == [()] * len(answers)
    for answer in answers:
        assert answer.energy_j is not None
        assert answer.truth_j is not None
        assert answer.energy_j.point == pytest.approx(answer.truth_j, rel=3e-3)


def test_the_judge_would_notice_a_wrong_number(tmp_path: Path) -> None:
    sound = next(case for case in CASES if case.name == "no fault at all")
    for answer in sound.play(tmp_path):
        assert answer.truth_j is not None
        lied = Answer(answer.target, 1.1 * answer.truth_j, answer.energy_j, ())
        assert lied.verdict == "WRONG"
        assert Answer(answer.target, answer.truth_j, None, ()).verdict == "WRONG"
