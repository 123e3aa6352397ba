"""How fast a server answers, what batching gains, and how long large answers hold up small ones:
python benchmarks/serving.py [--server=HOST:PORT] [--max_rows=256]

Without --server it starts bms_tf.serve on savedmodels/ and also watches its memory and processor time.
"""

import argparse
import contextlib
import multiprocessing
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil

from bms_tf.core import startup

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", help="HOST:PORT of gRPC; none starts the local server")
parser.add_argument("--model", default="digits", help="the model that is asked")
parser.add_argument("--requests", type=int, default=10_000, help="for batches of 1; a batch of B takes 1 / B of them")
parser.add_argument("--clients", type=int, default=64, help="how many ask at the same time")
parser.add_argument("--max_rows", type=int, default=64, help="of the large answers, beside which small ones are timed")
FLAGS = parser.parse_args()
MODEL_DIR = "savedmodels"


@contextlib.contextmanager
def server():
    """The address, and where it is ours that of REST and the process."""
    if FLAGS.server:
        yield FLAGS.server, None, None
        return
    command = [sys.executable, "-m", "bms_tf.serve", f"--model_dir={MODEL_DIR}", "--port=0", "--rest_port=0"]
    command.append(f"--max_rows={max(64, FLAGS.max_rows)}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            addresses = (re.match(r"gRPC at (\S+), REST and a page at (\S+)", line) for line in process.stdout)
            yield *next(filter(None, addresses)).groups(), psutil.Process(process.pid)
        finally:
            process.terminate()


def main():
    """Prints a line for each batch size, and the gain of batching in the model alone."""
    tf = startup.import_tensorflow()
    from bms_tf.client import Client, Grpc

    loaded = tf.saved_model.load(f"{MODEL_DIR}/{FLAGS.model}/1")
    generate = loaded.signatures["generate"]
    size = generate.structured_input_signature[1]["z"].shape[1]

    def alone(rows: int, repeats: int) -> float:
        """Seconds of one call of the model, in this process, with nothing else to do: the median."""
        z = tf.random.stateless_normal([rows, size], [0, rows])
        times = []
        for _ in range(repeats + 10):
            began = time.perf_counter()
            generate(z=z)
            times.append(time.perf_counter() - began)
        return float(np.median(times[10:]))

    own = {rows: alone(rows, 200) for rows in (1, 8, 64)}
    print(f"{FLAGS.model}, the model alone: " + ", ".join(f"batch {b}: {1e3 * t:.2f} ms" for b, t in own.items()))
    print(f"64 codes in one call against 64 calls: {64 * own[1] / own[64]:.1f} times as fast")

    with server() as (address, url, process):
        # Channels to one address share a connection unless told otherwise; users have one each.
        clients = [Client(Grpc(address), FLAGS.model) for _ in range(FLAGS.clients)]

        def ask(index: int, z: np.ndarray) -> float:
            began = time.perf_counter()
            clients[index % len(clients)].predict("generate", outputs=["x"], z=z)
            return time.perf_counter() - began

        for rows in (1, 8, 64):
            z = np.random.default_rng(rows).normal(size=[rows, size])
            for index in range(20):
                ask(index, z)
            single = np.median([ask(0, z) for _ in range(100)])
            before = memory(process)
            requests, began = FLAGS.requests // rows, time.perf_counter()
            busy = process and sum(process.cpu_times()[:2])
            with ThreadPoolExecutor(len(clients)) as pool:
                times = list(pool.map(lambda index, z=z: ask(index, z), range(requests)))  # an error ends it
            seconds = time.perf_counter() - began
            p50, p99 = 1e3 * np.percentile(times, [50, 99])
            line = f"batch {rows}: {requests} requests, no error, {requests / seconds:.0f} a second, "
            line += f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; one client alone {1e3 * single:.2f} ms, "
            line += f"{1e3 * (single - own[rows]):.2f} ms above the model"
            if process:
                busy = (sum(process.cpu_times()[:2]) - busy) / requests
                line += f"; server {1e3 * busy:.2f} ms of processor a request, "
                line += f"memory {before:.0f} -> {memory(process):.0f} MB"
            print(line, flush=True)

        # Another process asks for large answers without a pause: how much later are those of one row there?
        z = np.zeros([1, size])
        undisturbed = 1e3 * np.median([ask(0, z) for _ in range(200)])
        for transport in ["Grpc", *(["Rest"] if url else [])]:
            where, begun = address if transport == "Grpc" else url, multiprocessing.Event()
            asking = multiprocessing.Process(target=keep_asking, args=(transport, where, size, begun))
            asking.start()
            begun.wait()
            times = [1e3 * ask(0, z) for _ in range(FLAGS.requests)]
            asking.kill()
            p50, p99, most = np.percentile(times, [50, 99, 100]) - undisturbed
            print(
                f"beside answers of {FLAGS.max_rows} rows over {transport}: {len(times)} requests of one row, later "
                f"than the {undisturbed:.2f} ms alone by p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {most:.1f} ms",
                flush=True,
            )


def keep_asking(transport: str, where: str, size: int, begun):
    """Asks for all that `generate` makes of `max_rows` codes, again and again."""
    from bms_tf import client

    asking = client.Client(getattr(client, transport)(where), FLAGS.model, max_rows=FLAGS.max_rows)
    while True:
        asking.predict("generate", z=np.random.default_rng(0).normal(size=[FLAGS.max_rows, size]))
        begun.set()


def memory(process: psutil.Process | None) -> float:
    """Resident megabytes."""
    return process.memory_info().rss / 2**20 if process else float("nan")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")  # a copy of a process that has used gRPC hangs
    main()
