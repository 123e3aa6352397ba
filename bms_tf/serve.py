"""Serves exported models on this machine, for development: gRPC and REST as TensorFlow Serving has them, and a page.

In production, TensorFlow Serving serves the same models: see docs/serving.md.
"""

import contextlib
import ipaddress
import signal
import socket
import sys

from absl import flags

from bms_tf.core import command, errors

EXAMPLE = "python -m bms_tf.serve --model_dir=savedmodels"

MODEL_DIR = flags.DEFINE_string("model_dir", "savedmodels", "The folder of the models, NAME/VERSION/.")
HOST = flags.DEFINE_string("host", "127.0.0.1", "The address to listen on; 0.0.0.0 lets every other machine in.")
ALLOW_HOST = flags.DEFINE_multi_string("allow_host", [], "Another name by which browsers reach it, as through a proxy.")
PORT = flags.DEFINE_integer("port", 8500, "The port of gRPC; 0 takes any.", lower_bound=0, upper_bound=65535)
REST_PORT = flags.DEFINE_integer("rest_port", 8501, "The port of REST and the page.", lower_bound=0, upper_bound=65535)
MAX_ROWS = flags.DEFINE_integer("max_rows", 64, "The most rows of one request, as in batching.config.", lower_bound=1)
MAX_MEGABYTES = flags.DEFINE_integer("max_megabytes", 16, "The largest request.", lower_bound=1, upper_bound=1024)
MAX_CONCURRENCY = flags.DEFINE_integer("max_concurrency", 256, "The most requests at once.", lower_bound=1)
DRAIN_SECONDS = 10  # what is in progress at the end may take this long
SWITCH_SECONDS = 0.001  # after which a busy thread lets others run; Python's own 0.005 is many times a small request


def main(_):
    """Parses the flags and serves until SIGTERM or Ctrl-C."""
    try:
        import grpc_health  # noqa: F401
        import orjson  # noqa: F401
        import tensorflow_serving  # noqa: F401
        import uvicorn
        from starlette.applications import Starlette
        from starlette.routing import Mount
    except ImportError as error:
        raise ValueError(errors.missing(error.name, "serving")) from error
    from bms_tf.core import startup

    startup.import_tensorflow()
    from bms_tf.serving import grpc_server, guard, page, rest
    from bms_tf.serving.models import Models

    sys.setswitchinterval(SWITCH_SECONDS)
    max_bytes = MAX_MEGABYTES.value * 2**20
    listen(HOST.value, PORT.value, "--port").close()  # gRPC would say in its own words that it is taken
    with listen(HOST.value, REST_PORT.value, "--rest_port") as rest_socket:
        models = Models(
            MODEL_DIR.value,
            max_rows=MAX_ROWS.value,
            max_requests=MAX_CONCURRENCY.value,
            warn=lambda line: print(line, file=sys.stderr),
        )
        address = address_of(HOST.value, PORT.value)
        grpc = grpc_server.Server(models, address, max_bytes=max_bytes, max_requests=MAX_CONCURRENCY.value)
        pages = page.application(models)

        @contextlib.asynccontextmanager
        async def lifespan(_):
            grpc.start()
            async with pages.router.lifespan_context(pages):
                print_address(models, grpc.port, rest_socket.getsockname()[1])
                yield
            grpc.drain(DRAIN_SECONDS)  # REST is drained by now

        routes = [*rest.routes(models, max_bytes), Mount("/", pages, max_body_size=page.MAX_UPLOAD + 2**16)]
        app = guard.Guard(Starlette(routes=routes, lifespan=lifespan), [HOST.value, *ALLOW_HOST.value])
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again once all is drained
        config = uvicorn.Config(app, http=guard.Protocol, log_level="error", timeout_graceful_shutdown=DRAIN_SECONDS)
        uvicorn.Server(config).run(sockets=[rest_socket])


def address_of(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int, flag: str) -> socket.socket:
    """Raises OSError, with the address and the flag, where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = f"{error.strerror}; {flag} takes another port, 0 any"
        raise OSError(f"cannot listen on {address_of(host, port)}: {reason}") from error


def is_open(host: str) -> bool:
    """Whether other machines can reach a server that listens on `host`."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def print_address(models, port: int, rest_port: int):
    """What is served where, and that this is for development."""
    print("This server is for development; in production use TensorFlow Serving (see docs/serving.md).")
    if is_open(HOST.value):
        print(
            f"--host={HOST.value}: every machine that can reach this one can use the models and the page; there is no "
            "password and no encryption"
        )
    print("models: " + ", ".join(f"{model.name} version {model.version}" for model in models.by_name.values()))
    rest = address_of(HOST.value, rest_port)
    print(f"gRPC at {address_of(HOST.value, port)}, REST and a page at http://{rest}", flush=True)


if __name__ == "__main__":
    command.run(main, EXAMPLE)
