"""Tensors in JSON, as TensorFlow Serving's REST protocol has them. They are checked before memory is taken.

Python runs one thread at a time, and does not interrupt a call of the JSON library or NumPy. All other requests wait
for such a call. So the work goes row by row, and what cannot be a right request is refused before it is parsed.
"""

import base64
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from bms_tf.serving.models import check_shape, invalid

NUMBERS_AT_ONCE = 2**14  # some ten milliseconds at most


def parse(body: bytes | bytearray, numbers: int) -> Any:
    """The body of a request as Python objects.

    Raises Refused if it is no JSON, or holds more than `numbers` with their lists and names can explain.
    """
    # Each element but the first has a comma before it, and a list of one number has brackets: [[1], [2]].
    most = 3 * numbers + 1000
    if body.count(b",") > most or body.count(b"[") + body.count(b"{") > most:
        raise invalid(f"the request has too many elements: the model takes {numbers} numbers at once")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:  # it says where, and nests at most a thousand deep
        raise invalid(f"JSON Parse error: {error}") from error


def tensor(value: Any, spec: tf.TensorSpec, max_rows: int) -> tf.Tensor:
    """The tensor of nested lists of numbers, one list for each row. Raises Refused if it is not `spec`."""
    if not isinstance(value, list):
        raise invalid(f"input {spec.name} is no list of rows")
    shape = tuple(spec.shape[1:].as_list()) if spec.shape.rank else ()
    check_shape([len(value), *shape], spec, max_rows)
    dtype = spec.dtype.as_numpy_dtype
    kinds = {int, float} if spec.dtype.is_floating else {int}
    array = np.empty([len(value), *shape], dtype)
    for i, row in enumerate(value):
        leaves = []
        if not _collect(row, shape, kinds, leaves):
            raise invalid(f"row {i} of input {spec.name} is not of {list(shape)} numbers that fit {spec.dtype.name}")
        try:
            with np.errstate(over="ignore"):  # what becomes infinite is refused with all that is not finite
                array[i] = np.array(leaves, dtype).reshape(shape)
        except OverflowError as error:
            raise invalid(f"input {spec.name} has in row {i} a number beyond {spec.dtype.name}") from error
    return tf.constant(array)


def _collect(value: Any, shape: tuple[int, ...], kinds: set[type], leaves: list) -> bool:
    """Appends the numbers of nested lists of `shape` to `leaves`. Returns False for another shape or other kinds."""
    if not shape:
        leaves.append(value)
        return type(value) in kinds  # True is no number
    if type(value) is not list or len(value) != shape[0]:
        return False
    if len(shape) > 1:
        return all(_collect(item, shape[1:], kinds, leaves) for item in value)
    leaves += value
    return set(map(type, value)) <= kinds


def predictions(outputs: Mapping[str, np.ndarray]) -> bytes:
    """{"predictions": [a row's outputs, ...]}. A single output has no name.

    Raises Refused for outputs without rows, of unequal numbers of rows, or of a type that JSON has no numbers for.
    """
    shapes = {name: list(np.shape(output)) for name, output in outputs.items()}
    if [] in shapes.values() or len({shape[0] for shape in shapes.values()}) > 1:
        raise invalid(f"the outputs have shapes {shapes}, which are not of equal numbers of rows; ask with 'inputs'")
    rows = (
        _row({name: output[i] for name, output in outputs.items()}) for i in range(len(next(iter(outputs.values()))))
    )
    return b'{"predictions": [' + b", ".join(rows) + b"]}"


def _row(outputs: Mapping[str, Any]) -> bytes:
    written = {name: _written(name, output) for name, output in outputs.items()}
    return next(iter(written.values())) if len(written) == 1 else _object(written)


def columns(outputs: Mapping[str, np.ndarray]) -> bytes:
    """{"outputs": {name: all rows, ...}}. A single output has no name. Raises Refused as `predictions` for a type."""
    written = {n: _list(n, output) if np.ndim(output) else _written(n, output) for n, output in outputs.items()}
    return _object({"outputs": next(iter(written.values())) if len(written) == 1 else _object(written)})


def _object(written: Mapping[str, bytes]) -> bytes:
    return b"{" + b", ".join(orjson.dumps(name) + b": " + value for name, value in written.items()) + b"}"


def _written(name: str, value: Any) -> bytes:
    """A row of an output, with numbers in the fewest digits that give them back.

    Strings of *_bytes are in base64, and so are those that are no UTF-8.
    """
    if isinstance(value, bytes):
        if not name.endswith("_bytes"):
            with contextlib.suppress(UnicodeDecodeError):
                return orjson.dumps(value.decode())
        return orjson.dumps({"b64": base64.b64encode(value).decode()})
    array = np.asarray(value)
    if array.dtype == object:  # of strings
        return _list(name, array)
    try:
        return b"".join(_pieces(array))
    except TypeError as error:
        raise invalid(f"output {name} is {array.dtype}, which cannot be written as JSON") from error


def _list(name: str, values: np.ndarray) -> bytes:
    return b"[" + b", ".join(_written(name, value) for value in values) + b"]"


def _pieces(array: np.ndarray) -> Iterator[bytes]:
    if array.size > NUMBERS_AT_ONCE and array.ndim > 1:
        for i, part in enumerate(array):
            yield b"[" if i == 0 else b","
            yield from _pieces(part)
        yield b"]"
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        yield _with_names(array.tolist()).encode()
    else:  # a number is no array to it
        yield orjson.dumps(np.ascontiguousarray(array) if array.ndim else array[()], option=orjson.OPT_SERIALIZE_NUMPY)


def _with_names(value: float | Sequence) -> str:
    """Writes NaN and Infinity by these names, as Serving does. JSON has no words for them."""
    if isinstance(value, list):
        return f"[{','.join(map(_with_names, value))}]"
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
