"""How every command starts and ends: help at once, one clear line for a user's error, a traceback for ours."""

import gc
import os
import re
import select
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence

from absl import app, flags, logging

import bms_tf


def run(main: Callable[[Sequence[str]], None], usage_example: str, *, takes_arguments: bool = False) -> None:
    """Runs `main` on absl's `app.run` and ends the process. `takes_arguments`: whether beside flags, in any order.

    A `ValueError` or `OSError` is the user's (a setting, a file): one line on stderr, exit code 1; `--verbosity=1`
    shows where it came from. Any other exception is a fault of the program and keeps its traceback. Ctrl-C gives 130.

    For `--help` to answer at once, a module that calls this imports TensorFlow inside `main` only.
    """
    flags.FLAGS.set_gnu_getopt(takes_arguments)  # absl's default takes no flag behind an argument
    module = sys.modules["__main__"]
    module.__doc__ = f"{(module.__doc__ or '').rstrip()}\n\nExample:\n  {usage_example}\n"
    if {"--help", "-h"} & set(sys.argv[1:]):  # absl's own answer ends with exit code 1
        app.usage(shorthelp=True, writeto_stdout=True, exitcode=0)

    def guarded(argv: Sequence[str]) -> None:
        try:
            if getattr(bms_tf, "__file__", None) is None:  # a folder of that name, not the package
                folder = next(iter(bms_tf.__path__))
                raise ValueError(f"the folder {folder} hides the package: run this in it, or anywhere but beside it")
            if len(argv) > 1 and not takes_arguments:
                raise ValueError(f"unknown argument {argv[1]!r}; every setting is a flag, as in: {usage_example}")
            if logging.get_verbosity() == logging.INFO:  # absl's default, at which TensorFlow tells of every file
                logging.set_verbosity(logging.WARNING)
            main(argv)
            return
        except (ValueError, OSError) as error:
            logging.debug("", exc_info=True)
            end = f"error: {one_line(error)}"
            if isinstance(error, BrokenPipeError) and _nobody_reads():
                end = 128 + signal.SIGPIPE
        except KeyboardInterrupt:
            end = 130
        # What the error held goes first: a pool of TensorFlow's threads would print a traceback when Python ends.
        gc.collect()
        sys.exit(end)

    app.run(guarded)


def _nobody_reads() -> bool:
    """Whether the reader of the output, such as `head`, has ended. Then nothing more is written."""
    screen = select.poll()
    screen.register(sys.stdout.fileno(), 0)
    if is_closed := bool(screen.poll(0)):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return is_closed


def listing(lines: Mapping[str, str]) -> str:
    """Names and what is said of each in two columns, wrapped to the terminal's width. In a file, lines stay whole."""
    width = max(map(len, lines)) + 2
    room = max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else sys.maxsize
    said = (
        textwrap.fill(
            line,
            room,
            initial_indent=name.ljust(width),
            subsequent_indent=" " * width,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, line in lines.items()
    )
    return "\n".join(said)


def one_line(error: BaseException) -> str:
    """The message without what Keras puts around it: the path through traced code, the arguments of the call."""
    text = str(error)
    traced = re.search(r"in user code:.*?^ +\w+(?:Error|Exception): (.+)", text, re.DOTALL | re.MULTILINE)
    return " ".join((traced[1] if traced else text).strip().split("\n\n")[0].split()) or type(error).__name__


def last_words(said: str, returncode: int) -> str:
    """Why another command ended, as far as it said on stderr."""
    return (said.strip().splitlines() or [f"exit code {returncode}"])[-1].removeprefix("error: ")
