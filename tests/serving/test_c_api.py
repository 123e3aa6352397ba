"""The committed models through TensorFlow's C API, which TensorFlow Serving loads with, without Python TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bms_tf.serving.models import saved_model_pb2

MODELS = Path(__file__).parents[2] / "savedmodels"
VERSIONS = sorted(path.parent for path in MODELS.glob("*/*/saved_model.pb"))

# Reads <folder>/<i>_<input>.npy, runs the graph, writes <folder>/out_<i>.npy. Constants and prototypes: c_api.h.
LOADER = r"""
import ctypes, json, sys
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
import numpy as np

library, model, folder = sys.argv[1:]
tf = ctypes.CDLL(library)
for name in ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel", "GraphOperationByName",
             "AllocateTensor", "TensorData"):
    getattr(tf, "TF_" + name).restype = c_void_p
tf.TF_Message.restype = c_char_p
tf.TF_TensorByteSize.restype = c_size_t
tf.TF_Dim.restype = c_int64


class Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


status = c_void_p(tf.TF_NewStatus())


def check():
    if tf.TF_GetCode(status):
        sys.exit(tf.TF_Message(status).decode())


graph, options = c_void_p(tf.TF_NewGraph()), c_void_p(tf.TF_NewSessionOptions())
tags = (c_char_p * 1)(b"serve")
session = c_void_p(tf.TF_LoadSessionFromSavedModel(options, None, model.encode(), tags, 1, graph, None, status))
check()
TYPES = {1: np.float32, 4: np.uint8, 9: np.int64}


def output(name):
    operation, index = name.split(":")
    found = tf.TF_GraphOperationByName(graph, operation.encode())
    assert found, name
    return Output(found, int(index))


def tensor(array):
    (code,) = [code for code, kind in TYPES.items() if kind == array.dtype]
    shape = (c_int64 * array.ndim)(*array.shape)
    made = c_void_p(tf.TF_AllocateTensor(code, shape, array.ndim, c_size_t(array.nbytes)))
    ctypes.memmove(c_void_p(tf.TF_TensorData(made)), array.ctypes.data, array.nbytes)
    return made


def array(made):
    shape = [tf.TF_Dim(made, i) for i in range(tf.TF_NumDims(made))]
    buffer = ctypes.string_at(c_void_p(tf.TF_TensorData(made)), tf.TF_TensorByteSize(made))
    return np.frombuffer(buffer, TYPES[tf.TF_TensorType(made)]).reshape(shape)


for signature, (inputs, outputs) in json.load(open(folder + "/signatures.json")).items():
    given = [tensor(np.load(f"{folder}/{signature}_{name}.npy")) for name in inputs]
    results = (c_void_p * len(outputs))()
    tf.TF_SessionRun(
        session, None,
        (Output * len(inputs))(*map(output, inputs.values())), (c_void_p * len(inputs))(*given), len(inputs),
        (Output * len(outputs))(*map(output, outputs.values())), results, len(outputs),
        None, 0, None, status,
    )
    check()
    for name, result in zip(outputs, results):
        np.save(f"{folder}/{signature}_out_{name}.npy", array(c_void_p(result)))
assert "tensorflow" not in sys.modules
"""


def library() -> Path:
    """TensorFlow's library of the C API."""
    folder = Path(tf.__file__).parent
    return next(
        path for name in ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib") if (path := folder / name).exists()
    )


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.parent.name)
def test_the_c_api_gives_the_same_bits(version, tmp_path):
    loaded = tf.saved_model.load(str(version))
    (graph,) = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes()).meta_graphs
    random, expected, listing = np.random.default_rng(0), {}, {}
    for name, signature in loaded.signatures.items():
        if name == "generate_png":  # strings have a layout of their own in C
            continue
        given = {}
        for key, spec in signature.structured_input_signature[1].items():
            shape = [3, *spec.shape[1:]]
            given[key] = (
                random.normal(size=shape).astype("f4") if spec.dtype.is_floating else random.integers(99, size=3)
            )
            np.save(tmp_path / f"{name}_{key}.npy", given[key])
        expected[name] = signature(**{key: tf.constant(value) for key, value in given.items()})
        named = graph.signature_def[name]
        listing[name] = [{key: info.name for key, info in side.items()} for side in (named.inputs, named.outputs)]
    (tmp_path / "signatures.json").write_text(json.dumps(listing))
    command = [sys.executable, "-c", LOADER, str(library()), str(version), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, outputs in expected.items():
        for key, value in outputs.items():
            np.testing.assert_array_equal(np.load(tmp_path / f"{name}_out_{key}.npy"), value, err_msg=f"{name}: {key}")


@pytest.mark.slow
def test_saved_model_cli_runs_it(tmp_path):
    np.save(tmp_path / "seed.npy", np.arange(3))
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run"]
    flags = ["--dir", str(MODELS / "ring/1"), "--tag_set", "serve", "--signature_def", "sample"]
    io = ["--inputs", f"seed={tmp_path}/seed.npy", "--outdir", str(tmp_path)]
    subprocess.run([*command, *flags, *io], check=True, capture_output=True)
    loaded = tf.saved_model.load(str(MODELS / "ring/1"))
    np.testing.assert_array_equal(
        np.load(tmp_path / "x.npy"), loaded.signatures["sample"](seed=tf.range(3, dtype="int64"))["x"]
    )
