"""The gin edge: reads gin files safely and strictly, and says what is wrong in one line with file and line number.

Stock gin runs whatever a file imports, lets a second binding of a parameter win in silence and takes values of any
type. Here every file is first read without running anything; only then is it handed to gin. What is private in gin is
used here alone.
"""

import contextlib
import difflib
import functools
import importlib.resources
import importlib.util
import io
import pprint
import re
import tokenize
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin

if not hasattr(gin, "configurable"):  # the repository's folder gin/ is found where gin-config is missing
    raise ImportError("gin-config is not installed (the folder gin/ holds the recipes): pip install gin-config")

from gin import config as gin_config
from gin import config_parser

from bms_tf.core import annotations, errors

MAX_DEPTH = 20  # of values within values, and of macros that refer to macros; gin and Python resolve them by recursion
MAX_REFERENCES = 1000  # that a value comes to once its macros are replaced: twenty of them can stand for any number
MACRO = "gin.macro"  # gin keeps `name = value` as the parameter `value` of this configurable, in the scope `name`
OUR_PACKAGES = ("bms_tf", "pipelines")
PARAM = "--gin_param"

Statement = Any  # one of config_parser's statements


class ConfigError(ValueError):
    """A gin file or `--gin_param` that cannot be used. The message is one line."""


class Reference(NamedTuple):
    """`@name`, `@name()` or `%name` in a gin file, before gin looks it up. `name` includes the scopes."""

    name: str
    evaluate: bool = False
    macro: bool = False

    def __repr__(self) -> str:
        return f"%{self.name}" if self.macro else f"@{self.name}" + "()" * self.evaluate


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
    statements = [s for file in files for s in _read(_find(file, [Path()]))]
    statements += [s for text in params for s in _parse(text, f"{PARAM} {errors.short(repr(text))}")]
    for s in statements:
        if isinstance(s, config_parser.IncludeStatement):  # those of files are read
            raise ConfigError(f"{_place(s.location)}: no file is included here; give it as another --gin_file")
    _import([s for s in statements if isinstance(s, config_parser.ImportStatement)], (*OUR_PACKAGES, *allow_import))
    bindings = _bindings([s for s in statements if isinstance(s, config_parser.BindingStatement)])
    macros = {b.scope: b.value for b in bindings if b.selector == MACRO}
    for binding in bindings:
        _check(binding, macros)
    _check_macros_are_used(bindings)
    delegate = gin_config.ParserDelegate()
    # Arguments are made in the order in which they are bound, and networks draw their first weights as they are made: a
    # run must not depend on the order of the lines of a file.
    for b in sorted(bindings, key=_position):
        value = _replace(
            b.value,
            lambda r: delegate.macro(r.name) if r.macro else delegate.configurable_reference(r.name, r.evaluate),
        )
        gin.bind_parameter(b.key, value)
    _loaded.extend(bindings)


def _position(binding: Binding) -> int:
    """Where the bound argument stands in its configurable's signature."""
    if binding.selector == MACRO:
        return 0
    names = list(annotations.parameters(gin_config._REGISTRY[binding.selector].wrapped))
    return names.index(binding.arg) if binding.arg in names else len(names)


def registered() -> dict[str, Callable]:
    """Every configurable, as it was written, by its full name."""
    return {name: configurable.wrapped for name, configurable in gin_config._REGISTRY.items()}


def clear() -> None:
    """Forgets every binding."""
    gin.clear_config()
    _loaded.clear()


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Inside, gin is empty at first; afterwards it is as it was, for a program that has settings of its own."""
    kept = [(ours, ours.copy()) for ours in (gin_config._CONFIG, gin_config._IMPORTS, gin_config._OPERATIVE_CONFIG)]
    loaded, locked = _loaded.copy(), gin.config_is_locked()
    clear()
    try:
        yield
    finally:
        clear()
        _loaded.extend(loaded)
        for ours, before in kept:
            ours.update(before)
        gin_config._set_config_is_locked(locked)


def forget(package: str) -> None:
    """Drops the bindings of everything that is defined in `package`, and the imports of its modules."""
    for scope, selector in list(gin_config._CONFIG):
        if selector != MACRO and f"{gin_config._REGISTRY[selector].wrapped.__module__}.".startswith(f"{package}."):
            del gin_config._CONFIG[scope, selector]
    ours = [s for s in gin_config._IMPORTS if f"{s.module}.".startswith(f"{package}.")]
    gin_config._IMPORTS.difference_update(ours)


def as_text() -> str:
    """Every binding, in an order that depends only on the bindings. It can be loaded again as a gin file."""
    with _dictionaries_as_written():
        return _plain_imports(gin.config_str(max_line_length=120))


def operative_text() -> str:
    """The parameters that were used so far, with their defaults."""
    return _plain_imports(gin.operative_config_str(max_line_length=120))


@contextlib.contextmanager
def used() -> Iterator[dict[str, Any]]:
    """At its end the dictionary has the parameters that were used inside, with their defaults, named as in `values`."""
    operative, found = gin_config._OPERATIVE_CONFIG, {}
    before = operative.copy()
    operative.clear()
    try:
        yield found
        found |= values(operative_text())
    finally:
        for key, parameters in before.items():
            operative[key] = parameters | operative.get(key, {})


@contextlib.contextmanager
def _dictionaries_as_written() -> Iterator[None]:
    """Within the context, gin writes a dictionary in its own order, which may matter, and not in that of its keys."""
    gin_config.pprint = types.SimpleNamespace(pformat=functools.partial(pprint.pformat, sort_dicts=False))
    try:
        yield
    finally:
        gin_config.pprint = pprint


def _plain_imports(text: str) -> str:
    """Without the aliases that gin invents for modules of one package; they matter for dynamic registration only."""
    return re.sub(r"^(import \S+) as \S+$", r"\1", text, flags=re.MULTILINE)


def difference(old_text: str, new_text: str, ignore: Collection[str] = ()) -> list[str]:
    """One line for each parameter, named as `train.steps`, whose value differs. Macros count by what they stand for."""
    old, new = values(old_text), values(new_text)
    return [
        f"{name}: was {old.get(name, 'not set')}, is now {new.get(name, 'not set')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and name not in ignore
    ]


def settings() -> dict[str, str]:
    """Every parameter that is bound, named as `train.batch_size`, and its value in gin's words, macros expanded."""
    return {name: repr(value) for name, value in sorted(values(as_text()).items())}


def check_scopes(players: Collection[str]):
    """To be asked once the run is built, whose players' optimizers are made in the scopes of their names.

    Raises ConfigError for a binding in a scope that nothing enters: neither a reference, a player, nor what was built.
    """
    read = {scope for scope, selector in gin_config._OPERATIVE_CONFIG if selector != MACRO}
    entered = {*players, *read, *(reference.name.rpartition("/")[0] for reference in _references(_loaded))} - {""}
    for b in _loaded:
        in_force = b.scope and b.selector != MACRO and b.key[:2] in gin_config._CONFIG
        if in_force and not any(f"{scope}/".startswith(f"{b.scope}/") for scope in entered):
            hint = nearest(b.scope, entered) or f"; the scopes are {', '.join(sorted(entered))}"
            raise ConfigError(f"{b.place}: {b.name} has no effect: nothing uses the scope {b.scope!r}{hint}")


def unused() -> list[str]:
    """What is bound but was not read so far, as `scope/name` or `%macro`: an unused scope, or a part not built."""
    read = gin_config._OPERATIVE_CONFIG
    return sorted(
        f"%{scope}" if selector == MACRO else f"{scope}/" * bool(scope) + selector.split(".")[-1]
        for scope, selector in gin_config._CONFIG
        if not any(s == selector and f"{used}/".startswith(f"{scope}/" * bool(scope)) for used, s in read)
    )


def shipped() -> dict[str, dict[str, str]]:
    """The shipped gin files by folder: their names, as `--gin_file` takes them, with the first line's sentences."""
    files = {}
    for path in sorted(_recipes().rglob("*.gin"), key=lambda path: (path.parent, path.name)):
        name = Path("gin") / path.relative_to(_recipes())
        line, below, *_ = path.read_text(encoding="utf-8").splitlines()
        if re.match(r"# \S", below) and not line.endswith("."):  # its last sentence goes on
            ended = re.match(r"(.*\.) [A-Z]", line) or re.match(r"(.*?\.)( |$)", f"{line} {below[2:]}")
            line = ended[1] if ended else line
        files.setdefault(name.parent.as_posix(), {})[name.as_posix()] = line[2:]
    return files


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Inside, an error that is the user's becomes a `ConfigError`, see `errors.of_the_user`."""
    try:
        yield
    except Exception as error:
        if line := errors.of_the_user(error):
            raise ConfigError(line) from error
        raise


# Reading, without running anything ------------------------------------------------------------------------------------


def _recipes() -> Path:
    """The shipped recipes: inside an installed package, or gin/ beside the package in a clone."""
    package = Path(str(importlib.resources.files("bms_tf")))
    return package / "recipes" if (package / "recipes").is_dir() else package.parent / "gin"


def _find(name: str, folders: Sequence[Path], place: str | None = None) -> Path:
    """The file `name` in the first of `folders`, among the recipes (there with or without `gin/`), or in the rest."""
    recipes = [_recipes() / name, _recipes() / name.removeprefix("gin/")]
    tried = [folders[0] / name, *recipes, *(folder / name for folder in folders[1:])]
    for path in tried:
        if path.is_file():
            return path
    known = [file for files in shipped().values() for file in files]
    hint = nearest(f"gin/{name.removeprefix('gin/')}", known, likeness=0.85)  # all begin and end alike
    looked = ", ".join(dict.fromkeys(map(str, tried)))
    raise ConfigError(f"{place}: " * bool(place) + f"no gin file {name!r}; looked for {looked}{hint}")


def _read(path: Path, including: tuple[Path, ...] = ()) -> Iterator[Statement]:
    """The statements of a file, with those of the files that it includes in their place."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    for statement in _parse(text, str(path)):
        if not isinstance(statement, config_parser.IncludeStatement):
            yield statement
            continue
        place = _place(statement.location)
        file = _find(statement.filename, [path.parent, Path()], place)
        if file.resolve() in (path.resolve(), *including):
            raise ConfigError(f"{place}: {statement.filename!r} includes itself")
        yield from _read(file, (*including, path.resolve()))


class _Unresolved(config_parser.ParserDelegate):
    """Keeps references as names, so that parsing looks nothing up."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Reference:
        return Reference(scoped_configurable_name, evaluate)

    def macro(self, macro_name: str) -> Reference:
        return Reference(macro_name, macro=True)


def _parse(text: str, source: str) -> list[Statement]:
    stream = io.StringIO(text)
    stream.name = source  # where the parser takes the file name of a location from
    try:
        return list(config_parser.ConfigParser(stream, _Unresolved()))
    except Exception as error:  # nothing ran: whatever went wrong, it is the text
        line = error.args[1][0] if isinstance(error, tokenize.TokenError) else getattr(error, "lineno", None)
        message = "nested too deeply" if isinstance(error, (RecursionError, MemoryError)) else str(error.args[0])
        bare_word = re.search(r"malformed node.*Failed to parse token '(.*)'", message, re.DOTALL)
        if bare_word:
            message = f"cannot read the value {errors.short(bare_word[1])} (a string needs quotes)"
        place = _place(config_parser.Location(source, line, None, ""))
        raise ConfigError(f"{place}: {errors.short(' '.join(message.split()))}") from error


def _place(location: config_parser.Location) -> str:
    """File and line, as editors and terminals understand them; a `--gin_param` stands for itself."""
    is_file = location.line_num and not location.filename.startswith(PARAM)
    return f"{location.filename}:{location.line_num}" if is_file else location.filename


def _text(value: Any) -> str:
    try:
        return errors.short(repr(value))
    except ValueError:  # Python prints no integer of more than some thousand digits
        return "a number of thousands of digits"


def _is_deep(value: Any) -> bool:
    """Whether values lie more than `MAX_DEPTH` deep in `value`; asked before anything recurs into it."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inside = [[*v, *v.values()] if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list, tuple))]
        level = [v for values in inside if not isinstance(values, Reference) for v in values]
    return bool(level)


def _references(bindings: Sequence[Binding]) -> list[Reference]:
    """Every reference in the values of `bindings`."""
    found = []
    for binding in bindings:
        _replace(binding.value, lambda reference: found.append(reference) or reference)
    return found


def _replace(value: Any, change: Callable[[Reference], Any]) -> Any:
    """`value` with every reference in it, however deep, put through `change`."""
    if isinstance(value, Reference):
        return change(value)
    if isinstance(value, dict):
        return {_replace(k, change): _replace(v, change) for k, v in value.items()}
    return type(value)(_replace(v, change) for v in value) if isinstance(value, (list, tuple)) else value


def _expand(value: Any, macros: dict[str, Any]) -> Any:
    """`value` with every macro replaced by what it stands for; one that needs its own value is left where it does.

    Raises ValueError for macros that stand for too much.
    """
    left = iter(range(MAX_REFERENCES))

    def expanded(value: Any, within: tuple[str, ...]) -> Any:
        def change(reference: Reference) -> Any:
            if not reference.macro or reference.name not in macros or reference.name in within:
                return reference
            if len(within) == MAX_DEPTH or next(left, None) is None:
                raise ValueError(f"the macro {reference} stands for macros that stand for too many others")
            return expanded(macros[reference.name], (*within, reference.name))

        return _replace(value, change)

    return expanded(value, ())


def values(text: str) -> dict[str, Any]:
    """Every parameter of a config text by name, as in `train.steps`, with macros expanded."""
    bindings = [s for s in _parse(text, "config") if isinstance(s, config_parser.BindingStatement)]
    macros = {f"{b.scope}/{b.selector}".strip("/"): b.value for b in bindings if not b.arg_name}
    return {f"{b.scope}/{b.selector}.{b.arg_name}".strip("/"): _expand(b.value, macros) for b in bindings if b.arg_name}


# Checking -------------------------------------------------------------------------------------------------------------


def _import(statements: Sequence[config_parser.ImportStatement], allowed: Sequence[str]) -> None:
    """Imports what the files name, once all of it is seen to be allowed."""
    for s in statements:
        if s.module.split(".")[0] == "__gin__":
            raise ConfigError(f"{_place(s.location)}: dynamic registration is refused, as it can call any function")
        if not any(f"{s.module}.".startswith(f"{package}.") for package in allowed):
            raise ConfigError(
                f"{_place(s.location)}: import of {s.module!r} is refused; allowed are {', '.join(allowed)} and what "
                "--allow_import names"
            )
        if _is_command(s.module):
            raise ConfigError(
                f"{_place(s.location)}: import of {s.module!r} is refused: it is a command, and defines nothing for a "
                "gin file"
            )
    for s in statements:
        try:
            gin.parse_config(s.format())  # imports the module, and keeps the line for `as_text`
        except ImportError as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{_place(s.location)}: cannot import {s.module!r}: {reason}") from error


def _is_command(module: str) -> bool:
    """Whether the module is one of our entry points, whose flags would be defined a second time."""
    if module.split(".")[0] not in OUR_PACKAGES:
        return False
    try:
        found = importlib.util.find_spec(module)  # imports the packages above it, which define nothing
    except ImportError:
        return False  # the import itself says what is missing
    source = found and found.origin
    return source is not None and '__name__ == "__main__"' in Path(source).read_text(encoding="utf-8")


def _bindings(statements: Sequence[config_parser.BindingStatement]) -> list[Binding]:
    """The bindings that hold, each with the full name of its configurable."""
    bindings: dict[tuple[str, str, str], Binding] = {}
    for s in statements:
        place = _place(s.location)
        if _is_deep(s.value):
            raise ConfigError(f"{place}: the value is nested more than {MAX_DEPTH} deep")
        if s.arg_name:
            binding = Binding(s.scope, _configurable(s.selector, place).selector, s.arg_name, s.value, place)
        else:
            binding = Binding(f"{s.scope}/{s.selector}".strip("/"), MACRO, "value", s.value, place)
        earlier = bindings.get(binding.key)
        # The same line is read twice where two recipes include this file.
        if earlier and earlier.place != place and not place.startswith(PARAM):
            if earlier.place.rpartition(":")[0] == s.location.filename:
                raise ConfigError(f"{place}: {binding.name} is set a second time in this file, after {earlier.place}")
        bindings[binding.key] = binding
    return list(bindings.values())


def _configurable(selector: str, place: str) -> gin_config.Configurable:
    registry = gin_config._REGISTRY  # gin has no public way to list what is registered
    found = [name for name in registry.matching_selectors(selector) if not name.startswith("gin.")]
    if len(found) == 1:
        return registry[found[0]]
    if found:
        raise ConfigError(f"{place}: {selector!r} is ambiguous: {', '.join(sorted(found))}")
    names = [known.split(".")[-1] for known, _ in registry.items() if not known.startswith("gin.")]
    hint = nearest(selector.split(".")[-1], names) or " (is its module imported?)"
    raise ConfigError(f"{place}: no configurable {selector!r}{hint}")


def nearest(name: str, names: Collection[str], *, likeness: float = 0.5) -> str:
    """The end of an error's line: the one of `names` that `name` may have meant, if there is one."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=likeness)
    return f"; did you mean {near[0]!r}?" if near else ""


def _check(binding: Binding, macros: dict[str, Any]) -> None:
    """Checks the parameter's name, what its value refers to, and the value's type."""
    place, name = binding.place, binding.name

    def look_up(reference: Reference) -> Any:
        """What stands in the reference's place for the check of types."""
        if not reference.macro:
            found = _configurable(reference.name.split("/")[-1], place)
            if reference.evaluate and binding.selector == MACRO:
                raise ConfigError(
                    f"{place}: the macro {name} cannot hold the called {reference}, whose parameters would be looked "
                    f"up in the scope {name!r}; write {reference} where it is used"
                )
            return annotations.Result(found.wrapped) if reference.evaluate else found.wrapped
        constants = gin_config._CONSTANTS.get_all_matches(reference.name)
        if reference.name in macros:
            raise ConfigError(f"{place}: the macro {reference} needs its own value")
        if not constants:
            raise ConfigError(f"{place}: the macro {reference} is not defined{nearest(reference.name, macros)}")
        if constants[0] is gin.REQUIRED:
            raise ConfigError(f"{place}: {name} must be set by a later file or --gin_param")
        return constants[0]

    try:
        value = _expand(binding.value, macros)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error
    resolved = _replace(value, look_up)
    if not annotations.representable(resolved):
        raise ConfigError(f"{place}: {name} is {_text(value)}; numbers must be finite and below 2^63")
    if binding.selector == MACRO:
        return
    configurable = gin_config._REGISTRY[binding.selector]
    parameters = annotations.parameters(configurable.wrapped)
    hidden = configurable.denylist or ()
    allowed = [p for p in parameters if p not in hidden and p in (configurable.allowlist or parameters)]
    if binding.arg not in allowed and not any(p.startswith("**") for p in allowed):
        hint = nearest(binding.arg, allowed) or f"; it has {', '.join(allowed) or 'none'}"
        raise ConfigError(f"{place}: {configurable.name} has no parameter {binding.arg!r}{hint}")
    annotation = parameters.get(binding.arg, Any)
    if not annotations.fits(resolved, annotation):
        raise ConfigError(f"{place}: {name} is {_text(value)}; it must be {annotations.spell(annotation)}")


def _check_macros_are_used(bindings: Sequence[Binding]) -> None:
    """A misspelled macro in a file shows as an undefined one; in a `--gin_param` it would have no effect at all."""
    used = {reference.name for reference in _references(bindings)}
    for b in bindings:
        if b.selector == MACRO and b.scope not in used and b.place.startswith(PARAM):
            raise ConfigError(f"{b.place}: nothing refers to %{b.scope}{nearest(b.scope, used)}")
