import re

from profiler.machine.environment import describe, host_facts


def test_every_fact_is_text():
    facts = host_facts()
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in facts.items())
    assert {"cpu", "cpu_count", "os", "python", "wattprof", "virtual_machine"} <= set(facts)
    assert int(facts["memory_bytes"]) > 0


def test_the_same_machine_has_the_same_fingerprint():
    assert describe("CPU").fingerprint == describe("CPU").fingerprint
    assert re.fullmatch("[0-9a-f]{12}", describe("CPU").fingerprint)


def test_hardware_and_software_change_the_fingerprint():
    prints = {
        describe(device, facts).fingerprint
        for device, facts in (
            ("CPU", {}),
            ("GPU", {}),
            ("GPU", {"driver": "580"}),
            ("GPU", {"driver": "590"}),
            ("GPU", {"driver": "590", "power_limit_w": "300"}),
            ("GPU", {"torch": "0"}),
        )
    }
    assert len(prints) == 6


def test_what_does_not_bear_on_energy_leaves_the_fingerprint_alone():
    assert describe("GPU", {"gpu_uuid": "a"}).fingerprint == describe("GPU").fingerprint


def test_given_facts_win():
    assert describe("GPU", {"cpu": "another"}).facts["cpu"] == "another"
