"""Commands of the library, each in a process of its own, as `python -m` runs them but for what takes longest.

A process is a copy of one that has imported TensorFlow and has not used it.
"""

import contextlib
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TIME_LIMIT = 600.0  # seconds for a command to end by itself, on a busy machine
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["bms_tf.core.preloaded", "bms_tf.metrics.encoder_scores"])  # with it, most of SciPy


class Command:
    """A command at work."""

    def __init__(
        self,
        module: str,
        flags: Sequence[str],
        log: Path,
        *,
        errors: Path | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        prepare: Callable | None = None,
    ):
        """`log`: what its output is appended to, and without `errors` its stderr; `prepare`: is called ahead of it."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        self.log, self.before = log, len(log.read_text())
        files = str(log), str(errors or log)
        arguments = module, list(map(str, flags)), files, cwd or os.getcwd(), dict(environment or os.environ), prepare
        self.process = _CONTEXT.Process(target=_main, args=arguments)
        self.process.start()
        self.pid = self.process.pid

    def runs(self) -> bool:
        return self.process.is_alive()

    def signal(self, number: int):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float = TIME_LIMIT) -> int | None:
        """Its exit code; minus the signal that ended it; None if it did not end."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            return None
        return self.process.exitcode

    def said(self) -> str:
        """What this command has printed."""
        return self.log.read_text()[self.before :]


def run(module: str, *flags, **options) -> subprocess.CompletedProcess:
    """A command that has ended, with its output. `options`: `cwd`, `environment`, `prepare`."""
    with tempfile.TemporaryDirectory() as folder:
        out, errors = Path(folder, "out"), Path(folder, "errors")
        code = Command(module, flags, out, errors=errors, **options).wait()
        return subprocess.CompletedProcess([module, *flags], code, out.read_text(), errors.read_text())


def free_ports(count: int) -> list[int]:
    """Where nobody listens yet."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def _main(module: str, flags: list[str], files: tuple[str, str], cwd, environment: dict, prepare: Callable | None):
    for handle, path in enumerate(files, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), handle)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path = [module, *flags], [os.getcwd(), *sys.path]
    try:
        if prepare:
            prepare()
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
