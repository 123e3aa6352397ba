"""A disk that fills or becomes read-only at any moment: one line, nothing half, and the run goes on where it was."""

import time
from pathlib import Path
from random import Random

from tests.faults._harness import (
    INTERVAL,
    STEPS,
    Command,
    differences,
    disk,
    fill,
    finished,
    last_line,
    one_line_error,
    reference,
    set_read_only,
    steps,
    train,
    wait_for,
    wait_for_lines,
)


class Disk:
    """A run on a disk of its own, which takes no more at some moment."""

    def __init__(self, scratch: Path, read_only: bool):
        self.name = f"disks {'read-only' if read_only else 'full'}, training"
        self.scratch, self.read_only = scratch, read_only
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        place = self.scratch / "disk"
        with disk(place, 16):
            folder = place / "run"
            run = train(folder)
            lines = draw.randrange(STEPS // INTERVAL - 1)
            wait_for_lines(lines, folder, run)
            wait_for(draw.uniform(0.0, 0.1), run)
            if self.read_only:
                what = f"read-only behind line {len(steps(folder))}"
                while run.runs():  # not while a file is open for writing
                    try:
                        set_read_only(place, True)
                        break
                    except OSError:
                        time.sleep(0.001)
            else:
                left = draw.choice([0, 300, 5_000, 30_000, 100_000])
                what = f"full but for {left} bytes behind line {len(steps(folder))}"
                filler = fill(place, left)
            code = run.wait()
            if code != 0:  # else what was left was enough
                self.lost += [f"{what}: {loss}" for loss in one_line_error(run)]
                what += f": {last_line(run)}"
            if self.read_only:
                set_read_only(place, False)
            else:
                filler.unlink()
            self.lost += [f"{what}: {loss}" for loss in finished(train(folder))]
            self.lost += [f"{what}: {loss}" for loss in differences(folder, reference(self.scratch))]
        return what

    def losses(self) -> list[str]:
        return self.lost


class ExportDisk:
    """An export to a disk with too little room: it leaves nothing, and another one is whole."""

    name = "disks full, export"

    def __init__(self, scratch: Path):
        self.scratch = scratch
        self.lost: list[str] = []

    def fault(self, draw: Random) -> str:
        place, log = self.scratch / "disk", self.scratch / "export.log"
        flags = [f"--run_dir={reference(self.scratch)}", "--name=ring", f"--export_dir={place}"]
        with disk(place, 8):
            left = draw.randrange(0, 600_000, 4096)
            filler = fill(place, left)
            export = Command("bms_tf.export", flags, log)
            code = export.wait()
            what = f"{left} bytes for an export"
            if code != 0:
                self.lost += [f"{what}: {loss}" for loss in one_line_error(export)]
                what += f": {last_line(export)}"
                there = sorted(path.name for path in place.rglob("*") if path != filler)
                self.lost += [f"{what}: left {there}"] if there not in ([], ["ring"]) else []
            filler.unlink()
            self.lost += [f"{what}: {loss}" for loss in finished(Command("bms_tf.export", flags, log))]
        return what

    def losses(self) -> list[str]:
        return self.lost


def scenarios(scratch: Path):
    try:
        with disk(scratch / "disk", 1):
            pass
    except PermissionError as error:
        print(f"disks: left out, as this user cannot mount one ({error})")
        return
    yield Disk(scratch, read_only=False)
    yield Disk(scratch, read_only=True)
    yield ExportDisk(scratch)
