"""Real images: for a measurement as one batch, for training as whole labelled splits."""

from .batch import Batch, load_calibration, load_inputs
from .dataset import Dataset, load_dataset
from .sources import SOURCES

__all__ = ["SOURCES", "Batch", "Dataset", "load_calibration", "load_dataset", "load_inputs"]
