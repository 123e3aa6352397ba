"""The study of the density ratio: the true KL is the closed form, and in one dimension the classifier finds it."""

import math

import numpy as np
import pytest
from absl.testing import flagsaver

from bms_tf.metrics.marginal_kl import kl_of_gaussian


@pytest.fixture(scope="module")
def study(script):
    return script("density_ratio")


def test_kl(study):
    # N(1, .25) from N(0, 1): (1 + .25 - 1 - log .25) / 2.
    found = study.kl(np.ones(1), np.full((1, 1), 0.25), np.zeros(1), np.eye(1))
    assert found == pytest.approx(0.5 * (0.25 - math.log(0.25)))
    # Both moved by the same affine map A x + c have the same KL.
    rng = np.random.default_rng(0)
    a, c, mean, root = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3), rng.normal(size=(3, 3))
    covariance = root @ root.T + np.eye(3)
    assert study.kl(a @ mean + c, a @ covariance @ a.T, c, a @ a.T) == pytest.approx(kl_of_gaussian(mean, covariance))


def test_the_gaussians_have_full_rank(study):
    w, b = study.initial(5, np.random.default_rng(0))
    assert w.shape == (50, 5) and b.shape == (5,)
    assert np.linalg.eigvalsh(w.T @ w).min() > 0.1


@pytest.mark.slow
def test_one_dimension(study):
    with flagsaver.flagsaver(steps=1000, points=4, hidden=32, layers=3):
        rest, moved = study.measure(1, None, 0), study.measure(1, 1, 0)
    truth = rest["curve"][0][1]
    assert [step for step, _, _ in rest["curve"]] == [0, 250, 500, 750, 1000]
    assert all(point[1] == truth for point in rest["curve"])  # both are at rest
    assert moved["curve"][0][1] == pytest.approx(truth)
    assert rest["curve"][-1][2] == pytest.approx(truth, rel=0.2)
    assert moved["curve"][-1][1] < 0.2 * truth


@pytest.mark.slow
def test_what_is_recorded_is_not_run_again(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study.recorded, "RESULTS", tmp_path)
    with flagsaver.flagsaver(steps=4, points=2, dimensions=["1"], runs=1, hidden=4):
        study.main(None)
        monkeypatch.setattr(study, "measure", None)
        study.main(None)
    lines = (tmp_path / "density_ratio.jsonl").read_text().splitlines()
    assert len(lines) == 3
    assert (tmp_path / "density_ratio.png").stat().st_size > 10_000
    assert capsys.readouterr().out.count("| 1 | at rest | 0 |") == 2


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ({"dimensions": ["0"]}, "--dimensions is 0; it must be whole numbers"),
        ({"critic_updates": ["1", "x"]}, "--critic_updates is 1,x"),
        ({"rate": 0.0}, "--rate is 0.0"),
    ],
)
def test_bad_flags(study, flag, message):
    with flagsaver.flagsaver(**flag), pytest.raises(ValueError, match=message):
        list(study.jobs())
