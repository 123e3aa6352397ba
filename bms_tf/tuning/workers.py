"""Many processes: KerasTuner's chief, which asks the oracle, and its workers, which train.

KerasTuner's variables KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT tell a process which one it
is. All processes see the same search folder.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent import futures

import grpc
import tensorflow as tf

from bms_tf.core import processes
from bms_tf.core.command import last_words
from bms_tf.tuning.oracles import conditions, oracle_chief, oracle_client, protos
from bms_tf.tuning.search import DEATHS, PRELOAD, Setting, Tuner, record_error

ID, ADDRESS, PORT = VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")


def role() -> str | None:
    """The chief, a worker, or None for a search in one process. Raises ValueError for half of the variables."""
    missing = [name for name in VARIABLES if name not in os.environ]
    if len(missing) == len(VARIABLES):
        return None
    if missing:
        raise ValueError(f"of KerasTuner's variables {', '.join(VARIABLES)} these are not set: {', '.join(missing)}")
    if not os.environ[PORT].isdecimal():
        raise ValueError(f"{PORT} is {os.environ[PORT]!r}; it must be a number")
    return "chief" if "chief" in os.environ[ID] else "worker"


def become_chief(*, on_loopback: bool):
    """Makes this process the chief, on a free port of this machine or at the address in KerasTuner's variables.

    Raises ValueError where it cannot listen.
    """
    if on_loopback:
        with socket.create_server(("127.0.0.1", 0)) as free:
            os.environ.update({ID: "chief", ADDRESS: "127.0.0.1", PORT: str(free.getsockname()[1])})
    try:
        socket.create_server((os.environ[ADDRESS], int(os.environ[PORT]))).close()  # gRPC would share another's port
    except (OSError, OverflowError) as error:
        raise ValueError(f"the chief cannot listen on {os.environ[ADDRESS]}:{os.environ[PORT]}: {error}") from error


def work(setting: Setting, patience: float):
    """Trains what the chief hands out. Raises ValueError where it does not answer for `patience` seconds."""
    address = f"{os.environ[ADDRESS]}:{os.environ[PORT]}"
    oracle_client.TIMEOUT = patience
    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=patience)
        with processes.Group(PRELOAD) as group:
            setting.enter(group)
            Tuner(setting, group).search()
    except (grpc.FutureTimeoutError, grpc.RpcError) as error:
        raise ValueError(f"the chief at {address} did not answer within {patience:g} s") from error


class Workers:
    """`count` workers on this machine, a GPU each in turn, which are started again when they die."""

    def __init__(self, count: int, flags: Sequence[str], folder: str):
        """`flags`: of the command; what the workers say goes to `folder`."""
        self.flags, self.folder, self.deaths = flags, folder, Counter()
        os.makedirs(folder, exist_ok=True)
        self.processes = {f"worker{index}": self._start(index) for index in range(count)}

    def _start(self, index: int) -> subprocess.Popen:
        with open(self._log(f"worker{index}"), "a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "bms_tf.tune", *self.flags],
                env=os.environ | {ID: f"worker{index}"} | gpu(index),
                stdout=log,
                stderr=log,
                start_new_session=True,  # a process group, with what it starts
            )

    def _log(self, tuner_id: str) -> str:
        return os.path.join(self.folder, f"{tuner_id}.log")

    def revive(self, setting: Setting):
        """Starts dead workers again. Under the same name a worker gets the trial that it was in.

        A trial in which `DEATHS` workers died has failed. Raises ValueError where one dies so often without a trial.
        """
        oracle = setting.search.oracle
        for index, (tuner_id, process) in enumerate(self.processes.items()):
            if process.poll() in (None, 0):
                continue
            trial = oracle.ongoing_trials.get(tuner_id)
            where = tuner_id if trial is None else trial.trial_id
            self.deaths[where] += 1
            if self.deaths[where] == DEATHS:
                if trial is None:
                    with open(self._log(tuner_id)) as log:
                        why = last_words(log.read(), process.returncode)
                    raise ValueError(f"{tuner_id} ended {DEATHS} times before it had a trial: {why}")
                record_error(
                    setting.run_dir(trial.trial_id), f"{DEATHS} workers died in it, exit code {process.returncode}"
                )
                trial.status = "FAILED"
                oracle.end_trial(trial)
            self.processes[tuner_id] = self._start(index)

    def stop(self):
        """Ends the workers with all that they have started. A worker that does not end in time is killed."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(processes.PATIENCE + 5)  # it waits for a process of its own
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def gpu(index: int) -> dict[str, str]:
    """The environment variable that gives the process with this index a GPU of its own, where there are any."""
    count = len(tf.config.list_physical_devices("GPU"))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")  # these may be used, and no others
    names = given.split(",") if given else [str(number) for number in range(count)]
    return {"CUDA_VISIBLE_DEVICES": names[index % count].strip()} if count else {}


def serve(setting: Setting, count: int, flags: Sequence[str]):
    """Hands out trials until none is left and all workers know. `count` of the workers are on this machine."""
    # KerasTuner prints a condition's first value whenever it is sent.
    conditions.print = lambda *_: None  # pyright: ignore[reportAttributeAccessIssue], in the place of the built-in one
    oracle = setting.search.oracle
    servicer = oracle_chief.OracleServicer(oracle)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    server.add_insecure_port(f"{os.environ[ADDRESS]}:{os.environ[PORT]}")
    server.start()
    workers = Workers(count, flags, os.path.join(setting.folder, "workers"))
    if count:
        print(f"{count} workers are starting; what they say is in {workers.folder}", flush=True)
    try:
        # As KerasTuner's start_server, which looks every 20 seconds and does not see workers die.
        while not (servicer.stop_triggered and oracle_chief.exit_chief(oracle)):
            time.sleep(0.5)
            workers.revive(setting)
    finally:
        workers.stop()
        server.stop(grace=1).wait()
