"""Run by every Python that has this folder on PYTHONPATH; see tests/virtual/process.py."""

from tests.virtual.process import install_when_imported

install_when_imported()
