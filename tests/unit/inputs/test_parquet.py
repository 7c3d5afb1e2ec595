"""Parquet as the Hugging Face hub and its library write it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from profiler.errors import InputDataError
from profiler.inputs.sources import has_split, open_source


def encoded(grey: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (4, 4), grey).save(content, "PNG")
    return content.getvalue()


def write(path: Path, columns: dict[str, list[Any]], image: str = "image", **metadata: str) -> None:
    count = len(next(iter(columns.values())))
    cells = [{"bytes": encoded(number), "path": None} for number in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({image: cells, **columns})
    parquet.write_table(table.replace_schema_metadata(metadata), path)


def hub_names(label: str, names: list[str]) -> dict[str, str]:
    features = {label: {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    return {"huggingface": json.dumps({"info": {"features": features}})}


@pytest.mark.parametrize("place", ["", "data"])
def test_shards_are_one_split_in_their_order(tmp_path: Path, place: str) -> None:
    for number in range(3):
        file = tmp_path / place / f"train-{number:05}-of-00003.parquet"
        write(file, {"label": [number, number]}, **hub_names("label", ["a", "b", "c"]))
    source = open_source(f"parquet:{tmp_path}", split="train", root=None)
    labels = source.labels()
    assert labels is not None
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert source.class_names == ("a", "b", "c")
    assert [int(image[0, 0, 0]) for image in source.images(range(6))] == [0, 1] * 3
    assert not has_split(f"parquet:{tmp_path}", "test")
    (tmp_path / place / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(InputDataError, match="2 of the 3 files of train"):
        open_source(f"parquet:{tmp_path}", split="train", root=None)


@pytest.mark.parametrize("image", ["img", "image"])
@pytest.mark.parametrize("label", ["label", "labels", "fine_label", "coarse_label"])
def test_columns_are_found_by_the_names_that_they_have(
    tmp_path: Path, image: str, label: str
) -> None:
    write(tmp_path / "test.parquet", {label: [1, 0]}, image, **hub_names(label, ["x", "y"]))
    source = open_source(f"parquet:{tmp_path}", split="test", root=None)
    assert source.class_names == ("x", "y")
    assert (label in source.description) == (label in ("fine_label", "coarse_label"))


def test_a_label_column_can_be_named(tmp_path: Path) -> None:
    columns = {"fine_label": [0, 1], "coarse_label": [1, 1]}
    write(tmp_path / "test.parquet", columns)
    spec = f"parquet:{tmp_path}"
    fine, coarse = (
        open_source(spec, split="test", root=None, label_column=name).labels()
        for name in (None, "coarse_label")
    )
    assert fine is not None
    assert coarse is not None
    assert (fine.tolist(), coarse.tolist()) == ([0, 1], [1, 1])
    with pytest.raises(InputDataError, match="has no column colour") as refused:
        open_source(spec, split="test", root=None, label_column="colour")
    assert "coarse_label" in (refused.value.hint or "")
    with pytest.raises(InputDataError, match="'digits' has no columns"):
        open_source("digits", split="test", root=None, label_column="label")


def test_labels_that_are_text_are_numbered_in_their_order(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", {"label": ["dog", "cat", "dog"]})
    source = open_source(f"parquet:{tmp_path}", split="train", root=None)
    labels = source.labels()
    assert labels is not None
    assert (labels.tolist(), source.class_names) == ([1, 0, 1], ("cat", "dog"))
