"""The progress of a search: on a terminal, each run that is going on has a bar below the printed lines."""

import contextlib
import threading

from tqdm import tqdm

from bms_tf.core import gin_text
from bms_tf.core.run_folder import RunFolder

EVERY = 1.0  # seconds


class Progress:
    """The bars of the runs that are going on. Other processes train these, so that the bars follow the run folders.

    While it is entered, a thread moves the bars each second.
    """

    def __init__(self):
        # tqdm's own lock holds a semaphore, which a process that is ended would leave behind.
        tqdm.set_lock(threading.RLock())
        self.bars: dict[str, tqdm] = {}
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._move, daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        for folder in list(self.bars):
            self.end(folder)

    def say(self, line: str):
        """Prints a line above the bars."""
        with tqdm.external_write_mode():
            print(line, flush=True)

    def begin(self, folder: str, name: str):
        """Shows a bar with this name for the run in `folder`."""
        self.end(folder)  # a worker that has died is given its trial again
        begun, total = state_of(RunFolder(folder))  # what an earlier sitting did is not this one's speed
        with self._lock:
            looks = {"unit": "update", "dynamic_ncols": True, "leave": False, "disable": None}
            self.bars[folder] = tqdm(desc=name, initial=begun, total=total, **looks)

    def end(self, folder: str):
        """Takes the run's bar away, if there is one."""
        with self._lock:
            if folder in self.bars:
                self.bars.pop(folder).close()

    def move(self):
        """Brings each bar to where its run is."""
        with self._lock:
            for folder, bar in self.bars.items():
                if not bar.disable:
                    bar.n, bar.total = state_of(RunFolder(folder))
                    bar.initial = min(bar.initial, bar.n)  # the checkpoint may be older than the last logged step
                    bar.refresh()

    def _move(self):
        while not self._ended.wait(EVERY):
            self.move()


def state_of(run: RunFolder) -> tuple[int, int | None]:
    """The generator updates that a run has logged, and those that it will have: None before it begins."""
    rows, total = run.rows(lambda _: None), None
    with contextlib.suppress(ValueError, KeyError):  # a damaged file, which the run itself names
        if settings := run.settings():
            total = int(gin_text.values(settings)["train.generator_updates"])
    return rows[-1]["generator_updates"] if rows else 0, total
