"""Gin files are found and read, or refused with one clear line; nothing that they name runs before they are scanned."""

import sys
from pathlib import Path

import pytest

from bms_tf.core import config, errors, gin_text


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
    with pytest.raises(errors.ConfigError, match="c.gin:1: import of 'packer' is refused"):
        config.load(["c.gin"], allow_import=["pack"])
    assert not Path("marker").exists()


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Toy.T = (1,", "a.gin:"),
        ("Toy.T = = 3", "a.gin:2: "),
        ("Toy.mode = min", "a.gin:2: cannot read the value min (a string needs quotes)"),
        ("include 'nowhere.gin'", "a.gin:2: no gin file 'nowhere.gin'; looked for nowhere.gin, "),
        ("include 'a.gin'", "a.gin:2: 'a.gin' includes itself"),
    ],
)
def test_text_that_cannot_be_read_is_one_line_with_its_place(folder, text, message):
    assert folder.error(text).startswith(message)


def test_where_files_are_looked_for(folder, monkeypatch):
    looked = "looked for ring.gim, .*ring.gim; did you mean 'gin/ring.gin'"
    with pytest.raises(errors.ConfigError, match=rf"^no gin file 'ring.gim'; {looked}\?$"):
        config.load(["ring.gim"])
    with pytest.raises(errors.ConfigError, match=r"looked for mine.gin, .*mine.gin$"):
        config.load(["mine.gin"])
    monkeypatch.setattr(gin_text, "_recipes", lambda: Path("recipes"))
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
    assert folder.error(chain(2000)).endswith("stands for too many other macros")


def test_macros_that_multiply_are_refused_at_once(folder):
    """Twenty levels of ten references each would be 10^20 values."""
    levels = [f"m{i + 1} = ({f'%m{i}, ' * 10})" for i in range(20)]
    text = "\n".join(["m0 = 7", *levels, "Toy.free = %m20"])
    assert folder.error(text).endswith("stands for too many other macros")


@pytest.mark.parametrize(("times", "deep"), [(1, 2000), (2, 20)])
def test_files_that_include_too_many_others(folder, times, deep):
    """A chain of them ended in a traceback; twenty, each twice in another, are read a million times."""
    for i in range(deep):
        folder.write(f"c{i}.gin", f"include 'c{i + 1}.gin'\n" * times)
    folder.write(f"c{deep}.gin", "")
    assert folder.error("include 'c0.gin'").endswith(".gin:1: the chain of included files is too long")
    folder.load(f"include 'c{deep - 5}.gin'")


def test_difference_names_what_changed_and_sees_through_macros(folder):
    folder.load("Toy.T = %size\nsize = 3\nToy.rate = 1.0\nToy.mode = 'min'\ntiny.width = %size")
    old = config.as_text()
    folder.load("Toy.T = 4\nToy.mode = 'min'\ntiny.width = 3\na/tiny.width = 5")
    assert gin_text.difference(old, config.as_text()) == (
        "Toy.T: was 3, is now 4; Toy.rate: was 1.0, is now not set; a/tiny.width: was not set, is now 5"
    )
    assert gin_text.difference(old, config.as_text(), ignore=("Toy.T", "Toy.rate", "a/tiny.width")) == ""
    assert gin_text.difference(old, old) == ""


def test_a_difference_of_many_parameters_tells_some_and_counts_the_others():
    texts = ["\n".join(f"Toy.p{i} = {value}" for i in range(7)) for value in "12"]
    told = "; ".join(f"Toy.p{i}: was 1, is now 2" for i in range(5))
    assert gin_text.difference(*texts) == f"{told}; and 2 more"


def test_what_is_shipped_is_listed_in_whole_sentences():
    listed = {name: line for files in gin_text.shipped().values() for name, line in files.items()}
    assert listed["gin/networks/dcgan.gin"] == "DCGAN for images of 28, 32, 64 or 128 pixels."
    assert listed["gin/ring.gin"] == "BMS-VAE-GAN on the 2-D ring."
    for name, line in listed.items():
        assert line.endswith((".", f"--gin_file={name}")), name
