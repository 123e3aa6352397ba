"""Files that are whole or absent, and locks that die with their process."""

import errno
import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bms_tf.core import files

ROOT = Path(__file__).parents[2]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    # Renamed first, it could be there and empty after a loss of power.
    path, calls = tmp_path / "a.json", []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: calls.append(os.readlink(f"/proc/self/fd/{handle}")) or fsync(handle)
    )
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("renamed") or replace(a, b))
    files.write_whole(str(path), "text")
    assert path.read_text() == "text" and os.listdir(tmp_path) == ["a.json"]
    assert calls == [f"{path}.new", "renamed", str(tmp_path)]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        with files.whole(str(path)) as new:
            Path(new).write_text("ne")
            raise RuntimeError("half way")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_a_full_disk_is_an_error_with_the_path(tmp_path):
    with pytest.raises(OSError) as caught:
        with files.whole(str(tmp_path / "a")):
            os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    assert str(caught.value) == f"[Errno {errno.ENOSPC}] No space left on device: '{tmp_path}/a'"


HOLDS = """
import sys, time
from bms_tf.core import files
with files.locked(sys.argv[1], "training in run"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path):
    path = str(tmp_path / "lock")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDS, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):  # asking does not take it
            with pytest.raises(ValueError) as caught:
                with files.locked(path, "training in run"):
                    pass
            assert str(caught.value) == f"process {holder.pid} on {socket.gethostname()} is training in run"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with files.locked(path, "training in run"):
        assert Path(path).read_text() == f"process {os.getpid()} on {socket.gethostname()}"


def test_a_lock_can_be_waited_for(tmp_path, capsys):
    path = str(tmp_path / "lock")
    command = [sys.executable, "-c", HOLDS.replace("600", "0.5"), path]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline() == "held\n"
        with files.locked(path, "at trial 3", wait=True):
            assert f"process {holder.pid} on" in capsys.readouterr().out


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_said(tmp_path, monkeypatch, capsys, number):
    def none(*_):
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", none)
    with files.locked(str(tmp_path / "lock"), "training in run"):
        pass
    line = f"{tmp_path}/lock: there are no locks on this disk; a second process here would not be noticed\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize("rest", ['{"cut of', "x" * 2 * files.BLOCK])
def test_lines_are_appended_behind_the_last_whole_one(tmp_path, rest):
    path = tmp_path / "out.jsonl"
    files.append_rows(str(path), [{"a": "y" * files.BLOCK}])
    before = path.read_text()
    path.write_text(before + rest)
    files.append_rows(str(path), [{"a": 2}, {"a": 3}])
    assert path.read_text() == before + '{"a": 2}\n{"a": 3}\n'


def test_where_no_line_is_whole_the_file_begins_anew(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text('{"cut of')
    files.append_rows(str(path), [{"a": 1}])
    assert path.read_text() == '{"a": 1}\n'


def test_lines_of_several_processes_are_all_kept(tmp_path):
    """What one adds between another's look at the end and its writing was cut off: the other waits for it."""
    path = tmp_path / "out.jsonl"
    with path.open("a") as other, ThreadPoolExecutor() as pool:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = pool.submit(files.append_rows, str(path), [{"a": 2}])
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        other.write('{"a": 1}\n')
        other.flush()
        fcntl.flock(other, fcntl.LOCK_UN)
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [1, 2]


APPENDS = """
import itertools, sys
from bms_tf.core import files
for i in itertools.count():
    files.append_rows(sys.argv[1], [{"a": i, "filled": "x" * 1_000_000}])
    print(i, flush=True)
"""


def test_a_killed_writer_costs_only_the_line_that_it_was_at(tmp_path):
    path = tmp_path / "out.jsonl"
    command, environment = [sys.executable, "-c", APPENDS, str(path)], os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        assert [writer.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        writer.kill()
    files.append_rows(str(path), [{"a": "last"}])
    *found, last = [json.loads(line)["a"] for line in path.read_text().splitlines()]
    assert found[:3] == [0, 1, 2] and found == list(range(len(found))) and last == "last"


def test_a_full_disk_costs_no_whole_line(tmp_path):
    path = tmp_path / "out.jsonl"
    files.append_rows(str(path), [{"a": 1}])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
    try:
        with pytest.raises(OSError, match="out.jsonl") as caught:
            files.append_rows(str(path), [{"a": "x" * 100}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    files.append_rows(str(path), [{"a": 2}])
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        files.read_json(str(tmp_path / "a.json"))
    assert str(caught.value).startswith(f"{tmp_path}/a.json is damaged (")


def test_what_a_link_leads_to_is_never_written(tmp_path):
    # In a run folder of others a link could lead anywhere.
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "a.new").symlink_to(victim)
    files.write_whole(str(tmp_path / "a"), "text")
    assert (tmp_path / "a").read_text() == "text"
    (tmp_path / "lock").symlink_to(victim)
    with pytest.raises(OSError) as caught:
        with files.locked(str(tmp_path / "lock"), "training in run"):
            pass
    assert caught.value.errno == errno.ELOOP
    assert victim.read_text() == "precious"
