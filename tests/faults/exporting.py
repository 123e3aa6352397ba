"""SIGKILL at any moment of an export: each version that is there is whole, and the next export is as if nothing was."""

import json
from pathlib import Path

import numpy as np

from tests.faults._harness import Command, finished, reference
from tests.faults._killed import Killed


class Export(Killed):
    """Exports of one run that are killed."""

    name = "exporting"

    def start(self, folder: Path) -> Command:
        flags = [f"--run_dir={reference(self.scratch)}", "--name=ring", f"--export_dir={folder}"]
        return Command("bms_tf.export", flags, self.scratch / "export.log")

    def left(self) -> str:
        return f"{len(self._versions())} versions so far"

    def _versions(self) -> list[Path]:
        return sorted((self.folder / "ring").glob("[0-9]*"))

    def losses(self) -> list[str]:
        self.lost += finished(self.start(self.folder))
        whole = _content(self.undisturbed / "ring" / "1")
        for version in self._versions():
            found = _content(version)
            differ = {name for name in whole.keys() & found.keys() if not np.array_equal(whole[name], found[name])}
            self.lost += [f"{version}: {name}" for name in sorted((whole.keys() ^ found.keys()) | differ)]
        numbers = [int(version.name) for version in self._versions()]
        self.lost += [f"versions {numbers}"] if numbers != list(range(1, len(numbers) + 1)) else []
        return self.lost


def _content(version: Path) -> dict[str, object]:
    """A version's weights and metadata, and the names of its files."""
    import tensorflow as tf

    found = {str(path.relative_to(version)): True for path in version.rglob("*") if path.is_file()}
    reader = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    names = [name for name in reader.get_variable_to_shape_map() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    found |= {f"variable {name}": reader.get_tensor(name) for name in names}
    found["metadata"] = json.loads((version / "assets.extra" / "metadata.json").read_text())
    tf.saved_model.load(str(version))
    return found


def scenarios(scratch: Path):
    yield Export(scratch)
