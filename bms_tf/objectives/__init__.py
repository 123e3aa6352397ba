"""Losses as pure functions: tensors in, per-example tensors out."""
