"""Metrics, one file each: `metric(samples, reference, *, seed, ...) -> dict of floats`.

They know nothing of systems or pipelines. The same function with real data as samples gives the score to compare with.
"""
