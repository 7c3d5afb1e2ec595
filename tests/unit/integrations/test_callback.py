from __future__ import annotations

import builtins
import importlib
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from profiler.errors import UsageError
from profiler.integrations.callback import EnergyReport, for_loggers
from profiler.integrations.nodes import RankPlace
from profiler.values.estimate import Basis, Estimate
from tests.virtual.jobs import VirtualMachine, never_records

KWH_J = 3.6e6


def ended(power_w: float, duration_s: float) -> EnergyReport:
    machine = VirtualMachine([(1e6, power_w)])
    report = EnergyReport(record=machine.record)
    report._job.start("train", RankPlace())
    machine.sleep(duration_s)
    report._job.finish()
    return report


def test_a_model_card_gets_grams_with_their_source() -> None:
    report = ended(1000.0, 36.0)
    entry = report.co2_eq_emissions("DEU", pue=1.5, training_type="fine-tuning")
    assert entry is not None
    assert list(entry) == [
        "emissions", "source", "training_type", "geographical_location", "hardware_used",
    ]  # fmt: skip
    assert entry["training_type"] == "fine-tuning"
    assert entry["geographical_location"] == "DEU"
    assert "PUE 1.5 (quoted)" in entry["source"]
    assert "measured: synthetic counter" in entry["source"]
    assert "95 % interval" in entry["source"]
    exact = report.co2_eq_emissions(intensity_g_per_kwh=400.0)
    assert exact is not None
    assert exact["emissions"] == pytest.approx(0.01 * 400, rel=0.01)


def test_a_model_card_leaves_out_what_nobody_said() -> None:
    entry = ended(1000.0, 5.0).co2_eq_emissions()
    assert entry is not None
    assert set(entry) == {"emissions", "source", "hardware_used"}
    assert "475 g/kWh (assumed: world mean" in entry["source"]
    assert "--" not in entry["source"]


def test_without_joules_there_are_no_grams() -> None:
    assert EnergyReport(record=never_records).co2_eq_emissions("FRA") is None


def test_an_unknown_country_is_an_error_of_the_caller() -> None:
    with pytest.raises(UsageError, match="XXX"):
        EnergyReport(record=never_records).co2_eq_emissions("XXX")


def test_loggers_get_no_number_for_what_was_not_seen() -> None:
    seen = Estimate(
        point=12.5, low=12.0, high=13.0, unit="J", confidence=0.95, basis=Basis.ESTIMATED,
        source="a model", estimated_share=1.0,
    )  # fmt: skip
    assert for_loggers({"train_epoch": None}) == {}
    assert for_loggers({"train_epoch": seen, "validation": None}) == {
        "energy_j/train_epoch": 12.5, "energy_j/estimated_share": 1.0,
    }  # fmt: skip
    partly = replace(seen, estimated_share=0.25)
    assert for_loggers({"a": partly, "b": seen})["energy_j/estimated_share"] == 1.0


@pytest.mark.parametrize(
    ("module", "hosts", "extra"),
    [
        ("lightning", {"lightning", "pytorch_lightning"}, "lightning"),
        ("huggingface", {"transformers"}, "huggingface"),
    ],
)
def test_a_host_that_is_missing_is_one_sentence(
    module: str, hosts: set[str], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"profiler.integrations.{module}"
    importer = builtins.__import__

    def refuse(wanted: str, *rest: Any) -> Any:
        top = wanted.partition(".")[0]
        if top in hosts:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
        return importer(wanted, *rest)

    def refuse_too(wanted: str, package: str | None = None) -> Any:
        return refuse(wanted)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, name, raising=False)
    load = importlib.import_module
    if module == "lightning":
        monkeypatch.setattr(importlib, "import_module", refuse_too)
    with pytest.raises(ModuleNotFoundError) as caught:
        load(name)
    assert str(caught.value).endswith(f'pip install "wattprof[{extra}]"')
    assert "\n" not in str(caught.value)


def test_importing_the_package_loads_no_host() -> None:
    code = (
        "import sys, profiler, profiler.integrations, profiler.integrations.callback\n"
        "hosts = {'lightning', 'pytorch_lightning', 'transformers', 'accelerate', 'torch'}\n"
        "print(sorted(hosts & set(sys.modules)))"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == "[]"
