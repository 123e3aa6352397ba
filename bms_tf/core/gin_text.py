"""Gin text: finds gin files, and reads them and `--gin_param`s strictly without running anything.

An error is one line with file and line number. gin's own state is not touched here, see `config`.
"""

import importlib.resources
import importlib.util
import io
import re
import tokenize
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gin

if not hasattr(gin, "configurable"):  # the repository's folder gin/ is found where gin-config is missing
    raise ImportError("gin-config is not installed (the folder gin/ holds the recipes): pip install gin-config")

from gin import config_parser

from bms_tf.core import errors
from bms_tf.core.errors import ConfigError

# Of values within values, macros that refer to macros and files that include files: all are followed by recursion.
MAX_DEPTH = 20
# Macros that a value comes to, and files that one includes: twenty of them, each twice in another, stand for a million.
MAX_REFERENCES = 1000
TOLD = 5  # parameters of a difference that are told
OUR_PACKAGES = ("bms_tf", "pipelines")
PARAM = "--gin_param"

Statement = Any  # one of config_parser's statements


class Reference(NamedTuple):
    """`@name`, `@name()` or `%name` in a gin file, before gin looks it up. `name` includes the scopes."""

    name: str
    evaluate: bool = False
    macro: bool = False

    def __repr__(self) -> str:
        return f"%{self.name}" if self.macro else f"@{self.name}" + "()" * self.evaluate


def read(
    files: Sequence[str], params: Sequence[str], allow_import: Sequence[str]
) -> tuple[list[Statement], list[Statement]]:
    """The imports and the bindings of `files` and then of `params`, none of which is looked up yet.

    Raises ConfigError for what cannot be read or found, an import that is not allowed, and a value nested too deeply.
    """
    statements = [s for file in files for s in _read(_find(file, [Path()]))]
    statements += [s for text in params for s in _parse(text, f"{PARAM} {errors.short(repr(text))}")]
    for s in statements:
        if isinstance(s, config_parser.IncludeStatement):  # those of files are read
            raise ConfigError(f"{place_of(s.location)}: no file is included here; give it as another --gin_file")
    imports = [s for s in statements if isinstance(s, config_parser.ImportStatement)]
    _check_imports(imports, (*OUR_PACKAGES, *allow_import))
    bindings = [s for s in statements if isinstance(s, config_parser.BindingStatement)]
    for s in bindings:
        if _is_deep(s.value):
            raise ConfigError(f"{place_of(s.location)}: the value is nested more than {MAX_DEPTH} deep")
    return imports, bindings


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


def values(text: str, source: str = "config") -> dict[str, Any]:
    """Every parameter of a config text by name, as in `train.steps`, with macros expanded.

    Raises ConfigError, with the line of `source`, for what is no gin text.
    """
    bindings = [s for s in _parse(text, source) if isinstance(s, config_parser.BindingStatement)]
    macros = {f"{b.scope}/{b.selector}".strip("/"): b.value for b in bindings if not b.arg_name}
    return {f"{b.scope}/{b.selector}.{b.arg_name}".strip("/"): expand(b.value, macros) for b in bindings if b.arg_name}


def difference(old_text: str, new_text: str, ignore: Collection[str] = (), source: str = "config") -> str:
    """How the parameters, named as `train.steps`, differ, in one line; "" where none does.

    Macros count by what they stand for. Of many parameters the first `TOLD` are told, as other settings than another
    recipe's are mostly all of them. `source`: see `values`, of the old text.
    """
    old, new = values(old_text, source), values(new_text)
    changes = [
        f"{name}: was {old.get(name, 'not set')}, is now {new.get(name, 'not set')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and name not in ignore
    ]
    more = [f"and {len(changes) - TOLD} more"] if len(changes) > TOLD else []
    return "; ".join(changes[:TOLD] + more)


def replace(value: Any, change: Callable[[Reference], Any]) -> Any:
    """`value` with every reference in it, however deep, put through `change`."""
    if isinstance(value, Reference):
        return change(value)
    if isinstance(value, dict):
        return {replace(k, change): replace(v, change) for k, v in value.items()}
    return type(value)(replace(v, change) for v in value) if isinstance(value, (list, tuple)) else value


def references(value: Any) -> set[str]:
    """The names of all references in a value, however deep."""
    found = set()
    replace(value, lambda reference: found.add(reference.name))
    return found


def expand(value: Any, macros: dict[str, Any]) -> Any:
    """`value` with every macro replaced by what it stands for. A macro that needs its own value is left in its place.

    Raises ValueError for macros that stand for too much.
    """
    left = iter(range(MAX_REFERENCES))

    def expanded(value: Any, within: tuple[str, ...]) -> Any:
        def change(reference: Reference) -> Any:
            if not reference.macro or reference.name not in macros or reference.name in within:
                return reference
            if len(within) == MAX_DEPTH or next(left, None) is None:
                raise ValueError(f"the macro {reference} stands for too many other macros")
            return expanded(macros[reference.name], (*within, reference.name))

        return replace(value, change)

    return expanded(value, ())


def place_of(location: config_parser.Location) -> str:
    """File and line, as editors and terminals understand them; a `--gin_param` stands for itself."""
    is_file = location.line_num and not location.filename.startswith(PARAM)
    return f"{location.filename}:{location.line_num}" if is_file else location.filename


def _recipes() -> Path:
    """The shipped recipes: inside an installed package, or gin/ beside the package in a clone."""
    package = Path(str(importlib.resources.files("bms_tf")))
    return package / "recipes" if (package / "recipes").is_dir() else package.parent / "gin"


def _find(name: str, folders: Sequence[Path], place: str | None = None) -> Path:
    """The file `name` in the first of `folders`, among the recipes (with or without `gin/`), or in the others."""
    recipes = [_recipes() / name, _recipes() / name.removeprefix("gin/")]
    tried = [folders[0] / name, *recipes, *(folder / name for folder in folders[1:])]
    for path in tried:
        if path.is_file():
            return path
    known = [file for files in shipped().values() for file in files]
    hint = errors.nearest(f"gin/{name.removeprefix('gin/')}", known, likeness=0.85)  # all begin and end alike
    looked = ", ".join(dict.fromkeys(map(str, tried)))
    raise ConfigError(f"{place}: " * bool(place) + f"no gin file {name!r}; looked for {looked}{hint}")


def _read(path: Path, including: tuple[Path, ...] = (), left: Iterator[int] | None = None) -> Iterator[Statement]:
    """The statements of a file, with those of included files in their places. `left` has an item for each more."""
    left = left or iter(range(MAX_REFERENCES))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    for statement in _parse(text, str(path)):
        if not isinstance(statement, config_parser.IncludeStatement):
            yield statement
            continue
        place = place_of(statement.location)
        file = _find(statement.filename, [path.parent, Path()], place)
        if file.resolve() in (path.resolve(), *including):
            raise ConfigError(f"{place}: {statement.filename!r} includes itself")
        if len(including) == MAX_DEPTH or next(left, None) is None:
            raise ConfigError(f"{place}: the chain of included files is too long")
        yield from _read(file, (*including, path.resolve()), left)


class _Unresolved(config_parser.ParserDelegate):
    """Keeps references as names, so that the parser looks nothing up."""

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
        place = place_of(config_parser.Location(source, line or 0, None, ""))
        raise ConfigError(f"{place}: {errors.short(' '.join(message.split()))}") from error


def _check_imports(statements: Sequence[config_parser.ImportStatement], allowed: Sequence[str]) -> None:
    """Raises ConfigError for the first import that is not allowed."""
    for s in statements:
        place = place_of(s.location)
        if s.module.split(".")[0] == "__gin__":
            raise ConfigError(f"{place}: dynamic registration is refused, as it can call any function")
        if not any(f"{s.module}.".startswith(f"{package}.") for package in allowed):
            raise ConfigError(
                f"{place}: import of {s.module!r} is refused; allowed are {', '.join(allowed)} and what --allow_import "
                "names"
            )
        if _is_command(s.module):
            raise ConfigError(
                f"{place}: import of {s.module!r} is refused: it is a command, and defines nothing for a gin file"
            )


def _is_command(module: str) -> bool:
    """Whether the module is one of our entry points, whose flags would be defined a second time."""
    if module.split(".")[0] not in OUR_PACKAGES:
        return False
    try:
        found = importlib.util.find_spec(module)  # imports the packages above it, which define nothing
    except ImportError:
        return False  # the import itself says what is missing
    source = found.origin if found else None
    return bool(source) and '__name__ == "__main__"' in Path(source).read_text(encoding="utf-8")


def _is_deep(value: Any) -> bool:
    """Whether values lie more than `MAX_DEPTH` deep in `value`; asked before anything recurs into it."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inside = [[*v, *v.values()] if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list, tuple))]
        level = [v for values in inside if not isinstance(values, Reference) for v in values]
    return bool(level)
