import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from profiler.errors import TargetError
from profiler.workload import user_code as usercode
from profiler.workload.target import ZOO_ALIAS, resolve, zoo

NET = """
from torch import nn

class Net(nn.Linear):
    def __init__(self):
        super().__init__(3, 4)

class Heads(nn.Linear):
    def __init__(self, num_classes=2):
        super().__init__(3, num_classes)

class Outer:
    @staticmethod
    def make():
        return nn.Linear(5, 6)

ready = nn.Linear(7, 8)
number = 3

def fails():
    raise KeyError("no such width")

def leaves():
    raise SystemExit(3)

def gives_a_dict():
    return {"model": ready}

def needs(width):
    return nn.Linear(width, width)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with modules whose names no other test uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    # Only what lies in the folder: extension modules do not survive a second import.
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_zoo_name_leads_to_the_network_and_its_input_shape():
    target = resolve("lightweight", num_classes=10)
    assert (target.reference, target.name, target.input_shape) == (
        "lightweight",
        "lightweight",
        (3, 32, 32),
    )
    assert target.model.classifier.out_features == 10


def test_the_zoo_is_not_loaded_as_models():
    code = (
        "import sys\nfrom profiler.workload.target import resolve\nresolve('lightweight')\n"
        "assert 'models' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_tells_the_nearest_and_the_list():
    with pytest.raises(TargetError, match="'resnet1'; nearest: resnet18") as caught:
        resolve("resnet1")
    assert "the zoo has lightweight, resnet18" in caught.value.hint


def test_a_wheel_speaks_of_no_zoo(monkeypatch, tmp_path):
    monkeypatch.setattr("profiler.workload.target.CHECKOUT", tmp_path)
    monkeypatch.delitem(sys.modules, ZOO_ALIAS, raising=False)
    with pytest.raises(TargetError, match="unknown model 'lightweight'") as caught:
        resolve("lightweight")
    assert "package.module:callable" in caught.value.hint
    assert "zoo" not in str(caught.value)


def test_a_strangers_models_folder_beside_the_package_is_not_run(monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise SystemExit('ran')")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    monkeypatch.setattr("profiler.workload.target.CHECKOUT", tmp_path)
    monkeypatch.delitem(sys.modules, ZOO_ALIAS, raising=False)
    with pytest.raises(TargetError, match="unknown model 'lightweight'"):
        resolve("lightweight")
    with pytest.raises(TargetError, match="no checkout"):
        zoo()


@pytest.mark.parametrize(
    ("attribute", "shape"),
    [("Net", (4, 3)), ("ready", (8, 7)), ("Outer.make", (6, 5)), ("Heads", (2, 3))],
)
@pytest.mark.parametrize("form", ["mynet_a:{}", "mynet_a.py:{}", "./mynet_a.py:{}"])
def test_a_class_a_function_and_an_instance_all_give_the_model(folder, form, attribute, shape):
    (folder / "mynet_a.py").write_text(NET)
    target = resolve(form.format(attribute))
    assert tuple(target.model.weight.shape) == shape
    assert target.name == attribute
    assert target.input_shape is None


def test_num_classes_reaches_a_factory_that_takes_it(folder):
    (folder / "mynet_b.py").write_text(NET)
    assert resolve("mynet_b:Heads", num_classes=9).model.out_features == 9


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Net", "takes no num_classes, so 9 cannot be set"),
        ("ready", "is a finished model: it cannot be given 9 classes"),
    ],
)
def test_num_classes_that_cannot_be_honoured_is_an_error(folder, attribute, message):
    (folder / "mynet_c.py").write_text(NET)
    with pytest.raises(TargetError, match=message):
        resolve(f"mynet_c:{attribute}", num_classes=9)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mynet_d:Nett", "'mynet_d' has no 'Nett'; nearest: Net"),
        ("mynet_d:number", "is of type int, neither a model nor a function"),
        ("mynet_d:fails", "building 'mynet_d:fails' raised KeyError: 'no such width'"),
        ("mynet_d:leaves", "raised SystemExit: 3"),
        ("mynet_d:gives_a_dict", "returned type dict, not a torch.nn.Module"),
        ("mynet_d:needs", "raised TypeError"),
        ("nosuch_d:Net", "there is no module 'nosuch_d'"),
        ("mynet_d.deeper:Net", "there is no module 'mynet_d.deeper'"),
        ("wants_d:Net", "it needs 'not_installed_d', which is not installed"),
        ("broken_d:Net", "importing 'broken_d' raised SyntaxError"),
        ("quits_d:Net", "importing 'quits_d' raised SystemExit"),
        ("quits_d.py:Net", "running 'quits_d.py' raised SystemExit"),
        ("gone_d.py:Net", "there is no file 'gone_d.py'"),
        ("notes_d/x.txt:Net", "is no Python file"),
        ("mynet_d.py", "names a file, not a model"),
        ("mynet_d.Net", "'mynet_d.Net' is no module; 'mynet_d' is one"),
        ("mynet_d", "'mynet_d' is a module, not a model"),
        ("nosuch_d.Net", "unknown model 'nosuch_d.Net'"),
        ("resnet50", "unknown model 'resnet50'"),
        ("hf:./nosuch_d", "has no configuration that can be read"),
        (":Net", "no model reference"),
        ("mynet_d:", "no model reference"),
        ("..:Net", "not a module name"),
        (".mynet_d:Net", "not a module name"),
        ("torchvision:resnet1", "torchvision has no model 'resnet1'; nearest: resnet"),
    ],
)
def test_what_leads_to_no_model_is_one_sentence(folder, reference, message):
    (folder / "mynet_d.py").write_text(NET)
    (folder / "wants_d.py").write_text("import not_installed_d")
    (folder / "broken_d.py").write_text("def (")
    (folder / "quits_d.py").write_text("import sys; sys.exit('bye')")
    (folder / "notes_d").mkdir()
    (folder / "notes_d" / "x.txt").write_text("")
    with pytest.raises(TargetError) as caught:
        resolve(reference)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert not caught.value.message.endswith(".")


OWN = "Net, mynet_n:Heads, mynet_n:Outer, mynet_n:ready, mynet_n:fails, mynet_n:leaves"


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("mynet_n", f"name one of mynet_n:{OWN}"),
        ("mynet_n:Nett", f"name one of mynet_n:{OWN}"),
        ("mynet_n.Nett", f"name one of mynet_n:{OWN}"),
        ("mynet_n.Net", "separate module and callable by a colon: mynet_n:Net"),
        ("mynet_n.py", "name one of mynet_n.py:Net, mynet_n.py:Heads"),
        ("resnet50", "--model torchvision:resnet50"),
    ],
)
def test_a_module_without_a_callable_is_told_what_it_has(folder, reference, hint):
    (folder / "mynet_n.py").write_text(NET)
    with pytest.raises(TargetError) as caught:
        resolve(reference)
    assert hint in caught.value.hint
    assert "nn" not in caught.value.hint.split(":")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("vit_b_16", (3, 224, 224)),
        ("r3d_18", (3, 16, 112, 112)),
        ("lraspp_mobilenet_v3_large", (3, 520, 520)),
        ("ssdlite320_mobilenet_v3_large", (3, 320, 320)),
    ],
)
def test_torchvision_states_what_its_models_take(name, shape):
    with torch.device("meta"):
        assert resolve(f"torchvision:{name}").input_shape == shape


def test_a_configuration_of_transformers_states_its_inputs(folder):
    from transformers import GPT2Config, WhisperConfig

    tiny = {"n_embd": 8, "n_layer": 1, "n_head": 1, "n_positions": 34, "vocab_size": 90}
    GPT2Config(**tiny, architectures=["GPT2LMHeadModel"]).save_pretrained("own/gpt2-tiny")
    target = resolve("hf:own/gpt2-tiny")
    assert (target.name, target.tokenizer) == ("gpt2-tiny", "own/gpt2-tiny")
    assert type(target.model).__name__ == "GPT2LMHeadModel"
    assert target.input_specs == ("input_ids=Bx32:int64<90",)
    sound = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 51_865}
    heads = {"encoder_attention_heads": 1, "decoder_attention_heads": 1}
    WhisperConfig(**sound, **heads).save_pretrained("whisper")
    assert resolve("hf:./whisper").input_specs == (
        "input_features=Bx80x3000",
        "decoder_input_ids=Bx128:int64<51865",
    )
    with pytest.raises(TargetError, match="is no classifier, so 3 classes cannot be set"):
        resolve("hf:./whisper", num_classes=3)


def test_nothing_of_a_failed_file_stays_behind(folder):
    (folder / "mynet_e.py").write_text("raise ValueError('half done')")
    before = set(sys.modules)
    with pytest.raises(TargetError, match="half done"):
        resolve("mynet_e.py:Net")
    assert not {name for name in set(sys.modules) - before if "mynet_e" in name}


def test_the_working_folder_comes_first_only_during_the_import(folder):
    (folder / "mynet_f.py").write_text(NET)
    before = list(sys.path)
    resolve("mynet_f:Net")
    assert sys.path[: len(before)] == before


@pytest.mark.parametrize("with_init", [True, False])
@pytest.mark.parametrize("with_file", [True, False])
def test_the_users_models_and_the_zoo_do_not_shadow_each_other(tmp_path, with_init, with_file):
    own = tmp_path / "models"
    own.mkdir()
    (own / "mynet.py").write_text(NET)
    if with_init:
        (own / "__init__.py").write_text("")
    names = ("models", "training", "reports") if with_file else ("training", "reports")
    for name in names:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('hostile')")
    code = (
        "import sys\n"
        "from profiler.workload.target import resolve\n"
        "assert resolve('models.mynet:Net').model.out_features == 4\n"
        "assert resolve('lightweight').model.classifier.out_features == 100\n"
        "assert resolve('models.mynet:Net').model.out_features == 4\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(usercode.CHECKOUT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def test_torchvision_gives_random_weights_and_the_size_it_wants():
    target = resolve("torchvision:squeezenet1_1", num_classes=5)
    assert target.input_shape == (3, 224, 224)
    assert target.name == "squeezenet1_1"
    assert isinstance(target.model, nn.Module)
    assert target.model.eval()(torch.randn(1, 3, 224, 224)).shape == (1, 5)


def test_a_detector_of_torchvision_downloads_no_backbone(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was reached for")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with torch.device("meta"):
        target = resolve("torchvision:lraspp_mobilenet_v3_large")
    assert target.input_shape == (3, 520, 520)


def test_timm_gives_its_models_or_tells_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(TargetError, match="needs timm") as caught:
        resolve("timm:resnet18")
    assert caught.value.hint == "pip install timm"


def test_timm_gives_random_weights_and_the_size_it_wants():
    pytest.importorskip("timm", reason="timm is not installed")
    target = resolve("timm:test_resnet", num_classes=4)
    assert (target.name, target.input_shape) == ("test_resnet", (3, 160, 160))
    assert target.model.num_classes == 4
    with pytest.raises(TargetError, match="timm has no model 'test_resnett'; nearest: test_resnet"):
        resolve("timm:test_resnett")
