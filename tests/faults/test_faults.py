"""A short round of the injected faults; `python -m tests.faults --rounds=10` is a long one."""

import random
import shutil

import pytest

from tests.faults import training
from tests.faults._harness import STEPS, differences, reference
from tests.faults._injection import inject, kinds

# How many faults each scenario gets.
ROUNDS = dict.fromkeys(["clock", "damage", "disks", "evaluating", "exporting", "reporting"], 1)
ROUNDS |= {"gin_files": 6, "requests": 20}
ELSEWHERE = {"training", "tuning", "reproducing", "workers"}  # below, test_tune.py, test_reproduce.py, test_devices.py


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """Undisturbed runs lie here and are what all tests compare with; each test has a folder in it."""
    return tmp_path_factory.mktemp("faults")


def test_every_kind_is_found():
    assert set(kinds()) == {*ROUNDS, *ELSEWHERE}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "rounds"), ROUNDS.items())
def test_nothing_is_lost(kind, rounds, scratch):
    faults, losses = inject(kind, rounds, 0, scratch)
    assert losses == [] and (faults or kind == "disks"), "only the mounting of a disk may be refused"


@pytest.mark.slow
@pytest.mark.parametrize(("system", "devices"), [("bms_vae_gan", 1), ("began", 1), ("veegan", 2), ("unrolled_gan", 2)])
def test_no_kill_of_a_training_leaves_a_trace(system, devices, scratch):
    scenario, draw = training.Training(scratch / "training", system, devices), random.Random(system)
    for _ in range(2):
        scenario.fault(draw)
    assert scenario.losses() == []


@pytest.mark.slow
def test_a_difference_of_one_bit_is_seen(scratch, tmp_path):
    """The comparison is not blind: a run with another seed differs in all that can, and one picture in itself."""
    whole = reference(scratch / "training")
    picture = next((whole / "pictures").glob("*.png"))
    other = tmp_path / "other"
    shutil.copytree(whole, other)
    assert differences(other, whole) == []
    content = bytearray(picture.read_bytes())
    content[-1] ^= 1
    (other / "pictures" / picture.name).write_bytes(content)
    (other / "scores.json").write_text((whole / "scores.json").read_text().replace(f": {STEPS}", f": {STEPS - 1}", 1))
    assert differences(other, whole) == [f"pictures/{picture.name} differs", "scores.json differs"]
