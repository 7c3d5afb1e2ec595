from types import SimpleNamespace
from uuid import UUID

import pytest
import torch

from profiler.errors import DeviceError, UsageError
from profiler.machine.device import find_device


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    class Properties:
        name = "NVIDIA H100"
        uuid = "5c1f9e3a"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties)


def test_the_cpu_is_always_there():
    device = find_device("cpu")
    assert (device.name, device.is_gpu, device.identity) == ("cpu", False, None)
    assert device.label
    assert device.findings == ()


def test_auto_falls_back_to_the_cpu_and_says_so(without_cuda):
    device = find_device("auto")
    assert device.name == "cpu"
    assert [finding.kind for finding in device.findings] == ["cpu-fallback"]


@pytest.mark.parametrize("word", ["cuda", "cuda:0", "cuda:1"])
def test_a_gpu_that_is_not_there_is_an_error_with_a_way_out(without_cuda, word):
    with pytest.raises(DeviceError, match=f"--device {word} ") as caught:
        find_device(word)
    assert "--device auto" in caught.value.hint


@pytest.mark.parametrize("word", ["", "gpu0", "CPU", "cuda:", "cuda:-1", "cuda:x", "mps", "cuda:²"])
def test_another_word_is_a_usage_error(two_gpus, word):
    with pytest.raises(UsageError, match="there is no device"):
        find_device(word)


def test_a_gpu_is_known_by_its_uuid_as_nvml_writes_it(two_gpus):
    device = find_device("cuda:1")
    assert (device.name, device.is_gpu) == ("cuda:1", True)
    assert (device.label, device.identity) == ("NVIDIA H100", "GPU-5c1f9e3a")
    assert find_device("cuda").name == find_device("auto").name == "cuda:0"


def test_a_number_past_the_last_gpu_is_an_error(two_gpus):
    with pytest.raises(DeviceError, match="there is no cuda:2: this process sees 2"):
        find_device("cuda:2")


def test_an_amd_gpu_is_known_by_its_pci_address(two_gpus, monkeypatch):
    properties = SimpleNamespace(
        name="AMD Instinct", uuid="x", pci_domain_id=0, pci_bus_id=0xC3, pci_device_id=0
    )
    monkeypatch.setattr(torch.version, "hip", "7.0")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    assert find_device("cuda:1").identity == "0000:c3:00.0"


INTEL_UUID = bytes.fromhex("8680a0560800000003000000000000 00".replace(" ", ""))


@pytest.mark.parametrize("uuid", [INTEL_UUID, INTEL_UUID.hex(), UUID(bytes=INTEL_UUID)])
def test_an_intel_gpu_is_known_by_its_pci_address(monkeypatch, uuid):
    properties = SimpleNamespace(name="Intel Arc", uuid=uuid)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: True)
    monkeypatch.setattr(torch.xpu, "device_count", lambda: 1)
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda device: properties)
    device = find_device("xpu")
    assert (device.name, device.is_gpu, device.identity) == ("xpu:0", True, "0000:03:00.0")
    assert find_device("auto").name == "xpu:0"
    with pytest.raises(DeviceError, match="there is no xpu:1"):
        find_device("xpu:1")


def test_an_intel_gpu_that_is_not_there_is_an_error_with_a_way_out(monkeypatch):
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="--device xpu "):
        find_device("xpu")
