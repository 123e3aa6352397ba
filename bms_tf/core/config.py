"""gin's configuration: made from gin text that is strictly checked, written as text, and forgotten.

Stock gin runs whatever a file imports, lets a second binding of a parameter win in silence, and takes values of any
type. Here `gin_text` reads everything without running anything. Then names and values are looked up and checked. Only
then does gin get them. What is private in gin is used here alone.
"""

import contextlib
import functools
import importlib
import pathlib
import pprint
import re
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import gin

from bms_tf.core import annotations, errors, gin_text
from bms_tf.core.errors import ConfigError

MACRO = "gin.macro"  # gin keeps `name = value` as the parameter `value` of this configurable, in the scope `name`


class Binding(NamedTuple):
    """One `scope/selector.arg = value` of a gin file; `place` is its file and line."""

    scope: str
    selector: str
    arg: str
    value: Any
    place: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.scope, self.selector, self.arg

    @property
    def name(self) -> str:
        if self.selector == MACRO:
            return self.scope
        return f"{self.scope}/" * bool(self.scope) + f"{self.selector.split('.')[-1]}.{self.arg}"


_loaded: list[Binding] = []  # what gin holds, with its places


def load(files: Sequence[str], params: Sequence[str] = (), allow_import: Sequence[str] = ()) -> None:
    """Makes gin's configuration anew from `files` and then `params`; later bindings override earlier ones.

    A file is looked for in the working directory, then among the shipped recipes; an included file beside the including
    one, then among the recipes, then in the working directory. Imports are allowed from `bms_tf`, `pipelines` and
    `allow_import`, each with its submodules. When an error is raised, nothing is bound.

    Raises:
        ConfigError: with file and line, for everything that is wrong with a file or a parameter.
    """
    clear()
    imports, assignments = gin_text.read(files, params, allow_import)
    _import(imports)
    bindings = _bindings(assignments)
    macros = {b.scope: b.value for b in bindings if b.selector == MACRO}
    for binding in bindings:
        _check(binding, macros)
    _check_macros_are_used(bindings)
    delegate = gin.config.ParserDelegate()
    # A run must not depend on the order of the lines of a file. But arguments are made in the order in which they are
    # bound, and networks draw their first weights as they are made.
    for b in sorted(bindings, key=_position):
        value = gin_text.replace(
            b.value,
            lambda r: delegate.macro(r.name) if r.macro else delegate.configurable_reference(r.name, r.evaluate),
        )
        gin.bind_parameter(b.key, value)
    _loaded.extend(bindings)


def _position(binding: Binding) -> int:
    """Where the bound argument stands in its configurable's signature."""
    if binding.selector == MACRO:
        return 0
    names = list(annotations.parameters(gin.config._REGISTRY[binding.selector].wrapped))
    return names.index(binding.arg) if binding.arg in names else len(names)


def registered() -> dict[str, Callable]:
    """Every configurable, as it was written, by its full name."""
    return {name: configurable.wrapped for name, configurable in gin.config._REGISTRY.items()}


def clear() -> None:
    """Forgets every binding."""
    gin.clear_config()
    _loaded.clear()


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Inside, gin is empty at first. Afterwards it is as before, for a program that has settings of its own."""
    kept = [(ours, ours.copy()) for ours in (gin.config._CONFIG, gin.config._IMPORTS, gin.config._OPERATIVE_CONFIG)]
    loaded, locked = _loaded.copy(), gin.config_is_locked()
    clear()
    try:
        yield
    finally:
        clear()
        _loaded.extend(loaded)
        for ours, before in kept:
            ours.update(before)
        gin.config._set_config_is_locked(locked)


def forget(package: str) -> None:
    """Drops the bindings of everything that is defined in `package`, and the imports of its modules."""
    for scope, selector in list(gin.config._CONFIG):
        if selector != MACRO and f"{gin.config._REGISTRY[selector].wrapped.__module__}.".startswith(f"{package}."):
            del gin.config._CONFIG[scope, selector]
    ours = [s for s in gin.config._IMPORTS if f"{s.module}.".startswith(f"{package}.")]
    gin.config._IMPORTS.difference_update(ours)


def as_text() -> str:
    """Every binding, in an order that depends only on the bindings. It can be loaded again as a gin file."""
    with _dictionaries_as_written():
        return _plain_imports(gin.config_str(max_line_length=120))


def operative_text() -> str:
    """The parameters that were used so far, with their defaults."""
    return _plain_imports(gin.operative_config_str(max_line_length=120))


@contextlib.contextmanager
def used() -> Iterator[dict[str, Any]]:
    """Yields a dictionary. At the end it has the parameters that were used inside, with their defaults, by name."""
    operative, found = gin.config._OPERATIVE_CONFIG, {}
    before = operative.copy()
    operative.clear()
    try:
        yield found
        found |= gin_text.values(operative_text())
    finally:
        for key, parameters in before.items():
            operative[key] = parameters | operative.get(key, {})


@contextlib.contextmanager
def _dictionaries_as_written() -> Iterator[None]:
    """Inside, gin writes a dictionary in its own order, which may matter. Otherwise gin sorts the keys."""
    gin.config.pprint = types.SimpleNamespace(pformat=functools.partial(pprint.pformat, sort_dicts=False))
    try:
        yield
    finally:
        gin.config.pprint = pprint


def _plain_imports(text: str) -> str:
    """`text` without the aliases that gin invents for modules. They matter for dynamic registration only."""
    return re.sub(r"^(import \S+) as \S+$", r"\1", text, flags=re.MULTILINE)


def settings() -> dict[str, str]:
    """Every parameter that is bound, named as `train.batch_size`, and its value in gin's words, macros expanded."""
    return {name: repr(value) for name, value in sorted(gin_text.values(as_text()).items())}


def check_scopes(players: Collection[str]):
    """Raises ConfigError for a binding in a scope that neither a reference, a player nor what was built enters.

    It is called once the run is built. The optimizer of each player is made in the scope of the player's name.
    """
    read = {scope for scope, selector in gin.config._OPERATIVE_CONFIG if selector != MACRO}
    entered = {*players, *read, *(reference.name.rpartition("/")[0] for reference in _references(_loaded))} - {""}
    for b in _loaded:
        in_force = b.scope and b.selector != MACRO and b.key[:2] in gin.config._CONFIG
        if in_force and not any(f"{scope}/".startswith(f"{b.scope}/") for scope in entered):
            hint = errors.nearest(b.scope, entered) or f"; the scopes are {', '.join(sorted(entered))}"
            raise ConfigError(f"{b.place}: {b.name} has no effect: nothing uses the scope {b.scope!r}{hint}")


def unused() -> list[str]:
    """What is bound but was not read so far, as `scope/name` or `%macro`."""
    read = gin.config._OPERATIVE_CONFIG
    return sorted(
        f"%{scope}" if selector == MACRO else f"{scope}/" * bool(scope) + selector.split(".")[-1]
        for scope, selector in gin.config._CONFIG
        if not any(s == selector and f"{used}/".startswith(f"{scope}/" * bool(scope)) for used, s in read)
    )


def _references(bindings: Sequence[Binding]) -> list[gin_text.Reference]:
    """Every reference in the values of `bindings`."""
    found = []
    for binding in bindings:
        gin_text.replace(binding.value, lambda reference: found.append(reference) or reference)
    return found


def _import(statements: Sequence[gin_text.Statement]) -> None:
    """Imports what the files name."""
    for s in statements:
        try:
            gin.parse_config(s.format())  # imports the module, and keeps the line for `as_text`
        except ImportError as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{gin_text.place_of(s.location)}: cannot import {s.module!r}: {reason}") from error


def _bindings(statements: Sequence[gin_text.Statement]) -> list[Binding]:
    """The bindings that hold, each with the full name of its configurable."""
    bindings: dict[tuple[str, str, str], Binding] = {}
    for s in statements:
        place = gin_text.place_of(s.location)
        if s.arg_name:
            binding = Binding(s.scope, _configurable(s.selector, place).selector, s.arg_name, s.value, place)
        else:
            binding = Binding(f"{s.scope}/{s.selector}".strip("/"), MACRO, "value", s.value, place)
        earlier = bindings.get(binding.key)
        if (
            earlier
            and earlier.place != place  # a file that two recipes include is read twice
            and earlier.place.rpartition(":")[0] == s.location.filename
            and not place.startswith(gin_text.PARAM)
        ):
            raise ConfigError(f"{place}: {binding.name} is set a second time in this file, after {earlier.place}")
        bindings[binding.key] = binding
    return list(bindings.values())


def _configurable(selector: str, place: str) -> gin.config.Configurable:
    registry = gin.config._REGISTRY  # gin has no public way to list what is registered
    found = [name for name in registry.matching_selectors(selector) if not name.startswith("gin.")]
    if len(found) == 1:
        return registry[found[0]]
    if found:
        raise ConfigError(f"{place}: {selector!r} is ambiguous: {', '.join(sorted(found))}")
    name = selector.split(".")[-1]
    names = [known.split(".")[-1] for known, _ in registry.items() if not known.startswith("gin.")]
    if module := _module_of(name):
        hint = f"; it takes a line before it: import {module}"
    else:
        hint = errors.nearest(name, names) or " (is a recipe or an import missing before it?)"
    raise ConfigError(f"{place}: no configurable {selector!r}{hint}")


def _module_of(name: str) -> str | None:
    """The module of ours that defines a configurable, found in the text of the files: none is imported."""
    defined = re.compile(
        rf'^@gin\.configurable(?:\("{re.escape(name)}".*|(?:\(.*)?\n(?:@.*\n)*(?:def|class) {re.escape(name)}\b)',
        re.MULTILINE,
    )
    for package in gin_text.OUR_PACKAGES:
        for folder in importlib.import_module(package).__path__:
            for file in sorted(pathlib.Path(folder).rglob("*.py")):
                if defined.search(file.read_text(encoding="utf-8")):
                    return ".".join([package, *file.relative_to(folder).with_suffix("").parts])
    return None


def _check(binding: Binding, macros: dict[str, Any]) -> None:
    """Checks the parameter's name, what its value refers to, and the value's type."""
    place, name = binding.place, binding.name

    def look_up(reference: gin_text.Reference) -> Any:
        """What takes the reference's place in the check of types."""
        if not reference.macro:
            found = _configurable(reference.name.split("/")[-1], place)
            if reference.evaluate and binding.selector == MACRO:
                raise ConfigError(
                    f"{place}: the macro {name} cannot hold the called {reference}, whose parameters would be looked "
                    f"up in the scope {name!r}; write {reference} where it is used"
                )
            return annotations.Result(found.wrapped) if reference.evaluate else found.wrapped
        constants = gin.config._CONSTANTS.get_all_matches(reference.name)
        if reference.name in macros:
            raise ConfigError(f"{place}: the macro {reference} needs its own value")
        if not constants:
            raise ConfigError(f"{place}: the macro {reference} is not defined{errors.nearest(reference.name, macros)}")
        if constants[0] is gin.REQUIRED:
            raise ConfigError(f"{place}: {name} must be set by a later file or --gin_param")
        return constants[0]

    try:
        value = gin_text.expand(binding.value, macros)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error
    resolved = gin_text.replace(value, look_up)
    if not annotations.representable(resolved):
        raise ConfigError(f"{place}: {name} is {_text(value)}; numbers must be finite and below 2^63")
    if binding.selector == MACRO:
        return
    configurable = gin.config._REGISTRY[binding.selector]
    parameters = annotations.parameters(configurable.wrapped)
    hidden = configurable.denylist or ()
    allowed = [p for p in parameters if p not in hidden and p in (configurable.allowlist or parameters)]
    if binding.arg not in allowed and not any(p.startswith("**") for p in allowed):
        hint = errors.nearest(binding.arg, allowed) or f"; it has {', '.join(allowed) or 'none'}"
        raise ConfigError(f"{place}: {configurable.name} has no parameter {binding.arg!r}{hint}")
    annotation = parameters.get(binding.arg, Any)
    if not annotations.fits(resolved, annotation):
        raise ConfigError(f"{place}: {name} is {_text(value)}; it must be {annotations.spell(annotation)}")


def _text(value: Any) -> str:
    try:
        return errors.short(repr(value))
    except ValueError:  # Python prints no integer of more than some thousand digits
        return "a number of thousands of digits"


def _check_macros_are_used(bindings: Sequence[Binding]) -> None:
    """Raises ConfigError for a macro of a `--gin_param` that nothing uses. A misspelled one would have no effect."""
    used = {reference.name for reference in _references(bindings)}
    for b in bindings:
        if b.selector == MACRO and b.scope not in used and b.place.startswith(gin_text.PARAM):
            raise ConfigError(f"{b.place}: nothing refers to %{b.scope}{errors.nearest(b.scope, used)}")
