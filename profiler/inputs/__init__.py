"""Inputs: real images as one batch or as labelled splits, texts, and what `--input` describes."""

from .batch import Batch, load_calibration, load_inputs
from .dataset import Dataset, load_dataset
from .given import Given, given_inputs, has_batch_axis
from .sources import SOURCES
from .text import text_inputs

__all__ = [
    "SOURCES",
    "Batch",
    "Dataset",
    "Given",
    "given_inputs",
    "has_batch_axis",
    "load_calibration",
    "load_dataset",
    "load_inputs",
    "text_inputs",
]
