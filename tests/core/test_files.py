"""Files that are whole or absent, and locks that die with their process."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
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
