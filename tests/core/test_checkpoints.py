"""A run that was stopped goes on exactly, also where the newest checkpoint is damaged."""

import gc
import os
import re
import resource
import shutil

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.keras import keras
from bms_tf.core.system import Phase, System
from bms_tf.networks.layers import spectral_normalization
from bms_tf.networks.mlp import mlp


class Game(System):
    """Has everything that a checkpoint must hold: two optimizers, singular vectors, an average and noise by step."""

    def __init__(self):
        networks = {
            "generator": mlp(input_shape=(2,), output_shape=(2,), hidden=(3,)),
            "critic": mlp(input_shape=(2,), output_shape=(), hidden=(3,), wrapper=spectral_normalization),
        }
        super().__init__(networks=networks, players={"artist": ["generator"], "critic": ["critic"]}, ema=0.9)
        self.compile({"artist": keras.optimizers.Adam(0.1), "critic": keras.optimizers.Adam(0.1)})

    def phases(self):
        def losses(x, key):
            score = self.critic(self.generator(key.normal("prior", x.shape)))
            return {"artist": {"fake": -score}, "critic": {"fake": score, "real": -self.critic(x)}}, {}

        return [Phase("both", losses)]

    def train(self, steps: int):
        rng = np.random.default_rng(int(self.step.numpy()))
        self.fit(tf.constant(rng.normal(size=(4 * steps, 2)), tf.float32), batch_size=4, shuffle=False, verbose=0)

    def state(self) -> dict[str, np.ndarray]:
        """Every variable that the run depends on."""
        groups = {"weights": [v for network in self.networks.values() for v in network.variables]}
        groups |= {player: optimizer.variables for player, optimizer in self.optimizers.items()}
        groups |= {"own": [*self.averages, self.step]}
        return {f"{group}/{i}": v.numpy() for group, variables in groups.items() for i, v in enumerate(variables)}


def assert_same(a: dict, b: dict):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def games():
    """A game to save and another, with other weights, to restore into."""
    return Game(), Game()


@pytest.fixture
def saved(games, tmp_path):
    """The folder of a game that was saved at three steps, the last two of which are kept, and the three states."""
    game, _ = games
    game.step.assign(8)  # so that the names are not in the order of the alphabet
    checkpoints = Checkpoints(game, str(tmp_path), keep=2)
    states = {}
    for _ in range(3):
        game.train(1)
        step = checkpoints.save()
        states[step] = game.state()
    assert list(states) == [9, 10, 11]
    assert sorted(name for name in os.listdir(tmp_path) if name.endswith(".index")) == [
        "ckpt-10.index",
        "ckpt-11.index",
    ]
    return tmp_path, states


def test_the_newest_state_is_restored_exactly(games, saved):
    folder, states = saved
    game, other = games
    assert Checkpoints(other, str(folder)).restore() == 11
    assert_same(other.state(), states[11])
    # And both go on alike.
    for g in games:
        g.train(2)
    assert_same(game.state(), other.state())
    assert np.abs(other.state()["weights/0"] - states[11]["weights/0"]).max() > 0


DATA, INDEX = ".data-00000-of-00001", ".index"


def cut(share):
    return lambda path: os.truncate(path, int(share * os.path.getsize(path)))


def flip(path):
    """Changes the byte in the middle."""
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 255]))


@pytest.mark.parametrize("file", [DATA, INDEX])
@pytest.mark.parametrize("damage", [cut(0), cut(0.5), cut(0.99), flip])
def test_a_damaged_newest_one_is_reported_and_the_one_before_taken(games, saved, file, damage):
    folder, states = saved
    _, other = games
    damage(f"{folder}/ckpt-11{file}")
    lines = []
    checkpoints = Checkpoints(other, str(folder), keep=2)
    assert checkpoints.restore(lines.append) == 10
    assert_same(other.state(), states[10])
    assert len(lines) == 1 and "\n" not in lines[0]
    assert lines[0].startswith(f"checkpoint {folder}/ckpt-11 is damaged (")
    assert lines[0].endswith("); falling back to the one before")
    # The run comes to that step again and replaces it.
    other.train(1)
    assert checkpoints.save() == 11
    assert Checkpoints(other, str(folder)).restore(pytest.fail) == 11


def test_all_damaged_is_an_error(games, saved):
    folder, _ = saved
    os.remove(f"{folder}/ckpt-11{DATA}")
    cut(0.5)(f"{folder}/ckpt-10{DATA}")
    lines = []
    with pytest.raises(ValueError, match=f"none of the 2 checkpoints in {folder} can be read; delete it to start anew"):
        Checkpoints(games[1], str(folder)).restore(lines.append)
    assert len(lines) == 2


def test_one_that_a_training_replaces_while_it_is_read(games, saved, monkeypatch):
    """With one that is kept, an export would have said that none can be read, and that they may be deleted."""
    game, other = games
    folder, states = saved
    training, reading = Checkpoints(game, str(folder), keep=1), Checkpoints(other, str(folder))
    found = reading._found

    def then_replaced():
        monkeypatch.setattr(reading, "_found", found)
        before = found()
        game.train(1)
        states[12] = game.state() if training.save() == 12 else None
        return before

    monkeypatch.setattr(reading, "_found", then_replaced)
    assert reading.restore(lambda line: None) == 12
    assert_same(other.state(), states[12])


def test_another_systems_checkpoint_is_not_taken(saved):
    class Wider(Game):
        def __init__(self):
            System.__init__(
                self,
                networks={"generator": mlp(input_shape=(2,), output_shape=(2,), hidden=(5,))},
                players={"artist": ["generator"]},
            )

    with pytest.raises(ValueError, match="none of the 2 checkpoints"):
        Checkpoints(Wider(), str(saved[0])).restore(lambda line: None)
    gc.collect()  # TensorFlow warns of what was not restored when it deletes it: here, and not after the tests


def test_none_is_step_0(games, tmp_path):
    before = games[1].state()
    assert Checkpoints(games[1], str(tmp_path / "none")).restore(pytest.fail) == 0
    assert_same(games[1].state(), before)


def test_what_a_crash_while_writing_leaves_is_not_a_checkpoint(games, saved):
    # TensorFlow writes data under a temporary name, and the index last.
    folder, _ = saved
    (folder / "ckpt-12_temp").mkdir()
    (folder / f"ckpt-12{DATA}").write_bytes(b"half")
    checkpoints = Checkpoints(games[1], str(folder))
    assert checkpoints.restore(pytest.fail) == 11
    # The next one clears it away, and one that is no longer counted: a crash came before the deletion of an old one.
    for part in (DATA, INDEX):
        shutil.copy(folder / f"ckpt-10{part}", folder / f"ckpt-7{part}")
    checkpoints.save()
    assert sorted(path.name for path in folder.glob("*.index")) == ["ckpt-10.index", "ckpt-11.index", "ckpt-7.index"]
    Checkpoints(games[1], str(folder), keep=2).save()
    assert sorted(path.name for path in folder.glob("*.index")) == ["ckpt-10.index", "ckpt-11.index"]
    assert not [path.name for path in folder.iterdir() if "12" in path.name]
    assert Checkpoints(games[0], str(folder)).restore(pytest.fail) == 11


def test_other_files_in_the_folder_are_left_alone(games, saved):
    # TensorFlow's own list of checkpoints, here garbage; one that the user has kept under a name; a picture.
    folder, _ = saved
    names = ["checkpoint", "ckpt-best.index", "ckpt-best.data-00000-of-00001", "notes.txt"]
    for name in names:
        (folder / name).write_bytes(b"\0garbage")
    checkpoints = Checkpoints(games[1], str(folder), keep=2)
    assert checkpoints.restore(pytest.fail) == 11
    games[1].train(1)
    checkpoints.save()
    assert {name: (folder / name).read_bytes() for name in names} == dict.fromkeys(names, b"\0garbage")
    assert sorted(path.name for path in folder.glob("ckpt-[0-9]*.index")) == ["ckpt-11.index", "ckpt-12.index"]


def test_a_damaged_one_ahead_of_the_run_does_not_crowd_out_a_good_one(games, saved):
    folder, _ = saved
    cut(0.5)(f"{folder}/ckpt-11{DATA}")
    checkpoints = Checkpoints(games[1], str(folder), keep=1)
    assert checkpoints.restore(lambda line: None) == 10
    assert checkpoints.save() == 10  # stopped at once
    assert Checkpoints(games[0], str(folder)).restore(pytest.fail) == 10


def test_an_index_that_a_full_disk_cut_off_is_not_the_last_good_one(games, saved, monkeypatch):
    folder, _ = saved
    checkpoints = Checkpoints(games[0], str(folder))
    games[0].train(1)
    write = checkpoints._checkpoint.write

    def cut_off(path):
        write(path)
        cut(0.5)(f"{path}.index")
        raise tf.errors.ResourceExhaustedError(None, None, f"{path}.index; No space left on device")

    monkeypatch.setattr(checkpoints._checkpoint, "write", cut_off)
    with pytest.raises(OSError, match=f"No space left on device\\); the last good one: {folder}/ckpt-11$"):
        checkpoints.save()
    assert Checkpoints(games[1], str(folder)).restore(pytest.fail) == 11


def test_a_full_disk_is_one_line_and_the_last_good_one_stays(games, saved):
    # The system's own limit of a file's size stands for the full disk: writing fails in the same place.
    folder, states = saved
    checkpoints = Checkpoints(games[0], str(folder))
    games[0].train(1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            checkpoints.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert re.fullmatch(
        rf"the checkpoint of step 12 cannot be written \(.*File too large\); the last good one: {folder}/ckpt-11",
        str(caught.value),
    )
    assert not list(folder.glob("ckpt-12*"))
    assert Checkpoints(games[1], str(folder)).restore(pytest.fail) == 11
    assert_same(games[1].state(), states[11])


def test_the_size_is_at_least_what_they_take(games, saved):
    # Two are kept and a third is there while it is written; an index and the names come on top of the values.
    folder, _ = saved
    values = sum(value.nbytes for value in games[0].state().values())
    size = Checkpoints(games[0], str(folder), keep=2).size
    data = os.path.getsize(f"{folder}/ckpt-11{DATA}")
    assert 3 * values <= size <= 3 * data


@pytest.mark.parametrize("name", ["run[1]", "a\\b"])
def test_a_folder_that_tensorflow_would_not_find_again(tmp_path, name):
    with pytest.raises(ValueError, match=r"TensorFlow finds no checkpoint in a path with \[ or"):
        Checkpoints(None, str(tmp_path / name))
