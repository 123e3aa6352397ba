"""What gin holds fits the configurables, in names and types, and is told as text that can be loaded again."""

import itertools

import pytest

from bms_tf.core import config, errors


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
    ("text", "message"),
    [
        ("Tyo.T = 3", "a.gin:2: no configurable 'Tyo'; did you mean 'Toy'?"),
        ("\nToy.TT = 3", "a.gin:3: Toy has no parameter 'TT'; did you mean 'T'?"),
        ("tiny.zzz = 3", "a.gin:2: tiny has no parameter 'zzz'; it has width, rate"),
        ("Toy:\n  T = 1\n  mod = 'min'", "a.gin:4: Toy has no parameter 'mod'; did you mean 'mode'?"),
        ("Quux.T = 3", "a.gin:2: no configurable 'Quux' (is a recipe or an import missing before it?)"),
        ("Toy.network = @tinny()", "a.gin:2: no configurable 'tinny'; did you mean 'tiny'?"),
        ("Toy.T = 1\nToy.T = 2", "a.gin:3: Toy.T is set a second time in this file, after a.gin:2"),
        ("a/Toy.T = 1\na/Toy.T = 2", "a.gin:3: a/Toy.T is set a second time in this file, after a.gin:2"),
        ("size = 1\nsize = 2\nToy.T = %size", "a.gin:3: size is set a second time in this file, after a.gin:2"),
        ("size = 1\nToy.T = %sise", "a.gin:3: the macro %sise is not defined; did you mean 'size'?"),
        ("Toy.sizes = (1, %sise)", "a.gin:2: the macro %sise is not defined"),
        ("a = %b\nb = %a\nToy.T = %a", "a.gin:2: the macro %b needs its own value"),
        ("net = @tiny()\nToy.network = %net", "a.gin:2: the macro net cannot hold the called @tiny()"),
        ("Toy.T = %gin.REQUIRED", "a.gin:2: Toy.T must be set by a later file or --gin_param"),
        ("import bms_tf.nowhere", "a.gin:2: cannot import 'bms_tf.nowhere': No module named 'bms_tf.nowhere'"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(folder, text, message):
    assert folder.error(text).startswith(message)


def test_what_a_module_of_ours_would_have_registered(folder, monkeypatch):
    """Whether these are imported in a process depends on the tests before."""
    names = ("kid", "interval", "mixture_rule", "linear_decay", "Quux")
    assert [config._module_of(name) for name in names] == [
        "bms_tf.metrics.kid",
        "bms_tf.tuning.space",
        "bms_tf.studies.rules",
        "bms_tf.core.optimizers",
        None,
    ]
    monkeypatch.setattr(config, "_module_of", lambda name: f"bms_tf.{name}")
    assert (
        folder.error("Quux.T = 3") == "a.gin:2: no configurable 'Quux'; it takes a line before it: import bms_tf.Quux"
    )


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
        ("keyed = @Score()", False),  # whose call gives another thing
        ("keyed = @Untold()", False),  # whose call may give anything
        ("anything = @Score()", True),
        ("anything = @Untold()", True),
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


@pytest.mark.parametrize("number", ["1e999", "-1e999", "(1, {'a': [1e999]})", "1" + "0" * 30, "0x" + "f" * 9000])
def test_a_number_that_is_not_finite_or_too_large_is_refused(folder, number):
    error = folder.error(f"Toy.free = {number}")
    assert error.startswith("a.gin:2: Toy.free is ") and error.endswith("; numbers must be finite and below 2^63")
    assert len(error) < 500


def test_a_value_of_many_parts_is_shown_in_part(folder):
    error = folder.error(f"Toy.T = ({'1, ' * 1000})")
    assert error.endswith("...; it must be int") and len(error) < 500


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
    with pytest.raises(errors.ConfigError, match="^a.gin:8: forth/tiny.rate has no effect: nothing uses the"):
        config.check_scopes(["player"])
    config.check_scopes(["player", "forth"])
    with pytest.raises(errors.ConfigError, match="a.gin:7: player/needs.size .*the scope 'player'; the scopes are "):
        config.check_scopes(["forth"])
    folder.load("b/c/tiny.width = 1\nToy.free = @b/tiny")
    with pytest.raises(errors.ConfigError, match="scope 'b/c'; did you mean 'b'"):
        config.check_scopes([])


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
