import io
import socket
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from profiler.errors import InputDataError
from profiler.inputs import SOURCES, load_dataset, load_inputs
from profiler.inputs import cifar as cifar_module


def picture(value: int, size: tuple[int, int] = (32, 32), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, (value,) * 3 if mode == "RGB" else value)


def encoded(value: int, size: tuple[int, int] = (32, 32)) -> bytes:
    buffer = io.BytesIO()
    picture(value, size).save(buffer, format="PNG")
    return buffer.getvalue()


def write_parquet(path, contents, labels, classes="zero,one"):
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    cells = [{"bytes": content, "path": f"{n}.png"} for n, content in enumerate(contents)]
    columns = {"img": pyarrow.array(cells, kind), "label": pyarrow.array(labels, pyarrow.int64())}
    table = pyarrow.table(columns)
    parquet.write_table(table.replace_schema_metadata({"classes": classes}), path)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*_arguments, **_keywords):
        raise OSError("the network was reached for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def store(tmp_path):
    """Twelve pictures of known grey, half of them in either class, in every form."""
    greys = [20 * n for n in range(12)]
    write_parquet(tmp_path / "test.parquet", map(encoded, greys), [n % 2 for n in range(12)])
    write_parquet(tmp_path / "train.parquet", map(encoded, greys[:4]), [0, 1, 0, 1])
    for n, grey in enumerate(greys):
        for folder in (tmp_path / "flat", tmp_path / "classes" / ("even", "odd")[n % 2]):
            folder.mkdir(parents=True, exist_ok=True)
            picture(grey).save(folder / f"{n:02}.png")
    return tmp_path


def test_digits_are_real_standardized_and_labelled():
    batch = load_inputs("digits", batch_size=128, seed=0)
    assert batch.images.shape == (128, 3, 32, 32)
    assert batch.images.dtype is torch.float32
    assert abs(batch.images.mean().item()) < 0.05
    assert abs(batch.images.std().item() - 1) < 0.05
    assert torch.equal(batch.images[:, 0], batch.images[:, 2])
    assert batch.labels.shape == (128,)
    assert batch.description == "digits: 1797 images of 8x8 (scikit-learn), at 32x32"
    assert batch.source == "digits"


def test_the_same_seed_draws_the_same_images_and_another_draws_others():
    first, again, other = (load_inputs("digits", batch_size=8, seed=s) for s in (3, 3, 4))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)


def test_a_batch_is_drawn_without_replacement(store):
    batch = load_inputs(f"folder:{store}/flat", batch_size=12, seed=0)
    assert len(batch.images.flatten(1).unique(dim=0)) == 12


def test_more_than_there_is_is_repeated_and_said(store):
    batch = load_inputs(f"folder:{store}/classes", batch_size=30, seed=0)
    assert "12 images repeated to fill a batch of 30" in batch.description
    assert torch.equal(batch.images[:12], batch.images[12:24])
    assert torch.equal(batch.labels[:6], batch.labels[24:])


def test_images_are_resized_to_what_the_model_takes_and_it_is_said():
    batch = load_inputs("digits", batch_size=2, input_shape=(3, 224, 160), seed=0)
    assert batch.images.shape == (2, 3, 224, 160)
    assert "resized to 3x224x160" in batch.description


@pytest.mark.parametrize("form", ["folder:{}/classes", "parquet:{}", "parquet:{}/test.parquet"])
def test_pixels_and_labels_survive_the_way(store, form):
    batch = load_inputs(form.format(store), batch_size=12, seed=5)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    greys = (batch.images[:, :, 0, 0] * std + mean) * 255
    assert torch.allclose(greys[:, 0], greys[:, 1], atol=1e-3)
    assert sorted(greys[:, 0].round().int().tolist()) == [20 * n for n in range(12)]
    assert torch.equal((greys[:, 0] / 20).round().long() % 2, batch.labels)


def test_flat_pictures_have_no_labels(store):
    assert load_inputs(f"folder:{store}/flat", batch_size=2, seed=0).labels is None


def test_noise_is_normal_seeded_and_of_any_shape():
    batch = load_inputs("synthetic", batch_size=4, input_shape=(1, 28, 28), seed=1)
    again = load_inputs("synthetic", batch_size=4, input_shape=(1, 28, 28), seed=1)
    assert batch.images.shape == (4, 1, 28, 28)
    assert torch.equal(batch.images, again.images)
    assert abs(batch.images.std().item() - 1) < 0.1
    assert batch.labels is None


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA", "CMYK"])
def test_every_kind_of_picture_becomes_three_channels(tmp_path, mode):
    picture(128).convert(mode).save(tmp_path / "a.tiff" if mode == "CMYK" else tmp_path / "a.png")
    assert load_inputs(f"folder:{tmp_path}", batch_size=1, seed=0).images.shape == (1, 3, 32, 32)


def test_a_split_is_whole_decoded_and_labelled(store):
    train = load_dataset(f"parquet:{store}", "train")
    test = load_dataset(f"parquet:{store}", "test")
    assert train.images.shape == (4, 3, 32, 32)
    assert train.images.dtype is torch.uint8
    assert train.labels.tolist() == [0, 1, 0, 1]
    assert test.images[:, 1, 3, 3].tolist() == [20 * n for n in range(12)]
    assert test.class_names == ("zero", "one")


def test_the_digits_splits_are_stratified_and_share_nothing():
    train, test = load_dataset("digits", "train"), load_dataset("digits", "test")
    assert (len(train.images), len(test.images)) == (1347, 450)
    whole = load_dataset("digits", None)
    joined = torch.cat([train.images, test.images]).flatten(1)
    assert torch.equal(
        joined.float().sum(1).sort().values, whole.images.flatten(1).float().sum(1).sort().values
    )
    shares = test.labels.bincount() / whole.labels.bincount()
    assert all(abs(share - 0.25) < 0.01 for share in shares.tolist())


def test_pictures_of_several_sizes_need_a_size(tmp_path):
    picture(10, (8, 6)).save(tmp_path / "a.png")
    picture(10, (5, 9)).save(tmp_path / "b.png")
    with pytest.raises(InputDataError, match="differ in size, from 6x8 to 9x5"):
        load_dataset(f"folder:{tmp_path}", None)
    assert load_dataset(f"folder:{tmp_path}", None, image_size=(4, 4)).images.shape == (2, 3, 4, 4)


def test_folders_named_as_splits_are_splits(store):
    (store / "both").mkdir()
    (store / "classes").rename(store / "both" / "val")
    assert len(load_dataset(f"folder:{store}/both", "validation").images) == 12
    assert len(load_inputs(f"folder:{store}/both", batch_size=12, seed=0).images) == 12
    for split in ("train", "test"):
        with pytest.raises(InputDataError, match=f"has no {split} split"):
            load_dataset(f"folder:{store}/both", split)


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_batch_is_refused(size):
    with pytest.raises(InputDataError, match=f"at least one image, not {size}"):
        load_inputs("digits", batch_size=size, seed=0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digit", "unknown data 'digit'; nearest: digits"),
        ("", "unknown data ''"),
        ("digits:/x", "digits takes no path"),
        ("folder", "'folder' lacks a path"),
        ("parquet:", "'parquet:' lacks a path"),
        ("folder:{}/gone", "does not exist"),
        ("folder:{}/test.parquet", "is a file, not a folder"),
        ("folder:{}/empty", "holds no images"),
        ("folder:{}/words", "holds no images"),
        ("folder:{}/mixed", "holds images beside the class folder 'even'"),
        ("folder:{}/broken", "broken/no.png' is no image that can be read"),
        ("folder:{}/cut", "cut/cut.png' is no image that can be read"),
        ("parquet:{}/gone", "there is no file or folder"),
        ("parquet:{}/flat", "holds no test.parquet"),
        ("parquet:{}/words/readme.txt", "is no Parquet file"),
        ("parquet:{}/columns.parquet", "has no column image or img"),
        ("parquet:{}/flat.parquet", "column img of .* is "),
        ("parquet:{}/none.parquet", "holds no images"),
        ("parquet:{}/junk.parquet", r"row 0 \(0.png\)' is no image that can be read"),
        ("parquet:{}/null.parquet", r"row 0 \(0.png\)' is no image that can be read"),
    ],
)
def test_what_is_no_data_is_told_in_one_sentence(store, spec, message):
    for name in ("empty", "words", "mixed", "broken", "cut"):
        (store / name).mkdir()
    (store / "words" / "readme.txt").write_text("words")
    picture(3).save(store / "mixed" / "a.png")
    (store / "mixed" / "even").mkdir()
    picture(3).save(store / "mixed" / "even" / "a.png")
    (store / "broken" / "no.png").write_text("not a picture")
    noisy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noisy).save(store / "cut" / "cut.png")
    whole = (store / "cut" / "cut.png").read_bytes()
    (store / "cut" / "cut.png").write_bytes(whole[: len(whole) // 2])
    parquet.write_table(pyarrow.table({"x": [1]}), store / "columns.parquet")
    flat = pyarrow.table({"img": [b"x"], "label": [1]})
    parquet.write_table(flat, store / "flat.parquet")
    write_parquet(store / "none.parquet", [], [])
    write_parquet(store / "junk.parquet", [b"junk"], [0])
    write_parquet(store / "null.parquet", [None], [0])
    with pytest.raises(InputDataError, match=message) as caught:
        load_inputs(spec.format(store), batch_size=1, seed=0)
    assert "\n" not in caught.value.message


def test_one_file_does_not_pass_for_a_split_it_is_not(store):
    with pytest.raises(InputDataError, match="has no train split"):
        load_dataset(f"parquet:{store}/test.parquet", "train")


def test_missing_labels_are_counted(tmp_path):
    write_parquet(tmp_path / "test.parquet", [encoded(1), encoded(2)], [0, None])
    with pytest.raises(InputDataError, match=r"1 rows of .* have no label"):
        load_dataset(f"parquet:{tmp_path}", "test")


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32), (3, 0, 4), ()])
def test_a_shape_no_image_has_is_refused(shape):
    with pytest.raises(InputDataError):
        load_inputs("digits", batch_size=1, input_shape=shape, seed=0)


def test_noise_is_no_dataset():
    with pytest.raises(InputDataError, match="only noise"):
        load_dataset("synthetic", "train")


def unreachable(url, filename, *_):
    raise URLError("Name or service not known")


def cut_off(url, filename, *_):
    Path(filename).write_bytes(b"the first half")
    raise ConnectionResetError("Connection reset by peer")


def shortened(url, filename, *_):
    Path(filename).write_bytes(b"the first half")


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("download", [unreachable, cut_off, shortened])
def test_a_download_that_fails_tells_what_to_do(monkeypatch, tmp_path, name, download):
    monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", download)
    for _ in range(2):  # what the first attempt left behind is not taken for the data
        with pytest.raises(
            InputDataError, match=f"{name} is not in .* could not be downloaded"
        ) as error:
            load_inputs(name, batch_size=1, seed=0, root=tmp_path / "cache")
        assert cifar_module.ARCHIVES[name] in error.value.hint
        assert "--data digits" in error.value.hint


def test_cifar_is_cached_where_the_documentation_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cifar_module.cache_folder() == tmp_path / "wattprof" / "datasets"


def test_cifar_comes_through_torchvision_and_keeps_stdout_clean(monkeypatch, tmp_path, capsys):
    class Stored:
        classes = ("a", "b")
        targets = (0, 1, 1)
        data = np.full((3, 32, 32, 3), 125, dtype=np.uint8)

        def __init__(self, root, *, train, download):
            if not download:
                raise RuntimeError("Dataset not found or corrupted")
            print("downloading")
            assert (root, train) == (str(tmp_path), False)

    monkeypatch.setattr("torchvision.datasets.CIFAR10", Stored)
    batch = load_inputs("cifar10", batch_size=2, seed=0, root=tmp_path)
    assert batch.images.shape == (2, 3, 32, 32)
    assert abs(batch.images.mean().item()) < 0.2
    assert batch.description == "cifar10: test split, 3 images of 32x32"
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "downloading\n")


def test_every_source_is_described():
    assert all(source.summary for source in SOURCES.values())
