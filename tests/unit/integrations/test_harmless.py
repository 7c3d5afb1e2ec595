from __future__ import annotations

import logging
import pickle
import warnings

import pytest

from profiler.integrations.harmless import MEASURE, Shield, harmless


class Hooks:
    def __init__(self) -> None:
        self.shield = Shield()
        self.given_up = 0

    def give_up(self) -> None:
        self.given_up += 1

    @harmless
    def on_epoch(self, error: BaseException | None = None) -> None:
        if error is not None:
            raise error


def test_a_hook_that_fails_is_one_warning_and_ends_the_measurement_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hooks = Hooks()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            hooks.on_epoch(OSError("disk full"))
    hooks.on_epoch()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "disk full" in caplog.text
    assert hooks.given_up == 1


def test_one_activity_that_fails_leaves_the_measurement_alone() -> None:
    hooks = Hooks()
    with hooks.shield("log joules to CSVLogger"):
        raise ValueError("no")
    hooks.on_epoch()
    assert hooks.given_up == 0
    assert MEASURE not in hooks.shield.failures


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_end_of_the_program_passes(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Hooks().on_epoch(error)


def test_a_shield_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Shield())).failures == {}
