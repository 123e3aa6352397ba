"""What an evaluation keeps for the next one: features, means and covariances, also when it is killed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bms_tf.evaluation.run import evaluate
from bms_tf.metrics.kept import read_arrays, write_arrays

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("cache")


def normal(count, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, size=(count, 3)).astype(np.float32)


def one(samples, reference, *, seed):
    return {"one": 1.0}


def test_the_next_call_finds_the_features(cache):
    count = []

    class Network:
        protocol = {"features": "counted"}

        def __call__(self, x):
            count.append(len(x))
            return {"features": np.asarray(x)}

    def call(network=None, **changed):
        given = {"samples": normal(250), "data": normal(260, seed=1), "metrics": [one], **changed}
        evaluate(features=network or Network(), **given)
        total = sum(count)
        count.clear()
        return total

    assert call() == 250 + 260
    assert call() == 0
    assert call(samples=normal(250, seed=5)) == 250
    other = Network()
    other.protocol = {"features": "counted", "resizer": "another"}
    assert call(other) == 250 + 260
    assert call(n=100) == 100


def test_mean_and_covariance_are_kept_beside_the_features(cache, caplog):
    def distance(**changed):
        given = {"samples": normal(250, 1.0), "data": normal(260, seed=1), "floor_data": normal(250, seed=2)}
        return evaluate(metrics=["frechet"], **given | changed)[0]["value"]

    first = distance()
    paths = set(cache.glob("*.moments.npz"))
    assert len(paths) == 3
    # That of other samples needs one more; what is kept of the data is read.
    assert distance(samples=normal(250, 2.0)) > first
    (own,) = set(cache.glob("*.moments.npz")) - paths
    mean, covariance = read_arrays(own)
    write_arrays(own, (mean + [0, 0, 8], covariance))
    assert distance(samples=normal(250, 2.0)) > first + 50
    for path in paths:
        os.truncate(path, 100)
    assert distance() == first
    assert caplog.text.count("cannot be read") == 3 and distance() == first
    assert caplog.text.count("cannot be read") == 3, "they were replaced"


@pytest.mark.slow
def test_a_killed_evaluation_goes_on(tmp_path):
    """SIGKILL in the middle of the features: the next call computes the rest, and no more."""
    code = """
import os, signal, sys
import numpy as np
import bms_tf
class Network:
    protocol = {"features": "slow"}
    rows = 0
    def __call__(self, x):
        if Network.rows == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        Network.rows += len(x)
        return {"features": x}
x = np.random.default_rng(0).normal(size=(1000, 3))
rows = bms_tf.evaluate(samples=x, data=x[::-1].copy(), metrics=["frechet"], features=Network(), out=sys.argv[1])
print(Network.rows, rows[0]["value"])
"""
    command = [sys.executable, "-c", code, str(tmp_path / "out.jsonl")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run([*command, "700"], capture_output=True, text=True, env=environment)
    assert killed.returncode == -9 and not (tmp_path / "out.jsonl").exists()
    done = subprocess.run([*command, "-1"], capture_output=True, text=True, env=environment)
    computed, value = done.stdout.split()
    assert int(computed) == 2000 - 700
    assert float(value) == pytest.approx(0, abs=1e-6)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1
