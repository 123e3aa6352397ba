"""How often scoring the candidates in bfloat16 changes the winner, and what that costs, on a trained run.

    python benchmarks/scoring_precision.py RUN_DIR [RUN_DIR ...]

For each term of BMS-VAE-GAN's best-of-many objective: on how many examples of the test split another candidate wins,
and how much worse the float32 score of that one is than the true winner's, on average over those examples, in standard
deviations between the candidates of one example.
"""

import json
import sys

from bms_tf.core import startup

tf = startup.import_tensorflow()

import numpy as np  # noqa: E402

from bms_tf.core.exporting import restored_run  # noqa: E402
from bms_tf.core.random import Key  # noqa: E402


def scored(system, x, seed):
    """Every term's scores of T candidates, [T, B], in float32 and in bfloat16."""
    posterior = system.encoder.posterior(x)
    noise = Key(seed).normal("posterior", (x.shape[0], system.code_size), draws=(system.T,))

    real = system.judge(x)[0] if system.discriminator_loss.needs_real else None

    def score():
        outputs = system._decode(posterior.sample(noise))
        scores = {"reconstruction": system.visible.log_prob(x, outputs)}
        if system.alpha > 0 and system.synthetic_likelihood.needs_scores:
            scores["synthetic_likelihood"] = system._log_ratio(real, outputs)
        return scores

    both = []
    for precision in (None, "bfloat16"):
        with system._scoring(precision):
            both.append(score())
    return both


def compare(run_dir):
    """A row for each term."""
    run = restored_run(run_dir)
    system = run.system
    batches = [run.reference[i : i + 64] for i in range(0, min(len(run.reference), 2048) - 63, 64)]
    step = tf.function(lambda x, seed: scored(system, x, seed), autograph=False)
    parts = [step(tf.constant(x), tf.constant([0, i], tf.int64)) for i, x in enumerate(batches)]
    reductions = {"reconstruction": system.reconstruction, "synthetic_likelihood": system.synthetic_likelihood}
    for term in parts[0][0]:
        exact, rounded = (np.concatenate([part[i][term] for part in parts], axis=1) for i in (0, 1))
        winner, other = (reductions[term].choose(tf.constant(s), None).numpy() for s in (exact, rounded))
        rows, changed = np.arange(len(winner)), winner != other
        gap = np.abs(exact[winner, rows] - exact[other, rows]) / exact.std(axis=0)
        yield {
            "run": run_dir,
            "step": int(system.step.numpy()),
            "T": system.T,
            "term": term,
            "examples": len(winner),
            "winner_changed_percent": round(100 * float(changed.mean()), 2),
            "score_lost_where_changed_std": round(float(gap[changed].mean()), 4) if changed.any() else 0.0,
            "score_lost_worst_std": round(float(gap.max()), 4),
        }


for folder in sys.argv[1:]:
    for row in compare(folder):
        print(json.dumps(row))
