"""Gin files are refused or accepted with one clear line, and nothing that they name runs before they are scanned."""

import itertools
import sys
import textwrap
from pathlib import Path

import gin
import numpy as np
import pytest

from bms_tf.core import config

MODULE = """
import gin
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

class Network: ...

made = []

@gin.configurable
def tiny(*, width: int = gin.REQUIRED, rate: float = 0.1) -> Network:
    made.append(gin.current_scope_str())
    if width < 1:
        raise ValueError(f"width is {width}; it must be at least 1")
    return Network()

@gin.configurable
class Toy:
    def __init__(self, *, network: Network | None = None, make: Callable[..., Network] | None = None, T: int = 1,
                 rate: float = 0.0, flag: bool = False, name: str = "", sizes: tuple[int, ...] = (),
                 pair: tuple[int, float] | None = None, mode: Literal["min", "mean"] = "min", free=None):
        self.network, self.T = network, T

@gin.configurable
def needs(size: int):
    return size

@gin.configurable
def other(layer: Network) -> float:
    return 0.0

@gin.configurable
def measure(samples: list) -> dict[str, float]:
    return {}

@gin.configurable
class Deep:
    def __init__(self, *, measures: Sequence[Callable[..., Mapping[str, float]]] = (),
                 wrap: Callable[[Network], Network] | None = None, keyed: Callable[..., Network] | None = None,
                 anything: Callable | None = None):
        self.made = keyed and keyed(size=3)

def twice(network: Network) -> Network:
    return network

@gin.configurable
def wrapped(network: Network, wrapper: Callable[[Network], Network] = twice) -> Network:
    return wrapper(network)

@gin.configurable
def endless(*, part: Network | None = None) -> Network:
    return Network()
"""
count = itertools.count()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a module of configurables; `write(name, text)` adds a file, `load(text)` reads one."""
    module = f"toys{next(count)}"
    (tmp_path / f"{module}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = set(config.registered())
    yield Folder(module)
    for selector in set(config.registered()) - before:
        gin.config._REGISTRY.pop(selector)  # or the next module's short names were ambiguous
    sys.modules.pop(module, None)


class Folder:
    def __init__(self, module):
        self.module = module

    def write(self, name, text):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(textwrap.dedent(text))

    def load(self, text="", params=(), name="a.gin"):
        """Line 1 of the file is the import, so `text` begins on line 2."""
        self.write(name, f"import {self.module}\n" + text)
        config.load([name], params, [self.module])
        return sys.modules[self.module]

    def error(self, text="", params=()):
        with pytest.raises(config.ConfigError) as caught:
            self.load(text, params)
        assert "\n" not in str(caught.value)
        assert config.as_text().count(" = ") == 0, "nothing may be bound when a file is refused"
        return str(caught.value)


def test_bindings_reach_their_configurables(folder):
    toys = folder.load("Toy.network = @tiny()\ntiny.width = %size\nsize = 3\nToy.T = 1", ["Toy.T = 7"])
    model = toys.Toy()
    assert (type(model.network), model.T) == (toys.Network, 7)


def test_what_is_made_first_does_not_depend_on_the_order_of_the_lines(folder):
    # Networks draw their first weights as they are made, in the order of the signature.
    lines = ["Toy.network = @a/tiny()", "Toy.free = @b/tiny()", "tiny.width = 1"]
    for order in itertools.permutations(lines):
        toys = folder.load("\n".join(order))
        toys.made.clear()
        toys.Toy()
        assert toys.made == ["a", "b"]


@pytest.mark.parametrize(
    "statement",
    [
        "import {evil}",
        "from {evil} import run",
        "import {evil} as toys",
        "import bms_tf_{evil}",
        "from __gin__ import dynamic_registration\nimport {evil}",
        "from __gin__ import dynamic_registration",
        "import os",
    ],
)
@pytest.mark.parametrize("place", ["file", "include", "param"])
def test_what_could_run_code_is_refused_before_it_runs(folder, statement, place):
    for name in ("evil", "bms_tf_evil"):
        folder.write(f"{name}.py", f"open('marker', 'w').close()\ndef run(): open('{name}_ran', 'w').close()\n")
    statement = "\n" + statement.format(evil="evil")
    if place == "file":
        error = folder.error(statement)
        assert error.startswith("a.gin:3: ")
    elif place == "include":
        folder.write("sub/b.gin", statement)
        error = folder.error("include 'sub/b.gin'")
        assert error.startswith("sub/b.gin:2: ")
    else:
        error = folder.error(params=[statement])
        assert error.startswith("--gin_param ")
    assert "refused" in error
    assert not Path("marker").exists()
    assert folder.module not in sys.modules, "even an allowed import must wait until all files are scanned"


@pytest.mark.parametrize("file", ["/etc/passwd", "nowhere.gin", "gin/systems/gan.gin"])
def test_a_param_includes_no_file(folder, file):
    param = f"include '{file}'"
    line = f"--gin_param {param!r}: no file is included here; give it as another --gin_file"
    assert folder.error(params=[param]) == line


def test_an_allowed_package_allows_its_submodules_and_no_namesakes(folder):
    folder.write("pack/__init__.py", "")
    folder.write("pack/inner.py", "open('ran', 'w').close()")
    folder.write("packer.py", "open('marker', 'w').close()")
    folder.write("b.gin", "import pack.inner")
    folder.write("c.gin", "import packer")
    config.load(["b.gin"], allow_import=["pack"])
    assert Path("ran").exists()
    with pytest.raises(config.ConfigError, match="c.gin:1: import of 'packer' is refused"):
        config.load(["c.gin"], allow_import=["pack"])
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Tyo.T = 3", "a.gin:2: no configurable 'Tyo'; did you mean 'Toy'?"),
        ("\nToy.TT = 3", "a.gin:3: Toy has no parameter 'TT'; did you mean 'T'?"),
        ("tiny.zzz = 3", "a.gin:2: tiny has no parameter 'zzz'; it has width, rate"),
        ("Toy:\n  T = 1\n  mod = 'min'", "a.gin:4: Toy has no parameter 'mod'; did you mean 'mode'?"),
        ("Toy.network = @tinny()", "a.gin:2: no configurable 'tinny'; did you mean 'tiny'?"),
        ("Toy.T = 1\nToy.T = 2", "a.gin:3: Toy.T is set a second time in this file, after a.gin:2"),
        ("a/Toy.T = 1\na/Toy.T = 2", "a.gin:3: a/Toy.T is set a second time in this file, after a.gin:2"),
        ("size = 1\nsize = 2\nToy.T = %size", "a.gin:3: size is set a second time in this file, after a.gin:2"),
        ("size = 1\nToy.T = %sise", "a.gin:3: the macro %sise is not defined; did you mean 'size'?"),
        ("Toy.sizes = (1, %sise)", "a.gin:2: the macro %sise is not defined"),
        ("a = %b\nb = %a\nToy.T = %a", "a.gin:2: the macro %b needs its own value"),
        ("net = @tiny()\nToy.network = %net", "a.gin:2: the macro net cannot hold the called @tiny()"),
        ("Toy.T = %gin.REQUIRED", "a.gin:2: Toy.T must be set by a later file or --gin_param"),
        ("Toy.T = (1,", "a.gin:"),
        ("Toy.T = = 3", "a.gin:2: "),
        ("Toy.mode = min", "a.gin:2: cannot read the value min (a string needs quotes)"),
        ("include 'nowhere.gin'", "a.gin:2: no gin file 'nowhere.gin'; looked for nowhere.gin, "),
        ("include 'a.gin'", "a.gin:2: 'a.gin' includes itself"),
        ("import bms_tf.nowhere", "a.gin:2: cannot import 'bms_tf.nowhere': No module named 'bms_tf.nowhere'"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(folder, text, message):
    assert folder.error(text).startswith(message)


def test_the_lines_for_params_quote_the_param(folder):
    assert folder.error(params=["Tyo.T = 3"]).startswith("--gin_param 'Tyo.T = 3': no configurable 'Tyo'")
    assert folder.error("size = 1\nToy.T = %size", ["sise = 2"]).endswith(
        "nothing refers to %sise; did you mean 'size'?"
    )
    assert folder.load(params=["Toy.T = 3", "Toy.T = 4"]).Toy().T == 4, "of two params the later one holds"


@pytest.mark.parametrize(
    ("binding", "allowed"),
    [
        ("T = 1.0", "int"),
        ("T = '3'", "int"),
        ("T = True", "int"),
        ("T = None", "int"),
        ("T = @tiny", "int"),
        ("rate = '1e-3'", "float"),
        ("rate = False", "float"),
        ("flag = 1", "bool"),
        ("name = 3", "str"),
        ("sizes = 3", "tuple[int, ...]"),
        ("sizes = (1, 2.5)", "tuple[int, ...]"),
        ("sizes = (1, True)", "tuple[int, ...]"),
        ("pair = (1, 2.0, 3)", "tuple[int, float] | None"),
        ("pair = (1.5, 2.0)", "tuple[int, float] | None"),
        ("mode = 'max'", "Literal['min', 'mean']"),
        ("network = @tiny", "Network | None"),
        ("network = @Toy()", "Network | None"),
        ("make = @tiny()", "a function that gives Network (@name, without parentheses) | None"),
        ("make = 'tiny'", "a function that gives Network (@name, without parentheses) | None"),
        ("make = @other", "a function that gives Network (@name, without parentheses) | None"),
        ("make = @Toy", "a function that gives Network (@name, without parentheses) | None"),
    ],
)
def test_a_value_of_another_type_is_refused(folder, binding, allowed):
    value = binding.split(" = ")[1].replace('"', "'")
    assert folder.error(f"Toy.{binding}") == f"a.gin:2: Toy.{binding.split()[0]} is {value}; it must be {allowed}"


@pytest.mark.parametrize(
    ("binding", "fits"),
    [
        ("measures = [@measure]", True),
        ("measures = [@tiny]", False),  # another thing is returned
        ("measures = [@measure, @other]", False),
        ("wrap = @wrapped", True),
        ("wrap = @other", False),
        ("wrap = @tiny", False),  # which takes nothing by position
        ("wrap = @measure", False),  # which takes another kind of thing
        ("wrap = @wrapped()", False),  # made already
        ("anything = @other", True),
    ],
)
def test_a_function_is_judged_by_what_it_takes_and_gives(folder, binding, fits):
    if fits:
        folder.load(f"Deep.{binding}")
    else:
        assert folder.error(f"Deep.{binding}").startswith(
            f"a.gin:2: Deep.{binding.replace('= ', 'is ', 1)}; it must be "
        )
    # `keyed` takes anything that may give a Network; how it is called shows when it is built.
    toys = folder.load("Deep.keyed = @needs")
    assert toys.Deep().made == 3


def test_a_function_that_is_called_otherwise_than_it_is_made_for_is_one_line(folder):
    toys = folder.load("Deep.keyed = @tiny\ntiny.width = 1")
    with pytest.raises(
        config.ConfigError,
        match="^@tiny is no function of the kind that is needed here: it got an unexpected keyword argument 'size'$",
    ):
        call(toys.Deep)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "(1, {'a': [1e999]})", "1" + "0" * 30, "0x" + "f" * 9000])
def test_a_number_that_is_not_finite_or_too_large_is_refused(folder, number):
    error = folder.error(f"Toy.free = {number}")
    assert error.startswith("a.gin:2: Toy.free is ") and error.endswith("; numbers must be finite and below 2^63")
    assert len(error) < 500


def test_a_value_of_many_parts_is_shown_in_part(folder):
    error = folder.error(f"Toy.T = ({'1, ' * 1000})")
    assert error.endswith("...; it must be int") and len(error) < 500


@pytest.mark.parametrize(
    "value", ["(" * 5000 + "1" + ")" * 5000, "[" * 60 + "]" * 60, "{1: " * 30 + "1" + "}" * 30, "(" * 5000, "[" * 150]
)
def test_what_is_nested_deeply_is_refused(folder, value):
    assert len(folder.error(f"Toy.free = {value}")) < 500
    assert len(folder.error(params=[f"Toy.free = {value}"])) < 900


def test_twenty_levels_are_not_deep(folder):
    folder.load("Toy.free = " + "[" * 20 + "]" * 20)
    assert "nested more than 20 deep" in folder.error("Toy.free = " + "[" * 20 + "1" + "]" * 20)


def test_a_chain_of_macros(folder):
    def chain(length):
        return "\n".join(["m0 = 7", *(f"m{i + 1} = %m{i}" for i in range(length)), f"Toy.T = %m{length}"])

    assert folder.load(chain(19)).Toy().T == 7
    assert folder.error(chain(2000)).endswith("stands for macros that stand for too many others")


def test_macros_that_multiply_are_refused_at_once(folder):
    """Twenty levels of ten references each would be 10^20 values."""
    levels = [f"m{i + 1} = ({f'%m{i}, ' * 10})" for i in range(20)]
    text = "\n".join(["m0 = 7", *levels, "Toy.free = %m20"])
    assert folder.error(text).endswith("stands for macros that stand for too many others")


@pytest.mark.parametrize(
    "module", ["bms_tf.train", "bms_tf.tune", "bms_tf.export", "bms_tf.serve", "pipelines.prepare"]
)
@pytest.mark.parametrize("statement", ["import {}", "import {} as x", "from {} import main"])
def test_a_command_is_not_imported(folder, module, statement):
    if statement.startswith("from"):
        package, _, name = module.rpartition(".")
        statement, module = f"from {package} import {name}", module
    error = folder.error(params=[statement.format(module)])
    assert f"import of '{module}' is refused: it is a command" in error


@pytest.mark.parametrize("name", ["macro", "singleton", "gin.singleton"])
def test_what_gin_brings_itself_is_no_configurable(folder, name):
    assert f"no configurable '{name}'" in folder.error(f"Toy.make = @{name}")


@pytest.mark.parametrize(
    "binding",
    [
        "T = 3",
        "rate = 3",
        "rate = -0.001",
        "flag = True",
        "sizes = ()",
        "sizes = (1, 2)",
        "pair = (1, 2)",
        "pair = None",
    ]
    + [
        "mode = 'mean'",
        "network = @tiny()",
        "network = @a/tiny()",
        "make = @tiny",
        "make = None",
        "free = {'a': [@tiny]}",
        "free = @tiny()",
    ],
)
def test_a_value_of_the_right_type_is_taken(folder, binding):
    folder.load(f"Toy.{binding}")
    assert f"Toy.{binding}" in config.as_text()


def test_a_macro_counts_as_the_value_that_it_stands_for(folder):
    assert folder.error("T = '3'\nToy.T = %T") == "a.gin:3: Toy.T is '3'; it must be int"
    assert folder.load("T = '3'\nToy.T = %T", ["T = 3"]).Toy().T == 3


def test_where_files_are_looked_for(folder, monkeypatch):
    looked = "looked for ring.gim, .*ring.gim; did you mean 'gin/ring.gin'"
    with pytest.raises(config.ConfigError, match=rf"^no gin file 'ring.gim'; {looked}\?$"):
        config.load(["ring.gim"])
    with pytest.raises(config.ConfigError, match=r"looked for mine.gin, .*mine.gin$"):
        config.load(["mine.gin"])
    monkeypatch.setattr(config, "_recipes", lambda: Path("recipes"))
    folder.write("recipes/top.gin", "include 'data/ring.gin'\n")
    folder.write("recipes/data/ring.gin", f"import {folder.module}\nToy.T = 1")
    folder.write("recipes/data/grid.gin", "include 'ring.gin'\nToy.rate = 2.0")
    toys = [folder.module]
    for name in ("top.gin", "gin/top.gin", "data/grid.gin"):
        config.load([name], allow_import=toys)
        assert "Toy.T = 1" in config.as_text(), name
    folder.write("gin/top.gin", f"import {folder.module}\nToy.T = 2")
    config.load(["gin/top.gin"], allow_import=toys)
    assert "Toy.T = 2" in config.as_text(), "the working directory comes before the recipes"


def test_a_loaded_file_replaces_what_was_loaded_before(folder):
    folder.load("Toy.T = 3")
    folder.load("Toy.rate = 3.0")
    assert "Toy.T" not in config.as_text()


def test_the_text_is_the_same_whatever_the_order_and_can_be_loaded_again(folder):
    folder.load("Toy.T = %size\nsize = 3\na/tiny.width = 4\nToy.network = @a/tiny()")
    text = config.as_text()
    folder.load("a/tiny.width = 4\nsize = 3\nToy.network = @a/tiny()\nToy.T = %size")
    assert config.as_text() == text
    folder.write("b.gin", text)
    config.load(["b.gin"], allow_import=[folder.module])
    assert config.as_text() == text


def test_difference_names_what_changed_and_sees_through_macros(folder):
    folder.load("Toy.T = %size\nsize = 3\nToy.rate = 1.0\nToy.mode = 'min'\ntiny.width = %size")
    old = config.as_text()
    folder.load("Toy.T = 4\nToy.mode = 'min'\ntiny.width = 3\na/tiny.width = 5")
    assert config.difference(old, config.as_text()) == [
        "Toy.T: was 3, is now 4",
        "Toy.rate: was 1.0, is now not set",
        "a/tiny.width: was not set, is now 5",
    ]
    assert config.difference(old, config.as_text(), ignore=("Toy.T", "Toy.rate", "a/tiny.width")) == []
    assert config.difference(old, old) == []


def test_unused_lists_scopes_and_parts_that_nothing_reads(folder):
    toys = folder.load(
        "Toy.network = @a/tiny()\ntiny.width = 1\na/tiny.rate = 1.0\nb/tiny.rate = 2.0\nneeds.size = 3\nsize = 3"
    )
    toys.Toy()
    assert config.unused() == ["%size", "b/tiny", "needs"]


def test_a_scope_that_nothing_enters_is_refused_once_the_run_is_built(folder):
    toys = folder.load(
        "Toy.network = @a/tiny()\na/tiny.width = 1\nToy.free = %held\nheld = @b/c/tiny\nb/tiny.rate = 1.0\n"
        "player/needs.size = 3\nforth/tiny.rate = 1.0"
    )
    toys.Toy()
    with pytest.raises(config.ConfigError, match="^a.gin:8: forth/tiny.rate has no effect: nothing uses the"):
        config.check_scopes(["player"])
    config.check_scopes(["player", "forth"])
    with pytest.raises(config.ConfigError, match="a.gin:7: player/needs.size .*the scope 'player'; the scopes are "):
        config.check_scopes(["forth"])
    folder.load("b/c/tiny.width = 1\nToy.free = @b/tiny")
    with pytest.raises(config.ConfigError, match="scope 'b/c'; did you mean 'b'"):
        config.check_scopes([])


def call(function):
    with config.one_line_errors():
        function()


def test_errors_from_inside_a_configurable_are_one_line_with_its_name(folder):
    toys = folder.load("Toy.network = @a/tiny()\na/tiny.width = 0")
    with pytest.raises(config.ConfigError) as caught:
        call(toys.Toy)
    assert str(caught.value) == "a/tiny: width is 0; it must be at least 1"


def test_a_parameter_left_unset_is_named(folder):
    toys = folder.load("Toy.network = @tiny()")
    with pytest.raises(config.ConfigError, match=r"^tiny.width must be set$"):
        call(toys.Toy)
    with pytest.raises(config.ConfigError, match=r"^tiny.width must be set$"):
        call(toys.tiny)
    with pytest.raises(config.ConfigError, match=r"^needs.size must be set$"):
        call(toys.needs)


@pytest.mark.parametrize("text", ["wrapped.wrapper = @wrapped", "endless.part = @endless()"])
def test_what_is_made_of_itself_is_one_line(folder, text):
    toys = folder.load(text)
    with pytest.raises(config.ConfigError, match="^a configurable is made of itself, without an end$"):
        call(toys.endless if "endless" in text else lambda: toys.wrapped(toys.Network()))


def test_running_out_of_memory_is_one_line():
    import tensorflow as tf

    with pytest.raises(config.ConfigError, match=r"^out of memory: Unable to allocate .* for an array with shape"):
        call(lambda: np.ones([2**50]))
    with pytest.raises(
        config.ConfigError, match=r"^out of memory: OOM when allocating tensor with shape\[\d+\] and type"
    ):
        call(lambda: tf.zeros([2**50]))


def test_a_fault_of_the_program_is_left_as_it_is():
    @gin.configurable(module="test")
    def faulty(error):
        raise error

    for error in (KeyError("x"), TypeError("f() missing 1 required positional argument: 'x'"), RuntimeError("y")):
        with pytest.raises(type(error)) as caught:
            call(lambda error=error: faulty(error))
        assert not isinstance(caught.value, config.ConfigError)
    with pytest.raises(config.ConfigError, match="^faulty: .*Permission denied"):
        call(lambda: faulty(PermissionError(13, "Permission denied")))


def test_what_a_package_defines_can_be_forgotten():
    config.load([], ["import bms_tf.pictures", "import pipelines.ring", "density.bins = 3", "a/ring.std = 0.5"])
    config.forget("bms_tf.pictures")
    assert "import pipelines.ring" in config.as_text() and "a/ring.std = 0.5" in config.as_text()
    assert "pictures" not in config.as_text() and "density" not in config.as_text()


def test_a_programs_own_configuration_comes_back(folder):
    toys = folder.load("needs.size = 7\n")
    assert toys.needs() == 7
    before, operative = config.as_text(), config.operative_text()
    assert "needs.size = 7" in before and "needs.size = 7" in operative
    with pytest.raises(RuntimeError, match="inside"), config.apart():
        assert config.as_text().strip() == ""
        folder.load("needs.size = 8\n", name="b.gin")
        assert toys.needs() == 8
        raise RuntimeError("inside")
    assert (config.as_text(), config.operative_text()) == (before, operative)
    assert toys.needs() == 7


def test_a_dictionary_keeps_its_order_as_text(folder):
    binding = "Toy.free = {'b': 1, 'a': {'d': 2, 'c': 3}}"
    folder.load(binding)
    assert binding in config.as_text().splitlines()


def test_what_is_shipped_is_listed_in_whole_sentences():
    listed = {name: line for files in config.shipped().values() for name, line in files.items()}
    assert listed["gin/networks/dcgan.gin"] == "DCGAN for images of 28, 32, 64 or 128 pixels."
    assert listed["gin/ring.gin"] == "BMS-VAE-GAN on the 2-D ring."
    for name, line in listed.items():
        assert line.endswith((".", f"--gin_file={name}")), name
