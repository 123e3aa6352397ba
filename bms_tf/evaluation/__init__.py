"""Scores of any model or set of samples: where examples come from, in what features, and what is kept for next time."""
