"""A beginning from trained weights of a run folder or of an exported SavedModel. Not all of them need fit."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any

import tensorflow as tf

from bms_tf.core.checkpoints import Checkpoints
from bms_tf.core.keras import keras
from bms_tf.core.system import System

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"  # what TensorFlow puts behind the path of a variable in a checkpoint


def variable_names(system: System) -> dict[str, tf.Variable]:
    """The variables of the networks, named as in checkpoints: "generator/layer_with_weights-0/kernel"."""
    return {f"{name}{path}": v for name, network in system.networks.items() for path, v in _paths(network)}


def _paths(network: keras.Model) -> Iterator[tuple[str, tf.Variable]]:
    """Every variable with the shortest path to it, by which a checkpoint names it."""
    view, queue, seen = tf.train.TrackableView(network), deque([("", network)]), {id(network)}
    while queue:
        path, node = queue.popleft()
        if isinstance(node, tf.Variable):
            yield path, node
        for name, child in view.children(node).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}", child))


def warm_start(system: System, source: str, report: Callable[[str], None] = print):
    """Takes each variable of `system` whose name and shape `source` has, a run folder or a SavedModel.

    `report` hears for each network what was taken and what was left. The generator's average begins at its weights.
    Raises ValueError if there is nothing to read, or nothing that fits.
    """
    reader, prefix = _open(system, source)
    shapes = reader.get_variable_to_shape_map()
    # TensorFlow writes a slash inside a name as .S
    there = {key.replace(".S", "/").removeprefix(f"{prefix}/").removesuffix(_VALUE): key for key in shapes}
    here = variable_names(system)
    taken, left = {name: 0 for name in system.networks}, {name: [] for name in system.networks}
    for name, variable in here.items():
        key, (network, _, path) = there.get(name), name.partition("/")
        if key is None:
            left[network].append(f"{path} (not there)")
        elif shapes[key] != variable.shape:
            left[network].append(f"{path} ({shapes[key]} there, {variable.shape.as_list()} here)")
        else:
            variable.assign(reader.get_tensor(key))
            taken[network] += 1
    ours = {f"{name} {variable.shape.as_list()}" for name, variable in here.items()}
    theirs = {f"{name} {shapes[key]}" for name, key in there.items() if "/." not in name}  # without optimizers' slots
    misfits = {
        network: f"the first that does not fit is {_first(network, ours - theirs)} here, "
        f"{_first(network, theirs - ours)} there"
        for network in system.networks
    }
    if not any(taken.values()):
        network, misfit = next(iter(misfits.items()))
        raise ValueError(
            f"none of the {len(there)} variables in {source} has the name and shape of one of this model; of the "
            f"network {network} {misfit}"
        )
    for average, weight in zip(system.averages, system.generator.trainable_variables):
        average.assign(weight)
    report(f"warm start from {source}")
    for network, count in taken.items():
        what = f"took {count} variables" + f", left {'; '.join(left[network])}" * bool(left[network])
        report(f"  {network}: " + (what if count else f"took nothing; {misfits[network]}"))


def _first(network: str, names: Collection[str]) -> str:
    """The first of the names that lie in a network, without the network's own."""
    start = f"{network}/"
    return min((name.removeprefix(start) for name in names if name.startswith(start)), default="nothing")


def _open(system: System, source: str) -> tuple[Any, str]:
    """The reader of the newest state in `source`, and what its names of the networks' variables begin with."""
    exported = os.path.join(source, "variables", "variables")
    if os.path.exists(f"{exported}.index"):
        return tf.train.load_checkpoint(exported), "weights"
    folder = os.path.join(source, "checkpoints")
    newest = os.path.isdir(folder) and Checkpoints(system, folder).newest
    if not newest:
        raise ValueError(
            f"there is nothing to start from in {source}; it must be a run folder with a checkpoint, or a SavedModel "
            "such as savedmodels/NAME/1"
        )
    return tf.train.load_checkpoint(newest), "model"
