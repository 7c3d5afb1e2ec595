"""Evaluation of trained weights: accuracy, calibration error, predictions."""
