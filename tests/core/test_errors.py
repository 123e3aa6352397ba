"""What a user can mend is one line; a fault of the program is left as it is."""

import gin
import numpy as np
import pytest

from bms_tf.core import errors


def call(function):
    with errors.in_one_line():
        function()


def test_errors_from_inside_a_configurable_are_one_line_with_its_name(folder):
    toys = folder.load("Toy.network = @a/tiny()\na/tiny.width = 0")
    with pytest.raises(errors.ConfigError) as caught:
        call(toys.Toy)
    assert str(caught.value) == "a/tiny: width is 0; it must be at least 1"


def test_a_parameter_left_unset_is_named(folder):
    toys = folder.load("Toy.network = @tiny()")
    with pytest.raises(errors.ConfigError, match=r"^tiny.width must be set$"):
        call(toys.Toy)
    with pytest.raises(errors.ConfigError, match=r"^tiny.width must be set$"):
        call(toys.tiny)
    with pytest.raises(errors.ConfigError, match=r"^needs.size must be set$"):
        call(toys.needs)


def test_a_function_that_is_called_otherwise_than_it_is_made_for_is_one_line(folder):
    toys = folder.load("Deep.keyed = @tiny\ntiny.width = 1")
    with pytest.raises(
        errors.ConfigError,
        match="^@tiny is no function of the kind that is needed here: it got an unexpected keyword argument 'size'$",
    ):
        call(toys.Deep)


@pytest.mark.parametrize("text", ["wrapped.wrapper = @wrapped", "endless.part = @endless()"])
def test_what_is_made_of_itself_is_one_line(folder, text):
    toys = folder.load(text)
    with pytest.raises(errors.ConfigError, match="^a configurable refers to itself without end$"):
        call(toys.endless if "endless" in text else lambda: toys.wrapped(toys.Network()))


def test_running_out_of_memory_is_one_line():
    import tensorflow as tf

    with pytest.raises(errors.ConfigError, match=r"^out of memory: Unable to allocate .* for an array with shape"):
        call(lambda: np.ones([2**50]))
    with pytest.raises(
        errors.ConfigError, match=r"^out of memory: OOM when allocating tensor with shape\[\d+\] and type"
    ):
        call(lambda: tf.zeros([2**50]))


def test_a_fault_of_the_program_is_left_as_it_is():
    @gin.configurable(module="test")
    def faulty(error):
        raise error

    for error in (KeyError("x"), TypeError("f() missing 1 required positional argument: 'x'"), RuntimeError("y")):
        with pytest.raises(type(error)) as caught:
            call(lambda error=error: faulty(error))
        assert not isinstance(caught.value, errors.ConfigError)
    with pytest.raises(errors.ConfigError, match="^faulty: .*Permission denied"):
        call(lambda: faulty(PermissionError(13, "Permission denied")))
