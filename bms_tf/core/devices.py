"""The devices on which a run trains, as gin names them."""

import atexit
import contextlib
import functools
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gin
import numpy as np
import tensorflow as tf

# What TensorFlow raises in all other workers when one has ended.
LOST_WORKER = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


@gin.configurable
def one_device() -> tf.distribute.Strategy:
    """TensorFlow's default: the first GPU, or the CPU where there is none."""
    return tf.distribute.get_strategy()


@gin.configurable
def mirrored(*, devices: int | None = None) -> tf.distribute.Strategy:
    """One replica on each of the first `devices` GPUs of this machine (None: all), or logical CPUs without a GPU.

    Raises ValueError where there are fewer.
    """
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices is not None and not 1 <= devices <= len(names):
        raise ValueError(f"mirrored.devices is {devices}; this machine has {len(names)} {kind} device(s)")
    return _mirrored(tuple(names[:devices]))


@gin.configurable
def multi_worker() -> tf.distribute.Strategy:
    """One replica on each GPU of every machine in the environment variable TF_CONFIG, or on each one's CPU without.

    The same command is started on every machine, each with its own `index`. See TensorFlow's guide to multi-worker
    training. Raises ValueError where TF_CONFIG names no workers or not this one.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        settings = json.loads(text)
        workers, task = settings["cluster"]["worker"], settings["task"]
        known = task["type"] == "worker" and 0 <= task["index"] < len(workers)
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        example = '{"cluster": {"worker": ["HOST1:2222", "HOST2:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise ValueError(f"TF_CONFIG is {text!r}; it must name all workers and which of them this is, as in {example}")
    others = ", ".join(worker for index, worker in enumerate(workers) if index != task["index"])
    # TensorFlow waits in silence, for an hour if need be, and hears no signal meanwhile.
    line = f"worker {task['index']} waits for {others}, each to be started with this command"
    print(line, file=sys.stderr, flush=True)
    try:
        return _multi_worker()
    except (tf.errors.UnknownError, tf.errors.DeadlineExceededError) as error:  # its port is taken; others do not come
        raise OSError(f"worker {task['index']} at {workers[task['index']]} cannot begin: {error.message}") from error


# Once in a process: it must be made before anything else that TensorFlow does.
@functools.cache
def _multi_worker() -> tf.distribute.Strategy:
    return tf.distribute.MultiWorkerMirroredStrategy()


def several_workers() -> bool:
    """Whether other processes take part in the training, under the strategy in whose scope it is asked."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    return resolver is not None and len(resolver.cluster_spec().as_dict()) > 0


def over_workers(value: float) -> float:
    """The sum of `value` over all workers. All of them must ask."""
    if not several_workers():
        return value
    strategy = tf.distribute.get_strategy()
    values = strategy.experimental_distribute_values_from_function(lambda context: tf.constant(float(value)))
    return float(strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None))


def values_of_workers(values: Sequence[int]) -> np.ndarray:
    """`values` of every worker, [workers, values], in the order of TF_CONFIG. All of them must ask."""
    if not several_workers():
        return np.array([values], np.int64)
    strategy = tf.distribute.get_strategy()
    resolver = strategy.cluster_resolver
    workers = resolver.cluster_spec().num_tasks("worker")
    mine = np.zeros([workers, len(values)], np.int64)
    mine[resolver.task_id] = values
    each = strategy.experimental_distribute_values_from_function(lambda context: tf.constant(mine))
    total = strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None).numpy()
    return total // (strategy.num_replicas_in_sync // workers)


def mean_over_replicas(values: Any) -> Any:
    """The mean over all replicas of each tensor in a structure, without a gradient. Each replica calls it."""

    # As ReplicaContext.all_reduce, without its gradient. TensorFlow keeps that for good, and the graph with it.
    def mean(strategy, *each):
        return strategy.extended.batch_reduce_to(tf.distribute.ReduceOp.MEAN, [(value, value) for value in each])

    means = tf.distribute.get_replica_context().merge_call(mean, args=tf.nest.flatten(values))
    return tf.nest.pack_sequence_as(values, means)


def any_worker(flag: bool) -> bool:
    """Whether `flag` holds on any worker. All of them must ask."""
    return over_workers(flag) > 0


@functools.cache
def leave_last():
    """Has worker 0 end after the others. It leads them, and they would print that it has crashed."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if several_workers() and resolver.task_id == 0:
        atexit.register(_await_the_end_of, resolver.cluster_spec().job_tasks("worker")[1:])


def _await_the_end_of(addresses: Sequence[str], patience: float = 60.0):
    """Waits until nobody listens at any of the addresses."""
    deadline = time.monotonic() + patience
    for address in addresses:
        host, _, port = address.rpartition(":")
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                socket.create_connection((host.strip("[]"), int(port)), timeout=5.0).close()
                time.sleep(0.05)


@contextlib.contextmanager
def noticing_lost_workers() -> Iterator[None]:
    """Turns a `LOST_WORKER` into an OSError of one line."""
    try:
        yield
    except LOST_WORKER as error:
        raise OSError("another worker has ended; start all of them again to go on from the last checkpoint") from error


def fetching() -> tf.distribute.InputOptions:
    """Sends batches ahead to GPUs. For CPUs, which have them, TensorFlow would print a warning."""
    return tf.distribute.InputOptions(experimental_fetch_to_device=bool(tf.config.list_logical_devices("GPU")))


# Once in a process: a second strategy numbers its collective operations from the start again, and TensorFlow then takes
# those of a system with other shapes for its own ("Shape mismatch in the collective instance").
@functools.cache
def _mirrored(names: tuple[str, ...]) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(names)
