"""Experiment trackers beside TensorBoard, one file each: `train.trackers = [@mlflow]`."""
