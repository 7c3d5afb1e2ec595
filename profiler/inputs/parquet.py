"""Images in Parquet as the Hugging Face hub lays them out: `img` {bytes, path} and `label`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import InputDataError

from .base import IMAGENET, Split, decode, short_path

if TYPE_CHECKING:
    from torch import Tensor

LAYOUT = "the columns are img (struct of bytes and path) and label (integer)"


class ParquetImages:
    """The rows of one file; pictures are decoded when asked for."""

    normalization = IMAGENET

    def __init__(self, file: Path) -> None:
        table = _read(file)
        self._file = file
        self._encoded = table.column("img")
        self._label_column = table.column("label")
        self.class_names = _class_names(table.schema.metadata)
        if not len(self):
            raise InputDataError(f"'{file}' holds no images")
        self.description = f"parquet: {len(self)} images in {short_path(file)}"

    def __len__(self) -> int:
        return len(self._encoded)

    def images(self, indices: Sequence[int]) -> list[Tensor]:
        return [self._image(index) for index in indices]

    def labels(self) -> Tensor:
        import torch

        if self._label_column.null_count:
            missing = self._label_column.null_count
            raise InputDataError(f"{missing} rows of '{self._file}' have no label")
        return torch.tensor(self._label_column.to_pylist(), dtype=torch.int64)

    def _image(self, index: int) -> Tensor:
        cell = self._encoded[index].as_py() or {}
        name = f"{self._file}: row {index} ({cell.get('path')})"
        return decode(cell.get("bytes") or b"", name)


def _read(file: Path) -> Any:
    from pyarrow import ArrowException, types
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as opened:
            schema = opened.schema_arrow
            missing = {"img", "label"} - set(schema.names)
            if missing:
                names = " and ".join(sorted(missing))
                raise InputDataError(f"'{file}' has no column {names}", hint=LAYOUT)
            kind = schema.field("img").type
            if not types.is_struct(kind) or kind.get_field_index("bytes") < 0:
                raise InputDataError(f"column img of '{file}' is {kind}", hint=LAYOUT)
            if not types.is_integer(schema.field("label").type):
                found = schema.field("label").type
                raise InputDataError(f"column label of '{file}' is {found}", hint=LAYOUT)
            return opened.read(columns=["img", "label"])
    except (ArrowException, OSError) as error:
        raise InputDataError(f"'{file}' is no Parquet file that can be read ({error})") from error


def _class_names(metadata: dict[bytes, bytes] | None) -> tuple[str, ...] | None:
    """Names from the file's own `classes` entry, where it has one."""
    listed = (metadata or {}).get(b"classes", b"").decode("utf-8", "replace")
    return tuple(listed.split(",")) if listed else None


def open_parquet(path: str, split: Split | None, root: Path | None) -> ParquetImages:
    """A file, or the file of the split in a folder of `train.parquet` and `test.parquet`.

    Raises:
        InputDataError: nothing is there, it is no such file, or it lacks the split.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        file = place / f"{split or 'test'}.parquet"
        if not file.is_file():
            raise InputDataError(
                f"'{place}' holds no {file.name}", hint="name the file itself: parquet:PATH/FILE"
            )
        return ParquetImages(file)
    if not place.is_file():
        raise InputDataError(
            f"there is no file or folder '{place}'",
            hint="name a .parquet file, or a folder with train.parquet and test.parquet in it",
        )
    if split is not None and place.stem != split:
        raise InputDataError(
            f"'{place}' is one file: it has no {split} split",
            hint="name a folder that holds train.parquet and test.parquet",
        )
    return ParquetImages(place)
