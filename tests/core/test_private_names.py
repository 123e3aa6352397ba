"""What is private in Keras, gin, KerasTuner and TensorFlow and is used all the same: each in one module, and as we need
it, so that another version of theirs fails here.
"""

import ast
import inspect
from pathlib import Path

import gin
import pytest
import tensorflow as tf
from gin import config as gin_config
from keras_tuner import HyperParameters, Objective
from keras_tuner import oracles as keras_oracles
from keras_tuner.engine.base_tuner import BaseTuner

from bms_tf.core import config, optimizers
from bms_tf.core.keras import (
    Adam,
    Model,
    TensorLogs,
    every_layer,
    is_cast,
    keras,
    rename,
    replace_schedule,
    set_policy,
    track_sub_layers,
)
from bms_tf.core.precision import computing_in
from bms_tf.serving import models
from bms_tf.tuning import oracles

ROOT = Path(__file__).parents[2]
# The one module that uses each, and the tests that look into what it does.
HOMES = {
    "bms_tf/core/keras.py": (
        "_auto_track_sub_layers",
        "_flatten_layers",
        "_index_dict",
        "_internal_apply_gradients",
        "_learning_rate",
        "_maybe_load_initial_counters_from_ckpt",
        "_momentums",
        "_name",
        "_set_dtype_policy",
        "_supports_tf_logs",
        "_var_key",
        "_velocities",
        "true_dtype",
    ),
    "bms_tf/core/config.py": (
        "_CONFIG",
        "_CONSTANTS",
        "_IMPORTS",
        "_OPERATIVE_CONFIG",
        "_REGISTRY",
        "_set_config_is_locked",
    ),
    "bms_tf/tuning/oracles.py": (
        "_compare",
        "_get_num_brackets",
        "_get_num_rounds",
        "_get_oracle_fname",
        "_get_size",
        "_get_trial_dir",
        "_get_tuner_fname",
        "_is_worker",
        "_ordered_ids",
        "_populate_next",
        "_retry_queue",
        "_save_trial",
        "_set_project_dir",
        "keras_tuner.src",
    ),
    "bms_tf/serving/models.py": ("tensorflow.core",),
    "tests/test_resume.py": ("tensorflow.python",),  # which lets a checkpoint's writing fail, in a program of its own
}
TESTS = {"tests/core/test_private_names.py", "tests/core/conftest.py", "tests/tuning/test_oracles.py"}
HOME = {name: home for home, names in HOMES.items() for name in names}
# `keras_tuner.engine` is none of them: KerasTuner exports from there what is in its `keras_tuner_export`.
MODULES = ("keras.src", "keras_tuner.src", "tensorflow.core", "tensorflow.python", "tf_keras.src")


def files() -> list[str]:
    folders = ("bms_tf", "pipelines", "benchmarks", "tools", "tests")
    return [path.relative_to(ROOT).as_posix() for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def defined(tree) -> set[str]:
    """The names that a module defines: of functions, classes and variables, and of what a class keeps in itself."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            found.add(node.attr)
    return found


def used(tree):
    """Private names that a module uses, or defines over another's: attributes, imports, and known ones however."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr in HOME or (node.attr.startswith("_") and not node.attr.endswith("__")):
                yield node.attr
        elif isinstance(node, (ast.FunctionDef, ast.Name)):
            name = node.name if isinstance(node, ast.FunctionDef) else node.id
            if name in HOME:
                yield name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None)
            for alias in node.names:
                full = f"{module}.{alias.name}" if module else alias.name
                yield from (m for m in MODULES if f"{full}.".startswith(f"{m}."))


def violations(sources: dict[str, str]) -> list[str]:
    trees = {path: ast.parse(source) for path, source in sources.items()}
    ours = (
        set.union(*map(defined, trees.values())) | {"_asdict", "_fields", "_replace"} - HOME.keys()
    )  # of named tuples
    return sorted(
        {
            f"{path} uses {name}, which belongs into {HOME.get(name, 'a module of its own')}"
            for path, tree in trees.items()
            for name in used(tree)
            if path not in TESTS and HOME.get(name) != path and (name in HOME or name not in ours)
        }
    )


def test_every_private_name_is_in_its_module():
    assert violations({path: (ROOT / path).read_text(encoding="utf-8") for path in files()}) == []


def test_what_such_a_violation_says():
    sources = {
        "bms_tf/a.py": "def _own(self): self._k = layer._flatten_layers()",
        "bms_tf/b.py": "import keras_tuner.src.a\nfrom tensorflow.python import ops\nx._own, x._k, x._their, x.__doc__",
    }
    assert violations(sources) == [
        "bms_tf/a.py uses _flatten_layers, which belongs into bms_tf/core/keras.py",
        "bms_tf/b.py uses _their, which belongs into a module of its own",
        "bms_tf/b.py uses keras_tuner.src, which belongs into bms_tf/tuning/oracles.py",
        "bms_tf/b.py uses tensorflow.python, which belongs into tests/test_resume.py",
    ]


def test_every_name_listed_is_used_in_its_module():
    for home, names in HOMES.items():
        source = (ROOT / home).read_text(encoding="utf-8")
        assert [name for name in names if name not in source and name != "_set_project_dir"] == []


# Keras


def test_every_layer_of_networks_in_networks():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="deep")])
    outer = keras.Sequential([keras.Input((2,)), inner, keras.layers.Dense(1, name="last")])
    names = [layer.name for layer in every_layer(outer)]
    assert {"deep", "last", inner.name, outer.name} <= set(names) and len(names) == len(set(names))


def test_a_network_takes_another_name():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    rename(network, "critic")
    lines = []
    network.summary(print_fn=lines.append)
    assert network.name == "critic" and 'Model: "critic"' in "\n".join(lines)


def test_a_sequential_tracks_what_it_is_told_to():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.untracked = keras.layers.Dense(1)
    track_sub_layers(network)
    network.tracked = [keras.layers.Dense(1)]
    network.tracked[0].build([None, 2])
    network.untracked.build([None, 2])
    assert len(network.trainable_weights) == 4  # kernel and bias of two


def test_a_layer_computes_in_another_precision():
    layer = keras.layers.Dense(1)
    layer.build([None, 2])
    before = layer.dtype_policy
    set_policy(layer, "mixed_bfloat16")
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    set_policy(layer, before)
    assert layer.compute_dtype == "float32" and layer(tf.ones([1, 2])).dtype == tf.float32


def test_weights_that_are_cast_are_known():
    plain = keras.layers.Dense(1)
    with computing_in("bfloat16"):
        cast, exempt = keras.layers.Dense(1), keras.layers.BatchNormalization()
    for layer in (plain, cast, exempt):
        layer.build([None, 2])
    assert is_cast(cast.__dict__["kernel"])
    assert not is_cast(plain.__dict__["kernel"]) and not is_cast(exempt.__dict__["gamma"])


def test_a_schedule_is_replaced_and_a_rate_is_not():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.4, 10, end_learning_rate=0.0)
    optimizer, constant = keras.optimizers.Adam(schedule), keras.optimizers.Adam(0.1)
    for each in (optimizer, constant):
        replace_schedule(each, lambda old: keras.optimizers.schedules.PolynomialDecay(0.2, 10, end_learning_rate=0.0))
    assert float(constant.learning_rate) == pytest.approx(0.1)
    # Adam's first step is the rate, here 0.2, and the gradient's sign.
    variable = tf.Variable(1.0)
    optimizer.build([variable])
    optimizer.apply_gradients([(tf.constant(3.0), variable)])
    assert float(variable) == pytest.approx(0.8, abs=1e-5)


def test_adam_is_told_of_an_update_and_has_its_moments():
    class Watched(Adam):
        def begin(self):
            seen.append((int(self.iterations), float(self.learning_rate)))

    schedule = keras.optimizers.schedules.PolynomialDecay(0.4, 10, end_learning_rate=0.0)
    seen, optimizer = [], Watched(schedule, beta_1=0.5, beta_2=0.75)
    variables = [tf.Variable(1.0), tf.Variable(2.0)]
    optimizer.build(variables)
    for gradients in ((2.0, 4.0), (0.0, 0.0)):
        optimizer.apply_gradients(zip(map(tf.constant, gradients), variables))
        moments = [[float(m) for m in optimizer.moments(v)] for v in variables]
        # (1 - beta_1) g and (1 - beta_2) g^2; then these times beta_1 and beta_2.
        assert moments == ([[1.0, 1.0], [2.0, 4.0]] if gradients[0] else [[0.5, 0.75], [1.0, 3.0]])
    # Once for both weights, with the rate of this very update: .4, and a tenth of the way to 0.
    assert seen == [(0, pytest.approx(0.4)), (1, pytest.approx(0.36))]


def test_where_a_training_begins_and_what_a_callback_is_given():
    class Constant(Model):
        def train_step(self, x):
            return {"loss": tf.constant(1.0)}

    class Watch(TensorLogs):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, tf.is_tensor(logs["loss"])))

    seen, model = [], Constant()
    model.compile()
    model._initial_step = 2
    model.fit(tf.data.Dataset.range(8).batch(2).repeat(), epochs=1, steps_per_epoch=4, verbose=0, callbacks=[Watch()])
    assert seen == [(2, True), (3, True)]


# gin


def test_gins_tables():
    name = f"{optimizers.__name__}.linear_decay"
    gin.parse_config(f"{name}.horizon = 7\nsize = 3")
    assert gin_config._CONFIG == {("", name): {"horizon": 7}, ("size", "gin.macro"): {"value": 3}}
    configurable = gin_config._REGISTRY[name]
    assert inspect.isfunction(configurable.wrapped) and configurable.wrapped.__name__ == "linear_decay"
    assert config.registered()[name] is configurable.wrapped
    assert gin_config._OPERATIVE_CONFIG == {}
    with gin.config_scope("scope"):
        gin.get_configurable(name)(0.1)
    assert gin_config._OPERATIVE_CONFIG[("scope", name)]["horizon"] == 7
    assert gin_config._CONSTANTS.get_all_matches("gin.REQUIRED") and not gin_config._CONSTANTS.get_all_matches(
        "nothing"
    )
    assert gin_config._IMPORTS == set()


def test_gins_lock():
    gin_config._set_config_is_locked(True)
    assert gin.config_is_locked()
    gin_config._set_config_is_locked(False)
    assert not gin.config_is_locked()


def test_gin_writes_with_the_pprint_that_we_replace(monkeypatch):
    monkeypatch.setattr(gin_config, "pprint", None)
    gin.bind_parameter(f"{optimizers.__name__}.linear_decay.horizon", 7)
    with pytest.raises(AttributeError, match="pformat"):
        gin.config_str()


# KerasTuner


def oracle(kind, folder, **options):
    space = HyperParameters()
    space.Choice("a", [1, 2, 3])
    made = kind(objective=Objective("score", "min"), hyperparameters=space, seed=1, **options)
    made._set_project_dir(str(folder), "oracle")
    return made


def test_where_an_oracle_keeps_its_files(tmp_path):
    made = oracle(keras_oracles.GridSearchOracle, tmp_path)
    trial = made.create_trial("tuner0")
    assert made._get_oracle_fname() == str(tmp_path / "oracle/oracle.json")
    assert made._get_trial_dir(trial.trial_id) == str(tmp_path / f"oracle/trial_{trial.trial_id}")
    made._save_trial(trial)
    assert (tmp_path / f"oracle/trial_{trial.trial_id}/trial.json").exists()
    assert made._retry_queue == []


def test_what_a_grid_has_in_memory(tmp_path):
    made = oracle(keras_oracles.GridSearchOracle, tmp_path)
    trial = made.create_trial("tuner0")
    made._ordered_ids.insert("another", trial.trial_id)
    assert made._populate_next == [trial.trial_id], "behind which the next combination is to be looked for"
    assert made._compare({"a": 1}, {"a": 3}) < 0 == made._compare({"a": 2}, {"a": 2})


def test_the_rounds_of_hyperband(tmp_path):
    # Li et al. 2018, table 1, with R = 9 and eta = 3: three brackets, of 9, 3, 1 trials; of 5, 1; and of 3 (KerasTuner
    # rounds (s_max + 1) / (s + 1) eta^s = 4.5 up).
    made = oracle(keras_oracles.HyperbandOracle, tmp_path, max_epochs=9, factor=3)
    brackets = range(made._get_num_brackets())
    sizes = [[made._get_size(b, r) for r in range(made._get_num_rounds(b))] for b in brackets]
    assert sorted(sizes, key=len) == [[3], [5, 2], [9, 3, 1]]


def test_a_tuners_record(tmp_path):
    loop = oracles.TrialLoop(
        oracle(keras_oracles.RandomSearchOracle, tmp_path), directory=str(tmp_path), project_name="p"
    )
    assert loop.is_worker is False
    assert inspect.isfunction(BaseTuner._get_tuner_fname) and loop._get_tuner_fname() == str(tmp_path / "p/tuner.json")
    loop.save()
    assert (tmp_path / "p/tuner.json").exists()


def test_a_chief_and_its_workers(tmp_path):
    made = oracle(keras_oracles.RandomSearchOracle, tmp_path)
    assert oracles.oracle_chief.OracleServicer(made).stop_triggered is False
    assert oracles.oracle_chief.exit_chief(made)
    assert oracles.oracle_client.TIMEOUT > 0
    assert callable(oracles.protos.get_service_grpc().add_OracleServicer_to_server)
    assert "print(" in inspect.getsource(oracles.conditions), "which is silenced"


# TensorFlow


def test_the_file_of_a_saved_model():
    path = next((ROOT / "savedmodels").glob("*/1/saved_model.pb"))
    (graph,) = models.saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs
    assert "serving_default" in graph.signature_def


def test_how_a_checkpoint_becomes_whole():
    from tensorflow.python.ops import gen_io_ops

    assert list(inspect.signature(gen_io_ops.merge_v2_checkpoints).parameters)[:2] == [
        "checkpoint_prefixes",
        "destination_prefix",
    ]
