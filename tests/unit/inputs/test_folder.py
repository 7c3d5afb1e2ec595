"""Class folders as people have them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
import torch
from PIL import Image

from profiler.errors import InputDataError
from profiler.inputs.base import decode
from profiler.inputs.folder import find_pictures, open_folder
from profiler.inputs.sources import has_split


def put(path: Path, grey: int = 0, size: tuple[int, int] = (4, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, grey).save(path, {".jfif": "JPEG", ".pgm": "PPM"}.get(path.suffix, "PNG"))
    return path


def test_images_are_found_at_any_depth_and_in_every_form(tmp_path: Path) -> None:
    for name in ("cat/a.png", "cat/2019/may/b.pgm", "cat/2019/c.jfif", "dog/d.PNG"):
        put(tmp_path / name)
    (tmp_path / "cat" / "loop").symlink_to(tmp_path / "cat")
    opened = open_folder(str(tmp_path), None, None)
    labels = opened.labels()
    assert labels is not None
    assert labels.tolist() == [0, 0, 0, 1]
    assert [tuple(image.shape) for image in opened.images(range(4))] == [(3, 4, 4)] * 4
    assert "ignored" not in opened.description


def test_what_is_passed_over_is_counted_and_named(tmp_path: Path) -> None:
    put(tmp_path / "cat" / "a.png")
    put(tmp_path / "dog" / "a.png")
    (tmp_path / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "dog" / "x" / "notes.txt").parent.mkdir()
    (tmp_path / "dog" / "x" / "notes.txt").write_text("no picture")
    (tmp_path / "fox").mkdir()
    for litter in (".DS_Store", "Thumbs.db", "._a.png"):
        (tmp_path / "cat" / litter).write_bytes(b"litter")
    told = open_folder(str(tmp_path), None, None).description
    assert told.endswith(", 2 files ignored, such as gone.png, class folder without images: fox")
    pictures, others = find_pictures(tmp_path / "cat")
    assert ([path.name for path in pictures], others) == (["a.png"], [])


def test_names_in_any_form_are_text_that_can_be_stored(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "café")
    put(tmp_path / "decomposed" / unicodedata.normalize("NFD", composed) / "a.png")
    put(tmp_path / "composed" / composed / "a.png")
    names = [
        open_folder(str(tmp_path / form), None, None).class_names
        for form in ("decomposed", "composed")
    ]
    assert names == [(composed,)] * 2
    stray = tmp_path / "stray" / os.fsdecode(b"caf\xe9")
    put(stray / "a.png")
    assert open_folder(str(tmp_path / "stray"), None, None).class_names == ("caf\\xe9",)
    put(tmp_path / "composed" / unicodedata.normalize("NFD", composed) / "b.png")
    with pytest.raises(InputDataError, match="two class folders called 'café'"):
        open_folder(str(tmp_path / "composed"), None, None)


def test_one_folder_of_classes_is_split_in_stated_shares_of_each_class(tmp_path: Path) -> None:
    for name, count in {"cat": 10, "dog": 2}.items():
        for number in range(count):
            put(tmp_path / name / f"{number}.png", grey=100 * (name == "dog") + number)
    train, test = (open_folder(str(tmp_path), split, None) for split in ("train", "test"))
    counts = [part.labels().bincount().tolist() for part in (train, test)]  # type: ignore[union-attr]
    assert counts == [[8, 1], [2, 1]]
    assert "train part, 80% of each class drawn with seed 0, 9 images" in train.description
    assert "test part, 20% of each class" in test.description
    shown = [
        int(image[0, 0, 0]) for part in (train, test) for image in part.images(range(len(part)))
    ]
    assert sorted(shown) == [*range(10), 100, 101]
    put(tmp_path / "fox" / "alone.png")
    with pytest.raises(InputDataError, match="class 'fox' has one image"):
        open_folder(str(tmp_path), "train", None)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_is_the_validation_split(tmp_path: Path, name: str) -> None:
    put(tmp_path / "train" / "cat" / "a.png")
    put(tmp_path / name / "cat" / "a.png")
    spec = f"folder:{tmp_path}"
    assert has_split(spec, "validation")
    assert not has_split(spec, "test")
    assert len(open_folder(str(tmp_path), "validation", None)) == 1


def test_a_large_jpeg_is_shrunk_while_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = Image.linear_gradient("L").resize((800, 600)).convert("RGB")
    ramp.save(tmp_path / "a.jpg", quality=95)
    content = (tmp_path / "a.jpg").read_bytes()
    loaded: list[tuple[int, int]] = []
    convert = Image.Image.convert

    def noting(self: Image.Image, *given: object, **named: object) -> Image.Image:
        loaded.append(self.size)
        return convert(self, *given, **named)  # type: ignore[arg-type]

    whole = decode(content, "a.jpg")
    monkeypatch.setattr(Image.Image, "convert", noting)
    small = decode(content, "a.jpg", (30, 40))
    assert loaded == [(200, 150)]
    assert whole.shape == (3, 600, 800)
    reference = torch.nn.functional.interpolate(
        whole[None].float(), size=(30, 40), mode="bilinear", antialias=True
    )[0]
    assert (small.float() - reference).abs().max() < 4
