"""Commands to be disturbed, runs to be compared, and disks to be filled."""

import contextlib
import ctypes
import functools
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tests.commands import Command

STEPS, INTERVAL = 120, 10
# Fast, and with all that a state can consist of: moments, a schedule, an average, noise, pictures and scores (not those
# of the model, for which all its signatures are traced).
TINY = (
    "code_size = 4",
    "mlp.hidden = (8,)",
    "generator/mlp.hidden = (8,)",
    "encoder/mlp.hidden = (8,)",
    f"linear_decay.horizon = {STEPS + 40}",
    f"train.generator_updates = {STEPS}",
    "train.batch_size = 16",
    f"train.log_every = {INTERVAL}",
    f"train.checkpoint_every = {INTERVAL}",
    f"train.evaluate_every = {4 * INTERVAL}",
    "train.metrics = [@mixture_scores]",
    "train.samples = 100",
    "ring.held_out = 300",
    "train.steps_per_execution = 1",
)
SYSTEMS = {
    "bms_vae_gan": ("BMSVAEGAN.T = 2", "discriminator/wrap.wrapper = @spectral_normalization"),
    "veegan": (f"VEEGAN.pretraining = {2 * INTERVAL}",),
    "unrolled_gan": (),
    "began": ("BEGAN.lambda_k = 0.1",),
}


def _prepare(devices: int, clock_back: float | None):
    """`devices`: of the CPU; `clock_back`: the seconds until the process's clock is set back by a year."""
    if clock_back is not None:
        _set_back(clock_back)
    if devices > 1:
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)


def _set_back(seconds: float):
    """The clock that Python reads, a year earlier from so many seconds on. Only root could set the machine's own."""
    now, now_ns, jump = time.time, time.time_ns, time.monotonic() + seconds
    year = 365 * 24 * 3600
    time.time = lambda: now() - year * (time.monotonic() >= jump)
    time.time_ns = lambda: now_ns() - 10**9 * year * (time.monotonic() >= jump)


def train(
    run_dir: Path,
    system: str = "bms_vae_gan",
    devices: int = 1,
    *,
    clock_back: float | None = None,
    params: Sequence[str] = (),
    workers: Sequence[str] = (),
    index: int = 0,
) -> Command:
    """The tiny run of a system on the ring, or what `params` make of it, in `run_dir`; or one of its `workers`."""
    kind = "mirrored" if devices > 1 else "multi_worker" if workers else "one_device"
    params = [*TINY, *SYSTEMS[system], f"train.devices = @{kind}", *params]
    files = ["gin/ring.gin", f"gin/systems/{system}.gin"]
    flags = [*(f"--gin_file={file}" for file in files), *(f"--gin_param={param}" for param in params)]
    flags.append(f"--run_dir={run_dir}")
    log, prepare = run_dir.with_suffix(f".{index}.log"), functools.partial(_prepare, devices, clock_back)
    task = {"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": index}}
    environment = os.environ | ({"TF_CONFIG": json.dumps(task)} if workers else {})
    return Command("bms_tf.train", flags, log, prepare=prepare, environment=environment)


def steps(run_dir: Path) -> list[int]:
    """The steps of the whole lines of the metrics so far."""
    path = run_dir / "metrics.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line)["step"] for line in text.splitlines(keepends=True) if line.endswith("\n")]


def wait_for(seconds: float, command: Command):
    """So long, or until the command has ended."""
    deadline = time.monotonic() + seconds
    while command.runs() and time.monotonic() < deadline:
        time.sleep(0.002)


def wait_for_lines(count: int, run_dir: Path, command: Command):
    """Until the metrics have so many lines, or the command has ended."""
    while command.runs() and len(steps(run_dir)) < count:
        time.sleep(0.01)


def finished(command: Command, what: str = "") -> list[str]:
    """What is lost where the command did not come to its end, or spoke of damage that nobody did."""
    code = command.wait()
    if code != 0:
        return [f"{what}exit code {code}: {last_line(command)}"]
    return [f"{what}{line}" for line in command.said().splitlines() if "damaged" in line or "lacks" in line]


def last_line(command: Command) -> str:
    return (command.said().strip().splitlines() or [""])[-1][:300]


def one_line_error(command: Command) -> list[str]:
    """What is wrong where a command should have ended with one line for its user."""
    code, said = command.wait(), command.said()
    if code != 1 or "Traceback" in said or not last_line(command).startswith("error: "):
        return [f"exit code {code} and not one line: {last_line(command)}"]
    return []


def state(run_dir: Path) -> dict[str, object]:
    """All that a run leaves, but for times: its last checkpoint by variable, and its files."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"ckpt-{STEPS}"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    found = {f"variable {name}": reader.get_tensor(name) for name in names}
    metrics = (run_dir / "metrics.jsonl").read_text()
    found["metrics.jsonl"] = re.sub(r', "seconds": [\d.]+', "", metrics)
    for name in ("config.gin", "operative.gin", "data.json", "scores.json"):
        found[name] = (run_dir / name).read_text()
    for path in (run_dir / "pictures").iterdir():
        if path.suffix in (".png", ".gif"):  # .new is what a killed writer leaves
            found[f"pictures/{path.name}"] = path.read_bytes()
    return found


def differences(run_dir: Path, reference: Path, ignore: Sequence[str] = ()) -> list[str]:
    """What of two finished runs is not the same to the bit."""
    a, b = state(run_dir), state(reference)
    differ = [name for name in a.keys() & b.keys() if not np.array_equal(a[name], b[name])]
    return [f"{name} differs" for name in sorted((a.keys() ^ b.keys()) | set(differ)) if name not in ignore]


def reference(scratch: Path, system: str = "bms_vae_gan", devices: int = 1) -> Path:
    """The folder of a run that was never disturbed, one for all kinds of faults, each of which has its `scratch`."""
    folder = scratch.parent / f"{system}_{devices}_undisturbed"
    if not folder.exists():
        lost = finished(train(folder, system, devices))
        if lost:
            raise RuntimeError(f"the undisturbed run failed: {lost}")
    return folder


_MS_RDONLY, _MS_REMOUNT = 1, 32


@contextlib.contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own at `folder`. Raises PermissionError where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount(b"tmpfs", folder, 0, f"size={megabytes}m".encode())
    try:
        yield
    finally:
        ctypes.CDLL(None).umount2(str(folder).encode(), 2)  # also where something is still open


def set_read_only(folder: Path, read_only: bool):
    """Makes the disk at `folder` refuse every write, or take them again."""
    _mount(None, folder, _MS_REMOUNT | _MS_RDONLY * read_only, None)


def _mount(source: bytes | None, folder: Path, options: int, data: bytes | None):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source, str(folder).encode(), b"tmpfs", options, data):
        number = ctypes.get_errno()
        raise PermissionError(number, os.strerror(number), str(folder))


def fill(folder: Path, leave: int) -> Path:
    """A file that takes all of the disk but `leave` bytes; returns its path."""
    path = folder / "filler"
    with open(path, "wb") as file:
        with contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
        file.truncate(max(0, file.tell() - leave))
    return path
