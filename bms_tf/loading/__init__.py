"""Trained models in Python: from a path to an object that answers in NumPy."""
