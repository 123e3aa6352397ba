"""Gin files and parameters that are wrong in some place: each run takes a step or ends in one line, and nothing is
written but its own folder.
"""

import contextlib
import functools
import gc
import io
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bms_tf.core import annotations, command, config, errors
from bms_tf.core.training import new_run

# Every run ends soon, whatever else a file says: these come last.
SHORT = (
    "train.generator_updates = 2",
    "train.log_every = 1",
    "train.checkpoint_every = 2",
    "train.evaluate_every = 2",
    "train.steps_per_execution = 1",
    "train.samples = 20",
)
SMALL = (
    "code_size = 4",
    "mlp.hidden = (8,)",
    "generator/mlp.hidden = (8,)",
    "encoder/mlp.hidden = (8,)",
    "train.batch_size = 8",
)
RECIPES = [
    *[["gin/ring.gin", "gin/systems/gan.gin"]] * 6,
    ["gin/ring.gin", "gin/systems/vae.gin"],
    ["gin/grid.gin", "gin/systems/began.gin"],
    ["gin/ring.gin", "gin/systems/bms_vae_gan.gin"],
]
VALUES = [
    *("0", "1", "-1", "2", "3", "7", "0.5", "-1.0", "0.0", "1e999", "-1e999", "1e-30", "1e30", "1000000000", "2**3"),
    *("True", "None", "''", "'x'", "'bfloat16'", "'\\x00'", "'/etc/passwd'", "()", "(1,)", "(0,)", "(-1,)", "[]", "{}"),
    *(
        "(1000000000,)",
        "(1000000000, 1000000000)",
        "(8, 8, 3)",
        "[None]",
        "{'a': 1}",
        "%code_size",
        "%nothing",
        "%gin.REQUIRED",
    ),
    *(
        "9" * 30,
        "(" * 300 + ")" * 300,
        "[" * 30 + "]" * 30,
        "@",
        "@()",
        "%",
        "b'x'",
        "1j",
        "...",
        "x",
        "lambda: 0",
        "'é'",
    ),
]
LINES = [
    "import os",
    "import bms_tf.train",
    "import pipelines.prepare",
    "import bms_tf.nowhere",
    "import bms_tf.modifiers.gradient_penalty",
    "from __gin__ import dynamic_registration",
    "include 'gin/ring.gin'",
    "include 'nowhere.gin'",
    "include '/etc/passwd'",
    "include 'own.gin'",
    "m0 = %m1",
    "train.modifiers = [@gradient_penalty]",
    "nobody/mlp.hidden = (3,)",
    "gin.macro.value = 3",
    "train:",
    "  seed = 3",
    ")",
    "\x00",
    "# a comment",
]
TIME_LIMIT = 300  # seconds, for slow machines


def scenarios(scratch: Path) -> Iterator["GinFiles"]:
    """The one that there is."""
    yield GinFiles(scratch)


class GinFiles:
    """Recipes of small runs, of which a few lines, values or bytes are changed."""

    name = "gin_files"

    def __init__(self, scratch: Path):
        self.home = scratch / "home"
        (self.home / "temporary").mkdir(parents=True)
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        """Runs one; returns what it was and how it ended."""
        config.load(draw.choice(RECIPES), SMALL)
        lines = config.as_text().splitlines()
        params: list[str] = []
        for _ in range(draw.choice([1, 1, 1, 2, 3])):
            if draw.random() < 0.3:
                params.append(_wrong_line(lines, draw))
            else:
                _spoil(lines, draw)
        text = "\n".join(lines)
        if draw.random() < 0.1:
            text = _spoilt_bytes(text, draw)
        dry = draw.random() < 0.9
        end = self._run(text, [*params, *SHORT], dry)
        return f"{' '.join(params)[:80]!r} {'dry' if dry else 'run'} -> {end[:120]}"

    def losses(self) -> list[str]:
        return self.lost

    def _run(self, text: str, params: list[str], dry: bool) -> str:
        folder = self.home / "run"
        before = _contents(self.home)
        writes: list[str] = []
        try:
            with _at(self.home), _watched(writes), _limited(TIME_LIMIT), contextlib.redirect_stdout(io.StringIO()):
                Path("own.gin").write_text(text, encoding="utf-8", errors="surrogateescape")
                config.load(["own.gin"], params)
                run = new_run()
                with errors.in_one_line():
                    run.describe() if dry else run.train(str(folder))
            end = "a step"
            if any(param.startswith("include") for param in params):
                self.lost.append(f"a file is left out in silence: {params}")
        except (ValueError, OSError) as error:
            end = command.one_line(error)
            if not end or "\n" in end or len(end) > 3000:
                self.lost.append(f"no line of sense: {end[:500]!r} for {params} and\n{text}")
        except BaseException as error:  # whatever it is, a user would see its traceback
            if isinstance(error, KeyboardInterrupt):
                raise
            end = f"{type(error).__name__}: {error}"
            self.lost.append(f"{end[:1000]} for {params} and\n{text}")
        finally:
            config.clear()
            gc.collect()
        allowed = {"own.gin"} if dry else {"own.gin", "run"}
        made = {name.split("/")[0] for name in _contents(self.home) - before} - {*allowed, "temporary"}
        elsewhere = [path for path in writes if not _within(path, self.home)]
        if made or elsewhere:
            self.lost.append(f"written: {sorted(made)} {elsewhere} for {params} and\n{text}")
        shutil.rmtree(folder, ignore_errors=True)
        return end


def _spoil(lines: list[str], draw: Random):
    """Changes one of the lines."""
    at = draw.randrange(len(lines))
    what = draw.choice(["value", "value", "value", "value", "drop", "double", "swap", "insert"])
    if what == "drop":
        del lines[at]
    elif what == "double":
        lines.insert(at, lines[at])
    elif what == "insert":
        lines.insert(at, draw.choice(LINES))
    elif what == "swap":
        other = draw.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        bindings = [i for i, line in enumerate(lines) if " = " in line]
        if bindings:
            at = draw.choice(bindings)
            lines[at] = f"{lines[at].partition(' = ')[0]} = {_wrong_value(draw)}"


def _wrong_line(lines: list[str], draw: Random) -> str:
    """A parameter as `--gin_param` gives it: of a configurable that is there, or a line that is none."""
    if draw.random() < 0.2:
        return draw.choice(LINES)
    bindings = [line.partition(" = ")[0] for line in lines if " = " in line]
    name = draw.choice(bindings) if bindings and draw.random() < 0.6 else _any_parameter(draw)
    return f"{name} = {_wrong_value(draw)}"


def _wrong_value(draw: Random) -> str:
    if draw.random() < 0.4:
        return f"@{_any_configurable(draw).split('.')[-1]}{draw.choice(['', '()'])}"
    return draw.choice(VALUES)


def _any_configurable(draw: Random) -> str:
    return draw.choice(sorted(name for name in config.registered() if name.startswith(("bms_tf", "pipelines"))))


def _any_parameter(draw: Random) -> str:
    name = _any_configurable(draw)
    parameters = [p for p in annotations.parameters(config.registered()[name]) if not p.startswith("**")]
    scope = draw.choice(["", "", "", "generator/", "nobody/"])
    return f"{scope}{name.split('.')[-1]}.{draw.choice([*parameters, 'nothing'])}"


def _spoilt_bytes(text: str, draw: Random) -> str:
    """The same with some characters dropped, doubled or replaced."""
    for _ in range(draw.randint(1, 3)):
        at, length = draw.randrange(len(text) + 1), draw.choice([0, 1, 1, 5, 60])
        new = draw.choice(["", text[at : at + length] * 2, draw.choice("()[]{}@%='\"\\\t\x00\udcff\n.,:/é"), "\n"])
        text = text[:at] + new + text[at + length :]
    return text


def _contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def _within(path: str, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder.resolve())


@contextlib.contextmanager
def _at(home: Path) -> Iterator[None]:
    """Inside, this is the working directory, the home and the place of temporary files."""
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(home / "temporary")}
    before, directory = {name: os.environ.get(name) for name in places}, os.getcwd()
    os.environ.update(places)
    os.chdir(home)
    tempfile.tempdir = places["TMPDIR"]
    try:
        yield
    finally:
        tempfile.tempdir = None
        os.chdir(directory)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


_WATCHING: list[list[str]] = []


def _watch(event: str, arguments: tuple):
    """Hears of every file that Python opens. A hook cannot be taken away again."""
    if _WATCHING and event == "open" and isinstance(arguments[0], str):
        mode, way = arguments[1], arguments[2]
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else way & (os.O_WRONLY | os.O_RDWR)
        if writes and not arguments[0].startswith(("/dev/", "/proc/")):
            _WATCHING[-1].append(os.path.abspath(arguments[0]))


@functools.cache  # once in a process
def _hear_of_files():
    sys.addaudithook(_watch)


@contextlib.contextmanager
def _watched(writes: list[str]) -> Iterator[None]:
    """Inside, `writes` gets the path of every file that Python opens for writing."""
    _hear_of_files()
    _WATCHING.append(writes)
    try:
        yield
    finally:
        _WATCHING.pop()


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Inside, what takes longer ends in an error that is nobody's."""

    class Hangs(Exception):
        pass

    def ring(*_):
        raise Hangs(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
