"""The docstrings of what is public have Google's form, with every argument by its name."""

import importlib
import inspect
import re

import griffe
import pytest

from bms_tf.evaluation import registry

PACKAGES = ("", ".client", ".metrics", ".modifiers", ".networks", ".objectives", ".pictures", ".pipelines", ".systems")


def names(module) -> list[str]:
    """Its `__all__`, or what it defines itself."""
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__)
    return getattr(module, "__all__", [name for name in own if not name.startswith("_")])


def signatures():
    """(name, function, what documents it): functions, constructors, documented methods that override none of ours."""
    for module in (importlib.import_module(f"bms_tf{package}") for package in PACKAGES):
        for name in names(module):
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield name, found, [found]
            elif inspect.isclass(found):
                yield name, found.__init__, [found, found.__init__]
                ours = [base for base in found.__mro__[1:] if base.__module__.startswith("bms_tf.")]
                for method, function in vars(found).items():
                    new = not any(method in vars(base) for base in ours)
                    if inspect.isfunction(function) and function.__doc__ and new and not method.startswith("_"):
                        yield f"{name}.{method}", function, [function]


def described(documented) -> list[str]:
    """The arguments that a docstring has a line for."""
    sections = griffe.Docstring(inspect.getdoc(documented) or "").parse("google", warnings=False)
    found = [section.value for section in sections if section.kind is griffe.DocstringSectionKind.parameters]
    return [parameter.name.lstrip("*") for parameters in found for parameter in parameters]


CASES = [
    pytest.param(arguments, documented, id=name)
    for name, function, documented in signatures()
    if getattr(function, "__module__", "").startswith(("bms_tf.", "pipelines."))  # not what Python itself defines
    and len(arguments := [p for p in inspect.signature(function).parameters if p != "self"]) > 1
]


@pytest.mark.parametrize(("arguments", "documented"), CASES)
def test_each_argument_has_a_line_in_the_order_of_the_signature(arguments, documented):
    assert [name for each in documented for name in described(each)] == arguments


def test_many_are_looked_at():
    assert len(CASES) > 130


@pytest.mark.parametrize("name", registry.listed())
def test_a_metric_says_what_it_sees_and_what_it_does_not_see(name):
    text = " ".join(inspect.getdoc(registry.find(name)).split())
    assert re.search(r"\. It sees [^.]+\. It does not see [^.]+\. Args: ", text)
    assert inspect.getdoc(registry.find(name)).splitlines()[1] == ""  # `--list` has the first line, which is whole
