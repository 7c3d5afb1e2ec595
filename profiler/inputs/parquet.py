"""Images in Parquet as the Hugging Face hub lays them out: a column of pictures, one of labels.

train.parquet                                    one file a split
data/train-00000-of-00003.parquet ...            or several, here or below `data`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import InputDataError
from profiler.values.codec import FormError, parse

from .base import IMAGENET, Split, decode, short_path
from .split_names import SPLIT_NAMES, names_of

if TYPE_CHECKING:
    from torch import Tensor

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label", "coarse_label")
LAYOUT = (
    f"the columns are {' or '.join(IMAGE_COLUMNS)} (struct of bytes and path) and "
    f"{', '.join(LABEL_COLUMNS[:-1])} or {LABEL_COLUMNS[-1]} (whole numbers or text)"
)
_SHARD = re.compile(r"(?P<name>.+)-(?P<number>\d+)-of-(?P<count>\d+)")


class ParquetImages:
    """The rows of one or several files; pictures are decoded when asked for.

    Args:
        files: of one split, in their order.
        label_column: which column holds the classes; None for the first known one.

    Raises:
        InputDataError: a file cannot be read, lacks a column, or has no rows.
    """

    normalization = IMAGENET

    def __init__(self, files: Sequence[Path], label_column: str | None = None) -> None:
        from pyarrow import concat_tables

        schema = _schema(files[0])
        image = _column(files[0], schema.names, IMAGE_COLUMNS, None)
        label = _column(files[0], schema.names, LABEL_COLUMNS, label_column)
        _check_columns(files[0], schema, image, label)
        table = concat_tables([_read(file, (image, label), schema) for file in files])
        self._files = files
        self._encoded = table.column(image)
        self._targets, self.class_names = _labels(table.column(label), schema, label, files[0])
        if not len(self):
            raise InputDataError(f"'{files[0]}' holds no images")
        what = (
            short_path(files[0])
            if len(files) == 1
            else f"{len(files)} files of {files[0].parent.name}"
        )
        named = f", classes by {label}" if label not in LABEL_COLUMNS[:2] else ""
        self.description = f"parquet: {len(self)} images in {what}{named}"

    def __len__(self) -> int:
        return len(self._encoded)

    def images(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> list[Tensor]:
        return [decode(self.content(index), self._name(index), size) for index in indices]

    def labels(self) -> Tensor:
        import torch

        missing = self._targets.count(None)
        if missing:
            raise InputDataError(f"{missing} rows of '{self._files[0]}' have no label")
        return torch.tensor(self._targets, dtype=torch.int64)

    def content(self, index: int) -> bytes:
        content: bytes = (self._encoded[index].as_py() or {}).get("bytes") or b""
        return content

    def _name(self, index: int) -> str:
        path = (self._encoded[index].as_py() or {}).get("path")
        return f"{self._files[0]}: row {index} ({path})"


def _labels(
    column: Any, schema: Any, name: str, file: Path
) -> tuple[list[int | None], tuple[str, ...] | None]:
    """Class of every row, None where it has none, and the names by class."""
    values: list[Any] = column.to_pylist()
    names = _class_names(schema.metadata, name)
    if not any(isinstance(value, str) for value in values):
        return values, names
    names = names or tuple(sorted({value for value in values if value is not None}))
    numbers = {text: number for number, text in enumerate(names)}
    unknown = next((value for value in values if value is not None and value not in numbers), None)
    if unknown is not None:
        raise InputDataError(f"'{file}' has the label '{unknown}', which its metadata do not name")
    return [None if value is None else numbers[value] for value in values], names


def _schema(file: Path) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    try:
        return read_schema(file)
    except (ArrowException, OSError) as error:
        raise InputDataError(f"'{file}' is no Parquet file that can be read ({error})") from error


def _column(file: Path, present: Sequence[str], known: Sequence[str], asked: str | None) -> str:
    found = next((name for name in ((asked,) if asked else known) if name in present), None)
    if found is not None:
        return found
    wanted = asked or " or ".join(known)
    hint = f"its columns are {', '.join(present)}" if asked else LAYOUT
    raise InputDataError(f"'{file}' has no column {wanted}", hint=hint)


def _check_columns(file: Path, schema: Any, image: str, label: str) -> None:
    from pyarrow import types

    kind = schema.field(image).type
    if not types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise InputDataError(f"column {image} of '{file}' is {kind}", hint=LAYOUT)
    kind = schema.field(label).type
    is_text = types.is_string(kind) or types.is_large_string(kind)
    if not types.is_integer(kind) and not is_text:
        raise InputDataError(f"column {label} of '{file}' is {kind}", hint=LAYOUT)


def _read(file: Path, columns: Sequence[str], like: Any) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as opened:
            table = opened.read(columns=list(columns))
    except (ArrowException, OSError) as error:
        raise InputDataError(f"'{file}' is no Parquet file that can be read ({error})") from error
    for name in columns:
        if name not in table.schema.names or table.schema.field(name).type != like.field(name).type:
            raise InputDataError(
                f"'{file}' differs in column {name} from the other files of its split",
                hint="write all files of a split with the same columns",
            )
    return table.select(list(columns)).replace_schema_metadata(None)


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...] | None:
    """Names from the file's own `classes` entry, or from what the hub's library keeps there."""
    stored = metadata or {}
    listed = stored.get(b"classes", b"").decode("utf-8", "replace")
    if listed:
        return tuple(listed.split(","))
    try:
        names = parse(stored.get(b"huggingface", b""))["info"]["features"][label]["names"]
        return tuple(map(str, names)) if isinstance(names, list) and names else None
    except (FormError, KeyError, TypeError):
        return None


def _stored(place: Path, split: Split | None) -> tuple[Path, ...]:
    """The files of a split; () where a folder has none.

    Raises:
        InputDataError: one of several files is missing.
    """
    for name in names_of(split):
        for folder in (place, place / "data"):
            whole = folder / f"{name}.parquet"
            if whole.is_file():
                return (whole,)
            shards = {
                path: found
                for path in sorted(folder.glob(f"{name}-*.parquet"))
                if (found := _SHARD.fullmatch(path.stem)) and found["name"] == name
            }
            counts = {int(found["count"]) for found in shards.values()}
            if shards and counts != {len(shards)}:
                raise InputDataError(
                    f"'{folder}' holds {len(shards)} of the {max(counts)} files of {name}",
                    hint="put the others beside them",
                )
            if shards:
                return tuple(shards)
    return ()


def parquet_has(path: str, split: Split) -> bool:
    """Whether a folder has a split; asks the disk, decodes nothing."""
    return bool(_stored(Path(path).expanduser(), split))


def open_parquet(
    path: str, split: Split | None, root: Path | None, label_column: str | None = None
) -> ParquetImages:
    """A file, or the files of the split in a folder.

    Raises:
        InputDataError: nothing is there, it is no such file, or it lacks the split.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        files = _stored(place, split)
        if not files:
            raise InputDataError(
                f"'{place}' holds no {names_of(split)[0]}.parquet",
                hint="name the file itself: parquet:PATH/FILE",
            )
        return ParquetImages(files, label_column)
    if not place.is_file():
        raise InputDataError(
            f"there is no file or folder '{place}'",
            hint="name a .parquet file, or a folder with train.parquet and test.parquet in it",
        )
    shard = _SHARD.fullmatch(place.stem)
    name = shard["name"] if shard else place.stem
    if split is not None and name not in SPLIT_NAMES[split]:
        raise InputDataError(
            f"'{place}' is one file: it has no {split} split",
            hint="name a folder that holds train.parquet and test.parquet",
        )
    return ParquetImages((place,), label_column)
