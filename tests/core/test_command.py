"""A command's screen: help at once, one line for a user's error, a traceback for ours."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bms_tf.core import command

ROOT = Path(__file__).parents[2]
COMMAND = '''
"""Does a thing."""
from absl import flags
from bms_tf.core import command
SIZE = flags.DEFINE_integer("size", 1, "Its size.")
def main(argv):
    {body}
if __name__ == "__main__":
    command.run(main, "python -m thing --size=3")
'''
COMMANDS = sorted(p.stem for p in (ROOT / "bms_tf").glob("*.py") if "command.run(" in p.read_text(encoding="utf-8"))


def start(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture
def thing(tmp_path):
    def start_thing(body, *arguments):
        (tmp_path / "thing.py").write_text(COMMAND.format(body=body))
        return start(str(tmp_path / "thing.py"), *arguments)

    return start_thing


def test_a_clone_in_the_working_directory_is_not_taken_for_the_package(tmp_path):
    """Python finds a folder of that name before an editable installation, whose finder is the last one."""
    (tmp_path / "bms_tf").mkdir()
    (tmp_path / "program.py").write_text(f"""
import importlib.machinery, sys
class Editable:
    def find_spec(name, path=None, target=None):
        if name.startswith("bms_tf."):
            return importlib.machinery.PathFinder.find_spec(name, path=[{str(ROOT / "bms_tf")!r}])
sys.meta_path.append(Editable)
from bms_tf.core import command
command.run(print, "python -m bms_tf.train")
""")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # it may name the clone
    ended = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.startswith("error: the folder ") and "hides the package" in ended.stderr


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_the_example_and_the_flags(thing, flag):
    ended = thing("raise SystemExit('main must not run')", flag)
    assert ended.returncode == 0
    for text in ("Does a thing.", "python -m thing --size=3", "--size: Its size."):
        assert text in ended.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_answers_at_once(name):
    imported = start("-X", "importtime", "-m", f"bms_tf.{name}", "--help")
    assert imported.returncode == 0
    assert "python -m" in imported.stdout
    assert "tensorflow" not in imported.stderr and "keras" not in imported.stderr
    seconds = []
    for _ in range(3):  # the best of three, as the machine may be busy with other things
        begin = time.monotonic()
        start("-m", f"bms_tf.{name}", "--help")
        seconds.append(time.monotonic() - begin)
    assert min(seconds) < 2


def test_the_list_of_what_is_shipped_needs_no_tensorflow(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('the list needs no TensorFlow')")
    (tmp_path / "list.py").write_text("import runpy\nrunpy.run_module('bms_tf.train', run_name='__main__')")
    before = os.times().children_user
    ended = start(str(tmp_path / "list.py"), "--list")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert os.times().children_user - before < 2, "seconds, of this process alone"
    listed = [line.split(maxsplit=1) for line in ended.stdout.splitlines() if line]
    files = {p.relative_to(ROOT).as_posix(): p.read_text().splitlines()[0] for p in (ROOT / "gin").rglob("*.gin")}
    assert {name: f"# {line}" for name, line in listed} == files
    folders = list(dict.fromkeys(name.rpartition("/")[0] for name, _ in listed))
    assert folders[0] == "gin" and {"gin/data", "gin/modifiers", "gin/systems"} <= set(folders), "recipes come first"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise ValueError(f'size is {SIZE.value}; it must be even')", "error: size is 3; it must be even"),
        ("raise ValueError('a\\n  b')", "error: a b"),
        ("raise ValueError()", "error: ValueError"),
        ("open('/nowhere/at/all', 'w')", "error: [Errno 2] No such file or directory: '/nowhere/at/all'"),
    ],
)
def test_a_users_error_is_one_line(thing, body, line):
    ended = thing(body, "--size=3")
    assert (ended.returncode, ended.stderr, ended.stdout) == (1, line + "\n", "")
    assert "Traceback" in thing(body, "--size=3", "--verbosity=1").stderr


def test_a_forgotten_flag_name_is_refused(thing):
    ended = thing("print('ran')", "3")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: unknown argument '3'; ")
    assert ended.stdout == ""


@pytest.mark.parametrize("error", ["TypeError", "KeyError", "AssertionError"])
def test_a_fault_of_the_program_keeps_its_traceback(thing, error):
    ended = thing(f"raise {error}('ours')")
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr and error in ended.stderr


def test_interrupting_gives_130_and_no_traceback(thing):
    ended = thing("raise KeyboardInterrupt")
    assert (ended.returncode, ended.stderr) == (130, "")


def test_a_reader_that_has_enough_is_no_error(tmp_path):
    (tmp_path / "thing.py").write_text(COMMAND.format(body="print('x' * 10**6)"))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, tmp_path / "thing.py"], env=os.environ | {"PYTHONPATH": ROOT}, **pipes) as p:
        p.stdout.close()  # as `head` does
        assert p.stderr.read() == b"" and p.wait() == 128 + signal.SIGPIPE


def test_of_an_error_in_traced_code_the_essential_line_is_kept():
    from bms_tf.core.command import one_line
    from bms_tf.core.keras import keras

    tf = pytest.importorskip("tensorflow")

    class Model(keras.Model):
        def train_step(self, data):
            raise ValueError("the discriminator takes (2,), received (3,)")

    model = Model()
    model.compile()
    with pytest.raises(ValueError) as caught:
        model.fit(tf.zeros([4, 2]), verbose=0)
    assert one_line(caught.value) == "the discriminator takes (2,), received (3,)"


def test_last_words():
    assert command.last_words("a warning\nerror: no such file\n", 1) == "no such file"
    assert command.last_words(" \n", -9) == "exit code -9"


def test_a_list_is_wrapped_to_the_terminal_and_whole_in_a_file(monkeypatch):
    lines = {"kid": "Kernel distance of features, in those of the Inception graph.", "energy": "Energy distance."}
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert command.listing(lines) == (
        "kid     Kernel distance of features, in\n        those of the Inception graph.\nenergy  Energy distance."
    )
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert command.listing(lines) == (
        "kid     Kernel distance of features, in those of the Inception graph.\nenergy  Energy distance."
    )
