"""What a process of its own holds and answers, for figures that another measurement must not disturb."""

import resource
import subprocess
import sys
from collections.abc import Sequence


def resident() -> int:
    """Bytes that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def peak() -> int:
    """The most bytes that it has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def answer(arguments: Sequence[str], what: str) -> str:
    """The last line that Python prints when it is started with `arguments`.

    Raises RuntimeError where it fails, with the last line of its error and `what` was measured.
    """
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{what}: {result.stderr.strip().splitlines()[-1]}")
    return result.stdout.splitlines()[-1]
