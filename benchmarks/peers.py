"""Steps per second of BMS-VAE-GAN in this library, in JAX and in PyTorch, side by side.

    python benchmarks/peers.py [--networks=mlp,dcgan] [--T=1,10,30] [--python=python]

JAX and PyTorch may live in an environment of their own, whose Python is given by --python:

    python -m venv peers && peers/bin/pip install jax optax torch

All play the same game: hinge loss, no spectral normalization, Adam, D_I on samples and reconstructions, fresh noise at
each step. This library runs `fit` on tf.data; JAX compiles hundreds of steps into one program, and scores winners only;
PyTorch is eager, as users write it, winners only or with the gradient of all T. A line is left out where its package
is not installed. Rounds take turns, each in a process of its own; the best round of each counts. All have as many
weights, which is checked.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from absl import app, flags

flags.DEFINE_list("networks", ["mlp", "dcgan"], "mlp: 2-D, batch 256; dcgan: 64 x 64, batch 64.")
flags.DEFINE_list("T", ["1", "10", "30"], "Samples per data point.")
flags.DEFINE_integer("rounds", 3, "How often each line is measured.", lower_bound=1)
flags.DEFINE_float("seconds", 10.0, "How long each round measures, at least.")
flags.DEFINE_string("python", sys.executable, "The Python that has JAX and PyTorch.")
FLAGS = flags.FLAGS

HERE = Path(__file__).parent
# (the name in the table, the file, its variant)
PEERS = (
    ("bms_tf", "peers_bms_tf.py", "winners"),
    ("JAX", "peers_jax.py", "winners"),
    ("PyTorch", "peers_torch.py", "winners"),
    ("PyTorch, all T", "peers_torch.py", "naive"),
)


def measured(file: str, variant: str, networks: str, many: str) -> dict | None:
    """{"rate": steps per second, "weights": how many}, or None where a package is missing."""
    python = sys.executable if file == "peers_bms_tf.py" else FLAGS.python
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    command = [python, str(HERE / file), networks, many, variant, str(FLAGS.seconds)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        raise RuntimeError(f"{file}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(_):
    """Prints a table with the ratios of this library's rate to the others'."""
    print(f"{'networks':8} {'T':>3} | " + " | ".join(f"{name:>14}" for name, _, _ in PEERS) + " | ours over each")
    for networks in FLAGS.networks:
        for many in FLAGS.T:
            best, weights = {}, set()
            for _ in range(FLAGS.rounds):
                for name, file, variant in PEERS:
                    if (result := measured(file, variant, networks, many)) is not None:
                        best[name] = max(best.get(name, 0.0), result["rate"])
                        weights.add(result["weights"])
            if len(weights) > 1:
                raise RuntimeError(f"the networks differ: {sorted(weights)} weights")
            rates = [f"{best[name]:14.4g}" if name in best else f"{'-':>14}" for name, _, _ in PEERS]
            ratios = [f"{best['bms_tf'] / best[name]:.2f}" for name, _, _ in PEERS[1:] if name in best]
            print(f"{networks:8} {many:>3} | " + " | ".join(rates) + " | " + ", ".join(ratios), flush=True)


if __name__ == "__main__":
    app.run(main)
