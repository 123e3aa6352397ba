"""A study's folder: what the study was started with, its runs, and the locks by which processes share them.

study.gin       the study as it was first started
recipes/        for each data set and method the settings that all its runs share, as they were then
runs/           an ordinary run folder each; beside it the lock file by which a process claims it
runs.jsonl      a line for each finished run, with all that the tables need; only these runs count as done
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

from bms_tf.core import config, files, gin_text
from bms_tf.core.run_folder import RunFolder
from bms_tf.studies import evaluating
from bms_tf.studies.rules import Row
from bms_tf.studies.study import Job, Study, job_of, load
from bms_tf.studies.table import check_protocols, protocol
from bms_tf.tuning.space import short_names

# What may change between two sittings: more seeds and methods, their order, and what is only shown. Any other change
# would mix two studies in one table.
WORDS = ("title", "protocol", "published_protocol", "hardware", "hours")
FREE = {"study": ("seeds", "methods", "columns", *WORDS), "method": ("published", "later")}
DEATHS = 3  # of processes in one run, after which it has failed


class Folder:
    """A study in its folder. `allow_import`: modules of the user's own that its gin files may import."""

    def __init__(self, path: str, allow_import: Sequence[str] = ()):
        self.path, self.allow_import = path, allow_import
        self.study: Study = load(self.file("study.gin"), allow_import)

    @classmethod
    def enter(cls, path: str, gin_file: str, allow_import: Sequence[str] = ()) -> "Folder":
        """Makes the folder of the study that `gin_file` declares, or finds it there.

        Its recipes are read once. An edit of a gin file while the study runs is reported and changes no run. Before the
        first run, the folder takes the study as it now is.
        Raises ValueError where the folder holds something else, or this study with other settings, and where methods
        that stand in one table are scored in different ways.
        """
        study = load(gin_file, allow_import)
        text, kept = config.as_text(), os.path.join(path, "study.gin")
        recipes: dict[str, dict[str, str]] = {}
        for data, method in study.pairs():
            recipes.setdefault(data, {})[method.name] = study.recipe(data, method, allow_import)
        for data, of_methods in recipes.items():
            check_protocols(data, {name: protocol(text) for name, text in of_methods.items()})
        check_places(path, study)
        texts = {recipe_file(path, data, name): recipe for data, own in recipes.items() for name, recipe in own.items()}
        os.makedirs(path, exist_ok=True)
        with files.locked(os.path.join(path, "lock"), f"reading the recipes of {path}", wait=True):
            begun = any(os.path.exists(os.path.join(path, name)) for name in ("runs", "runs.jsonl"))
            if os.path.exists(kept) and not begun:
                forget_if_changed(path, {kept: text} | texts)
            if os.path.exists(kept):
                check_unchanged(path, kept, text)
            elif set(os.listdir(path)) - {"lock", "study.gin.new", "recipes", "runs.jsonl"}:
                raise ValueError(f"{path} is not empty, and not the folder of a study; take another --study_dir")
            os.makedirs(os.path.join(path, "recipes"), exist_ok=True)
            for file, recipe in texts.items():
                keep(file, recipe)
            files.write_whole(kept, text)
        return cls(path, allow_import)

    def pairs(self) -> list[tuple[str, str]]:
        """Every data set with each of its methods."""
        return [(data, method.name) for data, method in self.study.pairs()]

    def recipe_file(self, data: str, method: str) -> str:
        return recipe_file(self.path, data, method)

    def file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def configure(self, job: Job):
        """Makes gin's configuration that of a run."""
        self.load(job.data, job.method, {**dict(job.setting), "train.seed": job.seed})

    def load(self, data: str, method: str, params: Mapping[str, Any]):
        """Makes gin's configuration that of all runs of a method on a data set, with settings of one's own."""
        settings = [f"{name} = {code}" for name, code in params.items()]
        config.load([self.recipe_file(data, method)], settings, self.allow_import)

    def run_dir(self, job: Job) -> str:
        names = short_names([name for name, _ in job.setting])
        setting = ",".join(f"{names[name]}={code}" for name, code in job.setting) or "as_declared"
        return os.path.join(self.path, "runs", slug(job.data), slug(job.method), slug(setting), f"seed_{job.seed}")

    # Claims.

    @contextlib.contextmanager
    def claimed(self, job: Job) -> Iterator[bool]:
        """Claims `job` for this process. Yields False where another process has it, or it is finished.

        A lock ends with the process that holds it, so that the claim of a dead process is free.
        """
        path = self.run_dir(job)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(files.locked(path + ".lock", f"at {path}"))
            except ValueError:
                yield False
            else:
                yield job not in self.done()

    @contextlib.contextmanager
    def counting_deaths(self, job: Job) -> Iterator[None]:
        """Counts the processes that die inside. Raises ValueError where `DEATHS` have died."""
        path = os.path.join(self.run_dir(job), "deaths")
        deaths = int(files.read_text(path)) if os.path.exists(path) else 0
        if deaths >= DEATHS:
            os.remove(path)  # a retry counts anew
            raise ValueError(f"{deaths} processes died in this run")
        os.makedirs(self.run_dir(job), exist_ok=True)
        files.write_whole(path, f"{deaths + 1}\n")
        try:
            yield
        finally:
            os.remove(path)

    # Rows.

    def locked(self, doing: str) -> contextlib.AbstractContextManager[None]:
        """Holds the folder's lock, for which other processes wait; `doing` is for their line."""
        return files.locked(self.file("lock"), doing, wait=True)

    def done(self) -> dict[Job, Row]:
        """The finished runs. Of two lines of one run the later counts.

        Raises ValueError for a damaged line.
        """

        def damaged(where: str):
            raise ValueError(f"{where} is damaged; without this line, its run is made again")

        return dict(files.read_rows(self.file("runs.jsonl"), lambda row: (job_of(row), row), damaged))

    def record(self, row: Row):
        """Adds the line of a finished run."""
        with self.locked(f"recording a run of {self.path}"):
            files.append_rows(self.file("runs.jsonl"), [row])

    def forget_failed(self) -> int:
        """Removes the lines of failed runs, so that these run again; returns how many.

        A run that was trained keeps its folder, and is evaluated again. Any other begins anew.
        """
        with self.locked(f"forgetting failed runs of {self.path}"):
            rows = self.done()
            failed = [job for job, row in rows.items() if "error" in row]
            for job in failed:
                if not os.path.exists(os.path.join(self.run_dir(job), "scores.json")):
                    shutil.rmtree(self.run_dir(job), ignore_errors=True)
            kept = "".join(json.dumps(row) + "\n" for job, row in rows.items() if job not in failed)
            files.write_whole(self.file("runs.jsonl"), kept)
        return len(failed)


def forget_if_changed(path: str, now: Mapping[str, str]):
    """Removes what a study without runs was started with, and the times that were measured, where a text is another."""
    if any(not os.path.exists(file) or files.read_text(file) != text for file, text in now.items()):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(path, "compute.json"))
        shutil.rmtree(os.path.join(path, "recipes"), ignore_errors=True)
        os.remove(os.path.join(path, "study.gin"))  # last: a kill before it leaves a study without runs


def check_places(path: str, study: Study):
    """Raises ValueError where the files of two methods, or of two data sets, would have one name."""
    found: dict[str, str] = {}
    for data, method in study.pairs():
        file, pair = recipe_file(path, data, method.name), f"{method.name!r} on {data!r}"
        if file in found:
            raise ValueError(f"{found[file]} and {pair} would share their files in {path}; rename one of them")
        found[file] = pair


def check_unchanged(path: str, kept: str, new: str):
    """Raises ValueError where the study in the file `kept` differs in more than `FREE` settings and added methods."""
    old = files.read_text(kept)
    before, now = gin_text.values(old, kept), gin_text.values(new)
    known = {name.partition("/")[0] for name in before if "/method." in name}
    free = []
    for name in before.keys() | now.keys():
        scope, _, selector = name.rpartition("/")
        configurable, _, parameter = selector.rpartition(".")
        is_added = configurable == "method" and scope not in known
        if is_added or parameter in FREE.get(configurable, ()):
            free.append(name)
    changes = gin_text.difference(old, new, ignore=free)
    if changes:
        raise ValueError(f"{path} holds another study ({changes}); take another --study_dir")


def keep(path: str, text: str):
    """Writes the settings that a method's runs share, or says how they have changed since."""
    if not os.path.exists(path):
        files.write_whole(path, text)
    elif changes := gin_text.difference(files.read_text(path), text, source=path):
        print(f"{path} stays as the study began with it; its sources have changed since: {changes}")


def recipe_file(path: str, data: str, method: str) -> str:
    return os.path.join(path, "recipes", f"{slug(data)}_{slug(method)}.gin")


def slug(text: str) -> str:
    """A file name for a text. Two texts that differ in more than blanks and commas have different ones."""
    plain = re.sub(r"[ ,]+", "_", text)
    if re.fullmatch(r"[\w.=+-]+", plain):
        return plain
    return re.sub(r"[^\w.=+-]+", "_", plain) + f"_{crc32(text.encode()):08x}"


def row_of(job: Job, path: str) -> Row:
    """The line of the finished run in `path`: scores or error, the scores on the way, and what it was made with."""
    folder, row = RunFolder(path), job.as_row()
    if os.path.exists(folder.file("error.txt")):
        row["error"] = files.read_text(folder.file("error.txt")).strip()
    else:
        scores = files.read_json(folder.file("scores.json"))
        row |= {"samples": scores["samples"], "real": scores["data"]}
        row["evaluations"] = evaluating.scores(path)
        for line in row["evaluations"]:
            row["samples"][line["name"]], row["real"][line["name"]] = line["value"], line["floor"]
    logs, names = folder.rows(), row.get("samples", {})
    row["path"] = [
        {"step": log["step"], **{name: log[name] for name in names if name in log}}
        for log in logs
        if any(name in log for name in names)
    ]
    row["last"] = logs[-1] if logs else {}
    row["seconds"] = seconds([log["seconds"] for log in logs])
    row["config"] = [line for line in (folder.settings() or "").splitlines() if line and not line.startswith("#")]
    if os.path.exists(folder.file("data.json")):
        row["data_hashes"] = files.read_json(folder.file("data.json"))
    return row


def seconds(clock: Sequence[float]) -> float:
    """The seconds that a run trained. The clock of its log begins anew with each sitting."""
    ends = [now for now, following in zip(clock, [*clock[1:], 0.0]) if following < now]
    return round(sum(ends), 1)
