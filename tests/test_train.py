"""The command: what it writes, what it says, and that a mistake is one line that leaves nothing behind."""

import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import gin
import pytest
from absl import flags
from absl.testing import flagsaver

from bms_tf.core import command, files
from bms_tf.core.keras import keras
from bms_tf.core.measuring import Measured
from bms_tf.core.system import Phase, System
from bms_tf.train import main, print_table
from tests.commands import TIME_LIMIT, Command
from tests.commands import run as run_apart

ROOT = Path(__file__).parents[1]
TINY = {
    "BMSVAEGAN.T": "2",
    "code_size": "4",
    "mlp.hidden": "(8,)",
    "generator/mlp.hidden": "(8,)",
    "encoder/mlp.hidden": "(8,)",
    "train.batch_size": "8",
    "train.generator_updates": "40",
    "train.log_every": "10",
    "train.checkpoint_every": "10",
    "train.evaluate_every": "20",
    "train.samples": "50",
    "ring.held_out": "300",
    "train.steps_per_execution": "1",
}


# For runs of which neither pictures nor the encoder's scores are looked at: a quarter of the time goes there.
UNSEEN = {"train__pictures": "[]", "train__metrics": "[@mixture_scores]"}


@gin.configurable(module="test_train")
def never_called() -> keras.optimizers.Optimizer:
    raise AssertionError("the system is made before its optimizers")


@gin.configurable(module="test_train")
class Critic(System):
    def __init__(self, *, seed: int, generator: keras.Model, discriminator: keras.Model):
        super().__init__(networks={"generator": generator, "discriminator": discriminator}, seed=seed)

    def phases(self):
        return [Phase("critic", lambda x, key: ({"discriminator": {"loss": self.discriminator(x)}}, {}))]


def tiny(*options: str, recipe: str = "ring", **changed: str) -> list[str]:
    """The flags of a tiny run in the folder `run`; `changed`: other values, with __ for the dot in a name."""
    values = TINY | {name.replace("__", "."): value for name, value in changed.items()}
    if recipe == "digits":
        del values["ring.held_out"]
    params = [f"--gin_param={name} = {value}" for name, value in values.items()]
    return [f"--gin_file=gin/{recipe}.gin", "--run_dir=run", *params, *options]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str):
    """The command in this process; its errors are raised."""
    with flagsaver.flagsaver():
        flags.FLAGS(["train", *arguments])
        main(None)


def refused(*arguments: str) -> str:
    """The one line of a command that fails."""
    with pytest.raises((ValueError, OSError)) as caught:
        run(*arguments)
    return command.one_line(caught.value)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: str(value) for name, value in line.items() if name != "seconds"} for line in lines]  # nan is not nan


# Mistakes in the settings. Nothing is built for the first ones.

OWN = "include 'ring.gin'\n"


@pytest.mark.parametrize(
    ("options", "own", "line"),
    [
        ([], "", "--gin_file is missing; for example: python -m bms_tf.train --gin_file=gin/ring.gin"),
        (["--gin_file=gin/rign.gin"], "", "no gin file 'gin/rign.gin'; looked for "),
        (["--gin_file=own.gin"], "BMSVAEGN.T = 3", "own.gin:2: no configurable 'BMSVAEGN'; did you mean 'BMSVAEGAN'?"),
        (["--gin_file=own.gin"], "adam.rate = 1.0", "own.gin:2: adam has no parameter 'rate'; "),
        (
            ["--gin_file=own.gin"],
            "adam.beta1 = 0.5",
            "own.gin:2: adam has no parameter 'beta1'; did you mean 'beta_1'?",
        ),
        (["--gin_file=own.gin"], "\nBMSVAEGAN.T = %tee", "own.gin:3: the macro %tee is not defined"),
        (["--gin_file=own.gin"], "BMSVAEGAN.T = 2.5", "own.gin:2: BMSVAEGAN.T is 2.5; it must be int"),
        (["--gin_file=own.gin"], "train.jit_compile = 'atuo'", "own.gin:2: train.jit_compile is 'atuo'; it must be "),
        (["--gin_file=own.gin"], "import os", "own.gin:2: import of 'os' is refused; "),
        (tiny("--seed=1", "--seeds=1,2"), "", "give --seed or --seeds, not both"),
        (tiny("--seeds=1,b"), "", "--seeds is '1,b'; it must be whole numbers, as in --seeds=0,1,2"),
        (tiny("--seeds=1,1"), "", "--seeds is '1,1'; each may be named once"),
    ],
)
def test_a_mistake_in_the_settings(here, options, own, line):
    (here / "own.gin").write_text(OWN + own)
    assert refused(*options).startswith(line)
    assert [path.name for path in here.iterdir()] == ["own.gin"]


# What is left unset, out of range or does not fit.
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            tiny(
                "--gin_file=gin/data/ring.gin",
                "--gin_file=gin/networks/mlp.gin",
                recipe="systems/bms_vae_gan",
                train__optimizer="@test_train.never_called",
            ),
            "BMSVAEGAN.lambda_ must be set",
        ),
        (
            [f"--gin_file=gin/{part}.gin" for part in ("data/ring", "networks/mlp", "systems/bms_vae_gan")],
            "train.optimizer and train.generator_updates and train.batch_size must be set",
        ),
        (tiny(BMSVAEGAN__T="0"), "BMSVAEGAN: BMSVAEGAN.T is 0; it must be at least 1"),
        (tiny(train__measuring_share="1.5"), "train: train.measuring_share is 1.5; it must lie in [0, 1]"),
        (tiny(train__batch_size="-4"), "train: train.batch_size is -4; it must be at least 1"),
        (tiny(train__generator_updates="0"), "train: train.generator_updates is 0; it must be at least 1"),
        (tiny(train__log_every="0"), "train: train.log_every is 0; it must be at least 1"),
        (
            tiny("--gin_file=gin/systems/veegan.gin", VEEGAN__pretraining="15"),
            "the phase pretraining begins or ends at step 15, within a log interval: train.log_every is 10 and must ",
        ),
        (
            tiny(
                train__system="@Critic",
                train__modifiers="[]",
                Critic__generator="@generator()",
                Critic__discriminator="@discriminator()",
            ),
            "no phase of Critic updates the generator; a run counts its updates",
        ),
        (tiny(train__seed="-1"), "train: train.seed is -1; it must lie in [0, 2^31)"),
        (
            tiny(train__devices="@mirrored", mirrored__devices="3"),
            "mirrored: mirrored.devices is 3; this machine has 2 CPU device(s)",
        ),
        (
            tiny(train__devices="@mirrored", train__batch_size="7"),
            "train: train.batch_size is 7; it must be a multiple of the 2 devices",
        ),
        (tiny(train__floor_split="'nowhere'"), "ring: split='nowhere': allowed are train, validation, test"),
        (tiny(adam__learning_rate="-0.1"), "autoencoder/adam: adam.learning_rate is -0.1; it must be positive"),
        (tiny(data_shape="(3,)"), "the data has examples of shape (2,); the generator makes (3,)"),
        (
            tiny("--gin_file=gin/networks/dcgan.gin"),
            "encoder/dcgan_encoder: a DCGAN network works on square images [H, H, C]; it was given (2,)",
        ),
    ],
)
def test_a_run_that_cannot_be_built(here, arguments, line):
    assert refused(*arguments).startswith(line)
    assert os.listdir(here) == []


@pytest.mark.parametrize("folder", ["file", "file/run"])
def test_a_folder_that_cannot_be_written(here, folder):
    (here / "file").write_text("mine")
    assert re.fullmatch(rf"\[Errno \d+\] [A-Z][a-z ]+: '{folder}'", refused(*tiny(), f"--run_dir={folder}"))
    assert contents(here) == {"file": b"mine"}


def test_a_dry_run_shows_the_networks_and_writes_nothing(here, capsys):
    run(*tiny("--dry_run"))
    text = capsys.readouterr().out
    for part in ("\nencoder\n", "\ngenerator\n", "Total params", "first batch: (8, 2)", "one step: autoencoder/"):
        assert part in text
    assert os.listdir(here) == []


# One run, and what can be done with its folder.


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A working directory with a finished run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(*tiny())
    return folder


@pytest.fixture
def copied(trained, here):
    shutil.copytree(trained / "run", here / "run")
    return here / "run"


@pytest.mark.slow
def test_what_a_run_writes(trained):
    names = {name for name in contents(trained / "run") if not name.startswith("tensorboard")}
    files = ["config.gin", "operative.gin", "data.json", "metrics.jsonl", "scores.json"]
    pictures = [f"pictures/density_{step:07d}.png" for step in (20, 40)]
    kept = [f"checkpoints/ckpt-{s}.{part}" for s in (20, 30, 40) for part in ("index", "data-00000-of-00001")]
    assert names == {*files, *pictures, "pictures/density.gif", "lock", *kept}
    assert [row["step"] for row in rows(trained / "run")] == ["10", "20", "30", "40"]
    scores = json.loads((trained / "run" / "scores.json").read_text())
    assert scores["data"]["modes"] == 8 and set(scores["data"]) <= set(scores["samples"]) and scores["step"] == 40


@pytest.mark.slow
def test_lengths_that_divide_nothing(here, capsys):
    # 37 updates, a line every 15 and at the end; 12 and 24 steps fall into the intervals that end at 15 and 30. Three
    # steps an execution do not fill an interval, and more than the run has are as many as it has.
    often = {"train__log_every": "15", "train__checkpoint_every": "12", "train__evaluate_every": "100"}
    often |= UNSEEN
    run(*tiny(**often, train__generator_updates="37", train__steps_per_execution="4"))
    assert [row["step"] for row in rows(here / "run")] == ["15", "30", "37"]
    assert ["modes" in row for row in rows(here / "run")] == [False, False, True]
    saved = sorted(path.stem for path in (here / "run/checkpoints").glob("*.index"))
    assert saved == ["ckpt-15", "ckpt-30", "ckpt-37"]
    # Prolonged, it is the longer run, with one line more; also where the interval that was cut off goes on.
    run(*tiny(**often, train__generator_updates="52", train__steps_per_execution="4"))
    run(*tiny("--run_dir=long", **often, train__generator_updates="52", train__steps_per_execution="1000"))
    assert [row for row in rows(here / "run") if row["step"] != "37"] == rows(here / "long")
    assert [row["step"] for row in rows(here / "long")] == ["15", "30", "45", "52"]


@pytest.mark.slow
@pytest.mark.parametrize("system", ["veegan", "age", "wgan_gp", "unrolled_gan"])
def test_a_short_run_needs_one_parameter(here, system, capsys):
    # As on every recipe: nothing but its length is changed, to one that no interval of the recipe divides.
    run("--gin_file=gin/ring.gin", f"--gin_file=gin/systems/{system}.gin", "--gin_param=train.generator_updates = 7")
    (folder,) = (here / "runs").iterdir()
    assert folder.name == f"ring_{system}", "a folder of its own"
    (row,) = rows(folder)
    assert int(row["generator_updates"]) in (7, 8) and "modes" in row  # AGE has two updates a step
    assert (folder / f"checkpoints/ckpt-{row['step']}.index").exists()
    idle = "the phase game begins at step 500: not in this run of 7 steps"
    assert (idle in capsys.readouterr().out) == (system == "veegan")


@pytest.mark.slow
def test_a_finished_run_is_shown_again_and_not_scored_again(copied, capsys, monkeypatch):
    before = contents(copied)
    with monkeypatch.context() as patch:
        patch.setattr(Measured, "scores", pytest.fail)
        run(*tiny())
    text = capsys.readouterr().out
    assert text.startswith("the run is finished, at step 40; its scores are in run/scores.json\n")
    assert "hq_percent" in text and contents(copied) == before
    # A run that was killed between its last checkpoint and its scores.
    (copied / "scores.json").unlink()
    run(*tiny())
    assert contents(copied) == before


@pytest.mark.slow
def test_other_settings_are_refused_and_shown(copied):
    before = contents(copied)
    line = refused(*tiny("--seed=1", adam__beta_1="0.9"))
    shown = "adam.beta_1: was 0.5, is now 0.9; train.seed: was not set, is now 1"
    assert line == f"run holds a run with other settings ({shown}); take another --run_dir"
    assert refused(*tiny(train__generator_updates="20")).startswith("run holds a run of 40 steps; ")
    assert contents(copied) == before


@pytest.mark.slow
def test_a_folder_in_which_another_process_trains(copied):
    before = contents(copied)
    with files.locked("run/lock", "training in run"):
        line = refused(*tiny())
    assert line == f"process {os.getpid()} on {socket.gethostname()} is training in run"
    after = contents(copied)
    assert after.pop("lock") and before.pop("lock") and after == before


@pytest.mark.slow
def test_other_data_than_at_the_start_is_refused_before_anything_is_written(copied, here, monkeypatch, capsys):
    # The same settings, but the pipeline now gives other points: as a folder to which pictures were added.
    from pipelines import ring as pipeline

    before, centers = contents(copied), pipeline.ring_centers
    monkeypatch.setattr(pipeline, "ring_centers", lambda: centers() + 1.0)
    longer = tiny(train__generator_updates="60")
    assert refused(*longer) == (
        "run holds a run on other data (another first batch and another test split than at its start); --other_data "
        "goes on with these"
    )
    assert contents(copied) == before
    run(*longer, "--other_data")
    assert "resuming at step 40 of 60" in capsys.readouterr().out
    old, new = (json.loads(text) for text in (before["data.json"], (copied / "data.json").read_text()))
    assert new.pop("earlier") == [{"until_step": 40, **old}] and new != old and new.keys() == old.keys()


@pytest.mark.slow
def test_a_finished_run_on_other_data_is_of_these_alone(copied, monkeypatch):
    from pipelines import ring as pipeline

    centers, old = pipeline.ring_centers, json.loads((copied / "data.json").read_text())
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "ring_centers", lambda: centers() + 1.0)
        with monkeypatch.context() as dying:
            dying.setattr(Measured, "sample_scores", lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run(*tiny(), "--other_data")
        assert not (copied / "scores.json").exists(), "those of the data before would pass for new ones"
        run(*tiny(), "--other_data")
        assert json.loads((copied / "data.json").read_text())["earlier"] == [{"until_step": 40, **old}]
    assert "run holds a run on other data" in refused(*tiny())


@pytest.mark.slow
def test_damage_that_costs_nothing_but_itself(copied, trained, capsys):
    # A line of the metrics, an old picture, TensorFlow's own list of checkpoints, a stray index, a half-written event.
    lines = (copied / "metrics.jsonl").read_text().splitlines(keepends=True)
    (copied / "metrics.jsonl").write_text(lines[0] + "\0\n" + "".join(lines[2:]))
    os.truncate(copied / "pictures/density_0000020.png", 100)
    (copied / "checkpoints/checkpoint").write_bytes(b"\0garbage")
    (copied / "checkpoints/ckpt-best.index").write_bytes(b"")
    (event,) = (copied / "tensorboard").iterdir()
    os.truncate(event, event.stat().st_size - 5)
    run(*tiny(train__generator_updates="50"))
    said = capsys.readouterr().out
    assert "run/metrics.jsonl:2 is damaged and is left out\n" in said
    assert "run/metrics.jsonl lacks 1 line(s), of the steps 20 to 20\n" in said
    assert "run/pictures/density_0000020.png cannot be read: " in said and "; it is left out of the animation" in said
    assert [row["step"] for row in rows(copied)] == ["10", "30", "40", "50"]
    assert rows(copied)[0] == rows(trained / "run")[0]
    assert json.loads((copied / "scores.json").read_text())["step"] == 50


@pytest.mark.slow
def test_what_was_used_is_kept_however_the_run_ends(here):
    # Metrics and pictures read their parameters at the first score alone; this run is ended behind it by its losses.
    with pytest.raises(ValueError, match="is not finite"):
        run(*tiny(adam__schedule="@test_train.explodes"))
    operative = (here / "run/operative.gin").read_text()
    for name in ("mixture_scores.within", "density.bins"):
        assert f"\n{name}" in operative


@pytest.mark.slow
def test_a_run_can_be_prolonged(copied, here, capsys):
    run(*tiny(train__generator_updates="60"))
    assert "resuming at step 40 of 60" in capsys.readouterr().out
    run(*tiny("--run_dir=at_once", train__generator_updates="60"))
    assert rows(copied) == rows(here / "at_once") and rows(copied)[-1]["step"] == "60"


@pytest.mark.slow
def test_of_damaged_checkpoints_the_newest_whole_one_is_taken(copied, trained, capsys):
    newest, *others = sorted((copied / "checkpoints").glob("*.data*"), reverse=True)
    os.truncate(newest, 100)
    run(*tiny())
    text = capsys.readouterr().out
    assert re.search(
        r"^checkpoint run/checkpoints/ckpt-40 is damaged \(.+\); falling back to the one before$", text, re.M
    )
    assert "resuming at step 30 of 40" in text
    assert rows(copied) == rows(trained / "run")
    for path in (newest, *others):
        os.truncate(path, 100)
    before = contents(copied)
    line = refused(*tiny())
    assert line == "none of the 3 checkpoints in run/checkpoints can be read; delete it to start anew"
    assert contents(copied) == before


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_another(trained, here, capsys):
    assert refused(*tiny("--warm_start=nowhere")).startswith("there is nothing to start from in nowhere; ")
    from_there = (f"--warm_start={trained}/run", "--run_dir=new")
    for options, begins in ((["--dry_run"], False), ([], True)):
        run(*tiny(*from_there, *options, train__generator_updates="10"))
        text = capsys.readouterr().out
        for network, count in {"encoder": 4, "generator": 4, "discriminator": 4, "code_discriminator": 4}.items():
            assert f"  {network}: took {count} variables\n" in text
        assert (here / "new").exists() == begins
    # It begins where the other one was, at its own step 0, with a loss lower than at a fresh start.
    first, fresh = rows(here / "new")[0], rows(trained / "run")[0]
    assert first["step"] == fresh["step"] == "10"
    assert float(first["autoencoder/reconstruction"]) < float(fresh["autoencoder/reconstruction"])


# Each run's end.


@gin.configurable(module="test_train")
def explodes(learning_rate: float) -> keras.optimizers.schedules.LearningRateSchedule:
    return keras.optimizers.schedules.PiecewiseConstantDecay([24], [learning_rate, 1e30])


@pytest.mark.slow
def test_a_loss_that_is_not_finite_leaves_the_last_good_checkpoint(here, capsys):
    settings = tiny(adam__schedule="@test_train.explodes", **UNSEEN)
    for _ in range(2):  # starting it again comes to the same end
        line = refused(*settings)
        stop = re.fullmatch(r"the loss (\w+)/\w+ is not finite at step 2\d; the last good checkpoint: (.+)", line)
        assert stop and stop[1] in ("autoencoder", "discriminator", "code_discriminator")
        assert stop[2] == "run/checkpoints/ckpt-20"
        assert sorted(path.name for path in (here / "run/checkpoints").glob("*.index")) == [
            "ckpt-10.index",
            "ckpt-20.index",
        ]
        assert [row["step"] for row in rows(here / "run")] == ["10", "20"]
        assert "Traceback" not in capsys.readouterr().err
    # Where nothing good was kept, the same folder takes other settings.
    line = refused(*tiny("--run_dir=new", adam__learning_rate="1e30", **UNSEEN))
    assert line.endswith("the last good checkpoint: none")
    run(*tiny("--run_dir=new", **UNSEEN))


def test_data_have_no_score_of_a_metric_of_the_model(capsys):
    # Two runs of 1 and 3 have a mean of 2 and a deviation of sqrt 2.
    print_table({"samples": [{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 5.0}], "data": [{"a": 0.5}]})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["samples", "data"],
        ["a", "2", "±", "1.41", "0.5"],
        ["b", "5", "±", "0", "-"],
    ]


def test_a_score_that_is_no_number_on_either_side_is_left_out(capsys):
    print_table({"samples": [{"a": math.nan, "b": math.nan}], "data": [{"a": 1.0, "b": math.nan}]})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["samples", "data"], ["a", "nan", "1"]]


@pytest.mark.slow
def test_several_seeds(here, capsys):
    run(*tiny("--seeds=1,2", **UNSEEN))
    table = capsys.readouterr().out.split("2 seeds")[1]
    scores = [json.loads((here / f"run/seed_{seed}/scores.json").read_text())["samples"] for seed in (1, 2)]
    a, b = (score["energy_distance"] for score in scores)
    mean, deviation = re.search(r"^energy_distance +(\S+) ± (\S+)$", table, re.M).groups()
    assert float(mean) == pytest.approx((a + b) / 2, rel=1e-3)
    assert float(deviation) == pytest.approx(abs(a - b) / 2**0.5, rel=1e-2)  # of two values
    # A seed's run does not depend on the one before it in the same process.
    run(*tiny("--seed=2", "--run_dir=alone", **UNSEEN))
    assert rows(here / "alone") == rows(here / "run/seed_2") != rows(here / "run/seed_1")


# Real processes: the exit code and the screen.


def start(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "bms_tf.train", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def screen(errors: str) -> list[str]:
    """What is on stderr besides the progress bar."""
    bar = re.compile(r" *\d+%\|.*\| \d+/\d+ \[.*(step/s|s/step).*\] *")
    return [line for line in re.split(r"[\r\n]", errors) if line.strip() and not bar.fullmatch(line)]


NARROW = [f"--gin_param={player}/dcgan_{player}.width = 2" for player in ("encoder", "generator", "discriminator")]
DIGITS = tiny(
    "--gin_param=train.metrics = []", *NARROW, recipe="digits", train__batch_size="4", train__generator_updates="10"
)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [tiny(), DIGITS], ids=["ring", "digits"])
def test_the_screen_of_a_run_holds_our_lines_alone(here, arguments):
    process = start(*arguments)
    out, errors = process.communicate(timeout=300)
    assert (process.returncode, screen(errors)) == (0, [])
    assert out.splitlines()[-1] == "pictures: run/pictures"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--gin_file=gin/ring.gin", "--gin_param=adam.rate = 1.0"],
            "error: --gin_param 'adam.rate = 1.0': adam has no",
        ),
        (tiny("--run_dir=/dev/null/run"), "error: [Errno 20] Not a directory: '/dev/null/run'"),
        (tiny(adam__learning_rate="1e30"), "error: the loss "),
    ],
)
def test_a_failing_process_says_one_line(here, arguments, line):
    ended = run_apart("bms_tf.train", *arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    (said,) = screen(ended.stderr)
    assert said.startswith(line)


@pytest.mark.slow
def test_interrupting_ends_at_once_and_quietly(here):
    errors, arguments = here / "errors", tiny(train__generator_updates="1000000", **UNSEEN)
    process = Command("bms_tf.train", arguments, here / "out", errors=errors)
    deadline = time.monotonic() + TIME_LIMIT
    while not (here / "run/checkpoints/ckpt-20.index").exists():
        assert process.runs() and time.monotonic() < deadline
        time.sleep(0.05)
    process.signal(signal.SIGINT)
    assert (process.wait(60), screen(errors.read_text())) == (130, [])
    line = process.said().splitlines()[-1]
    step = re.fullmatch(r"stopped by SIGINT at step (\d+); the same command resumes there", line)[1]
    assert (here / f"run/checkpoints/ckpt-{step}.index").exists()
