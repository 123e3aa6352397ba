"""Scores that training does not take: python -m bms_tf.evaluate on a finished run, in a process of its own."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from bms_tf.core import files
from bms_tf.core.command import last_words
from bms_tf.studies.rules import Row

EVALUATE = "bms_tf.evaluate"


def check(evaluations: Sequence[str]):
    """Raises ValueError where this version lacks what a study calls, or the environment a variable that it names."""
    for flags in dict.fromkeys(evaluations):
        call = f"the study scores its runs by: python -m {EVALUATE} {flags}"
        if find_spec(EVALUATE) is None:
            raise ValueError(f"{call}; this version has no {EVALUATE}")
        listed = subprocess.run([sys.executable, "-m", EVALUATE, "--list"], capture_output=True, text=True)
        if listed.returncode:
            raise ValueError(f"{call}; {last_words(listed.stderr, listed.returncode)}")
        known = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
        missing = [metric for metric in metrics(flags) if metric not in known]
        if missing:
            raise ValueError(f"{call}; {EVALUATE} has no {' and no '.join(missing)}; it has {', '.join(known)}")
        for variable in re.findall(r"\$\{?(\w+)", flags):
            if variable not in os.environ:
                raise ValueError(f"{call}; set the environment's {variable} to that file")


def metrics(flags: str) -> list[str]:
    """The names in --metrics=."""
    found = re.search(r"--metrics=(\S+)", flags)
    return found[1].split(",") if found else []


def evaluate(evaluations: Sequence[str], run_dir: str, seed: int, allow_import: Sequence[str] = ()):
    """Scores the run in `run_dir` and writes the lines of all calls there. Raises ValueError where a call fails."""
    lines = []
    for flags in evaluations:
        out = os.path.join(run_dir, "evaluation.new.jsonl")
        if os.path.exists(out):  # of a process that died
            os.remove(out)
        model = run_dir.replace('"', '""')  # in quotes, as the flag is a list that is split at commas
        own = [f'--model="{model}"', f"--seed={seed}", f"--out={out}"]
        own += [f"--allow_import={module}" for module in allow_import]
        command = [sys.executable, "-m", EVALUATE, *map(os.path.expandvars, shlex.split(flags)), *own]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise ValueError(f"{EVALUATE} {flags}: {last_words(result.stderr, result.returncode)}")
        lines.append(files.read_text(out))
        os.remove(out)
    files.write_whole(_place(run_dir), "".join(lines))


def scores(run_dir: str) -> list[Row]:
    """The lines that `evaluate` wrote, each with a score's `name`, `value`, `floor` (of real data) and `protocol`."""
    path = _place(run_dir)
    return list(map(json.loads, files.read_text(path).splitlines())) if os.path.exists(path) else []


def _place(run_dir: str) -> str:
    return os.path.join(run_dir, "study_evaluation.jsonl")
