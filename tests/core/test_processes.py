"""Calls in processes of their own."""

import subprocess
import sys

KILLED = """
import multiprocessing, os, signal, tqdm
from bms_tf.core import processes

def draw():
    tqdm.tqdm.write("drawn")
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    with processes.Group() as group:
        multiprocessing.get_context("forkserver").set_forkserver_preload([])  # TensorFlow takes seconds
        try:
            group.call(draw)
        except ChildProcessError as error:
            print(error)
"""


def test_a_process_that_is_killed_leaves_no_semaphore_of_its_progress_bar(tmp_path):
    # Python warns of "leaked semaphore objects" on stderr where one was left.
    (tmp_path / "killed.py").write_text(KILLED)
    done = subprocess.run([sys.executable, tmp_path / "killed.py"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("drawn\nsignal 9\n", "")
