"""Samples of 2-D runs or exported models side by side, as in the README's first picture.

python benchmarks/side_by_side.py runs/gan savedmodels/grid --titles='GAN,BMS-VAE-GAN' --seed=130 --out=samples.png
"""

from absl import app, flags

flags.DEFINE_list("titles", [], "One for each run or model.")
flags.DEFINE_integer("seed", 0, "That of the runs, with which the samples are those that were scored.")
flags.DEFINE_string("out", "samples.png", "The picture.")
FLAGS = flags.FLAGS


def main(argv):
    """Draws the samples of each run or model."""
    from bms_tf.core import startup

    startup.import_tensorflow()
    from matplotlib.figure import Figure

    from bms_tf import load

    paths = argv[1:]
    figure = Figure(figsize=(4 * len(paths), 4.3), layout="constrained")
    for axes, path, title in zip(figure.subplots(1, len(paths), sharex=True, sharey=True), paths, FLAGS.titles):
        model = load(path)
        scores = model.scores["samples"]
        axes.scatter(*model.sample(2500, seed=FLAGS.seed).T, s=2, alpha=0.4, linewidths=0)
        axes.set(title=f"{title}: {scores['modes']:.0f} modes, {scores['hq_percent']:.1f} % HQ", xticks=[], yticks=[])
        axes.set_aspect("equal")
    figure.get_layout_engine().set(h_pad=0.1)  # else the edge cuts the titles
    figure.savefig(FLAGS.out, dpi=110)


if __name__ == "__main__":
    app.run(main)
