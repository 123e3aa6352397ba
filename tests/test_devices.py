"""Several processes: they train as one device does, and when one of them dies the run goes on, on what there is."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from bms_tf.core import devices
from tests.commands import Command, free_ports

ROOT = Path(__file__).parents[1]
PARAMS = {
    "BMSVAEGAN.T": "2",
    "code_size": "4",
    "mlp.hidden": "(8,)",
    "generator/mlp.hidden": "(8,)",
    "encoder/mlp.hidden": "(8,)",
    "adam.learning_rate": "1e-4",
    "train.batch_size": "8",
    "train.evaluate_every": "1000000",
    "train.metrics": "[]",
    "train.pictures": "[]",
    "train.samples": "50",
    "ring.held_out": "300",
    "train.steps_per_execution": "1",
}


# The command, changed: it takes seconds to end.
ENDS_LATE = """
import atexit, runpy, time
atexit.register(time.sleep, 5)
runpy.run_module("bms_tf.train", run_name="__main__", alter_sys=True)
"""


def flags(
    folder: Path, updates: int, workers: list[str] | None = None, index: int = 0, interval: int = 10
) -> tuple[list[str], dict[str, str]]:
    """Of the command on one device, or as one of `workers`, and its environment."""
    often = {"train.log_every": str(interval), "train.checkpoint_every": str(interval)}
    params = PARAMS | {"train.generator_updates": str(updates)} | often
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if workers:
        params["train.devices"] = "@multi_worker"
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment["TF_CONFIG"] = json.dumps(task)
    params = [f"--gin_param={name} = {value}" for name, value in params.items()]
    return ["--gin_file=gin/ring.gin", f"--run_dir={folder}", *params], environment


def train(folder: Path, updates: int, workers: list[str] | None = None, index: int = 0) -> Command:
    """The command at work."""
    options, environment = flags(folder, updates, workers, index)
    log = folder.with_name(f"{folder.name}_{index}.log")
    return Command("bms_tf.train", options, log, cwd=folder.parent, environment=environment)


def start(
    folder: Path,
    updates: int,
    workers: list[str],
    index: int,
    interval: int = 10,
    program: tuple[str, ...] = ("-m", "bms_tf.train"),
    screen: int | None = None,
) -> subprocess.Popen:
    """The same with a Python and an end of its own; `screen`: where it prints, if not into a new file."""
    options, environment = flags(folder, updates, workers, index, interval)
    log = screen or open(folder.with_name(f"{folder.name}_{index}.log"), "w")
    command = [sys.executable, *program, *options]
    return subprocess.Popen(command, cwd=folder.parent, stdout=log, stderr=subprocess.STDOUT, env=environment)


def read_until(pattern: bytes, terminal: int, seconds: float) -> bytes:
    """What the terminal shows until `pattern` was in it."""
    said, deadline = b"", time.monotonic() + seconds
    while not re.search(pattern, said):
        assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0], said
        said += os.read(terminal, 65536)
    return said


def losses(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.mark.slow
def test_two_processes_train_as_one_device_and_one_goes_on_when_the_other_dies(tmp_path):
    run, alone = tmp_path / "run", tmp_path / "alone"
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    commands = [train(run, 100_000, workers, index) for index in range(2)]
    try:
        deadline = time.monotonic() + 600
        while not (run / "checkpoints/ckpt-20.index").exists():
            assert all(command.runs() for command in commands) and time.monotonic() < deadline
            time.sleep(0.01)
        commands[1].signal(signal.SIGKILL)
        assert commands[0].wait(120) == 1  # noticed by its heartbeat, 10 s
    finally:
        for command in commands:
            command.signal(signal.SIGKILL)
    last = (tmp_path / "run_0.log").read_text().splitlines()[-1]
    assert last == "error: another worker has ended; start all of them again to go on from the last checkpoint"

    # On one device it goes on. All of it is as it had been on one device from the beginning, but for rounding.
    newest = max(int(path.stem.split("-")[1]) for path in (run / "checkpoints").glob("*.index"))
    for folder in (run, alone):
        assert train(folder, newest + 20).wait() == 0
    assert f"resuming at step {newest} of" in (tmp_path / "run_0.log").read_text()
    pairs = list(zip(losses(run), losses(alone), strict=True))
    assert len(pairs) == newest // 10 + 2
    for together, one in pairs:
        assert together == pytest.approx(one, rel=1e-4, abs=1e-5)


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_stops_both_at_one_step_inside_the_interval(tmp_path):
    run = tmp_path / "run"
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    shown, screen = os.openpty()  # the bar is for a screen, and for worker 0
    termios.tcsetwinsize(screen, (24, 200))
    screens = (screen, None)
    processes = [start(run, 10_000_000, workers, i, 1_000_000, screen=screens[i]) for i in range(2)]
    os.close(screen)
    try:
        said = read_until(b"autoencoder=", shown, seconds=300)  # a step has been taken
        processes[1].terminate()
        # One read may give the whole line; after it the terminal may be closed at once.
        said += read_until(rb"stopped by SIGTERM at step \d+;", shown, seconds=60)
        assert [process.wait(timeout=60) for process in processes] == [128 + signal.SIGTERM] * 2
    finally:
        for process in processes:
            process.kill()
        os.close(shown)
    logs = said.decode(), (tmp_path / "run_1.log").read_text()
    steps = {re.search(r"stopped by SIGTERM at step (\d+)", log)[1] for log in logs}
    assert len(steps) == 1 and 0 < int(*steps) < 1_000_000
    assert (run / f"checkpoints/ckpt-{int(*steps)}.index").exists()


@pytest.mark.slow
def test_workers_begin_as_one_and_end_as_one(tmp_path):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    assert train(run, 20).wait() == 0
    # On a disk that only one of them sees the other one would begin at step 0, and train on other weights.
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    commands = [train(folder, 40, workers, index) for index, folder in enumerate((run, elsewhere))]
    assert [command.wait() for command in commands] == [1, 1]
    line = "error: the workers, in the order of TF_CONFIG, begin with different step: 20, 0; all must be given the same"
    for index, name in enumerate(("run_0.log", "elsewhere_1.log")):
        said = (tmp_path / name).read_text()
        assert said.splitlines()[-1].startswith(line)
        assert f"worker {index} waits for {workers[1 - index]}, each to be started with this command\n" in said
    assert [row["step"] for row in losses(run)] == [10, 20] and not (elsewhere / "metrics.jsonl").exists()

    # On one that both see they go on. Worker 1 ends late, and does not take the end of worker 0 for a crash.
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    programs = (("-m", "bms_tf.train"), ("-c", ENDS_LATE))
    processes = [start(run, 40, workers, index, program=programs[index]) for index in range(2)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    assert [row["step"] for row in losses(run)] == [10, 20, 30, 40]
    for index in range(2):
        said = (tmp_path / f"run_{index}.log").read_text()
        assert "Coordination" not in said and "StartAbort" not in said and "lacks" not in said, said


WORKERS = '{"cluster": {"worker": ["a:1", "b:1"]}, '


@pytest.mark.parametrize(
    "text", ["", "{", '{"cluster": {}}', WORKERS + '"task": 0}', WORKERS + '"task": {"type": "worker", "index": 2}}']
)
def test_without_its_variable_it_says_what_it_should_hold(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError) as caught:
        devices.multi_worker()
    assert str(caught.value).startswith(f"TF_CONFIG is {text!r}; it must name all workers and which of them this is")
