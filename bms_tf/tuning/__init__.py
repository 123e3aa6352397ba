"""Hyperparameter search with KerasTuner: a space and an oracle from gin, trials that are ordinary run folders."""
