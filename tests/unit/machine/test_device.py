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
