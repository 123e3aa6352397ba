"""Samples of 2-D run folders side by side, as in the README's first picture.

python benchmarks/side_by_side.py runs/gan runs/ring --titles='GAN,BMS-VAE-GAN' --out=benchmarks/results/ring.png
"""

from absl import app, flags

flags.DEFINE_list("titles", [], "One for each run folder.")
flags.DEFINE_string("out", "samples.png", "The picture.")
FLAGS = flags.FLAGS


def main(argv):
    """Draws the samples of each run folder."""
    from bms_tf.core import startup

    startup.import_tensorflow()
    from matplotlib.figure import Figure

    from bms_tf.core.exporting import restored_run

    run_dirs = argv[1:]
    figure = Figure(figsize=(4 * len(run_dirs), 4.2), layout="constrained")
    for axes, run_dir, title in zip(
        figure.subplots(1, len(run_dirs), sharex=True, sharey=True), run_dirs, FLAGS.titles
    ):
        run = restored_run(run_dir)
        samples = run.draw_samples()
        scores = run.scores(samples)
        axes.scatter(*samples.T, s=2, alpha=0.4, linewidths=0)
        axes.set(title=f"{title}: {scores['modes']:.0f} modes, {scores['hq_percent']:.1f} % HQ", xticks=[], yticks=[])
        axes.set_aspect("equal")
    figure.savefig(FLAGS.out, dpi=110)


if __name__ == "__main__":
    app.run(main)
