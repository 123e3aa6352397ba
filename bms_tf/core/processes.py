"""Calls in processes of their own, whose memory is free when they end.

TensorFlow keeps the graph of each traced function for good, 13 MB for a run of the smallest networks: its cycles lead
through objects in C++ that Python's collector does not follow. A new process is a copy of one that has imported
TensorFlow. So it begins within a tenth of a second and shares that memory.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from tqdm import tqdm

from bms_tf.core.command import one_line

PATIENCE = 10.0  # seconds in which a process that is told to end must have saved its state


class Group:
    """Processes that end when this one does. While it is entered, SIGTERM and SIGHUP raise SystemExit."""

    def __init__(self, preload: Sequence[str] = ()):
        """`preload`: modules that every process of the group needs."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["bms_tf.core.preloaded", *preload])
        self._running: set[BaseProcess] = set()
        self._starting = threading.Lock()
        self._closed = False

    def call(self, function: Callable, *args: Any, environment: Mapping[str, str] | None = None) -> Any:
        """What `function(*args)` returns in a process of its own. All three must be fit for pickle.

        `environment`: more variables. Raises ValueError with the line of the function's ValueError or OSError,
        ChildProcessError where the process ended otherwise, and SystemExit where the group is closed.
        """
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_answer, args=(theirs, function, args, dict(environment or {})))
        with self._starting:  # the server that copies itself is started by the first one
            if self._closed:
                sys.exit("closed")
            process.start()
            self._running.add(process)
        theirs.close()
        try:
            result, error = ours.recv()
        except EOFError:
            process.join()
            if self._closed:
                sys.exit("closed")
            code = process.exitcode
            assert code is not None, "it was joined"
            raise ChildProcessError(f"signal {-code}" if code < 0 else f"exit code {code}") from None
        except KeyboardInterrupt:  # the terminal has told all of its processes
            process.join(PATIENCE)
            raise
        finally:
            _end([process])
            self._running.discard(process)
            ours.close()
        if error is not None:
            raise ValueError(error)
        return result

    def close(self):
        """Ends the processes that are running. From now on no other begins."""
        with self._starting:
            self._closed = True
        _end(list(self._running))

    def __enter__(self) -> "Group":
        def leave(number, frame):
            signal.signal(number, signal.SIG_IGN)  # once is enough
            sys.exit(128 + number)

        held = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) != signal.SIG_IGN]
        self._handlers = {number: signal.signal(number, leave) for number in held}
        return self

    def __exit__(self, *_):
        self.close()
        while self._handlers:
            signal.signal(*self._handlers.popitem())


def _end(processes: Sequence[BaseProcess]):
    """Asks the processes to end, and kills those that do not."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        process.kill()
        process.join()


def _answer(connection, function: Callable, args: tuple, environment: dict[str, str]):
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    os.environ.update(environment)
    tqdm.set_lock(threading.RLock())  # tqdm's own holds a semaphore, which a process that is ended would leave behind
    try:
        answer = function(*args), None
    except (ValueError, OSError) as error:
        answer = None, one_line(error)
    connection.send(answer)


def _end_with(connection):
    """Ends this process as by SIGTERM when the process at the other end has died."""
    with contextlib.suppress(EOFError, OSError):
        connection.recv()
    os.kill(os.getpid(), signal.SIGTERM)
