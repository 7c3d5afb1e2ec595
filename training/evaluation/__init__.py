"""What is asked of trained weights: accuracy, answers, calibration."""
