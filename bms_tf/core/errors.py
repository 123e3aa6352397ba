"""Which errors are the user's, and the one line that says so. They come from a gin file or inside a configurable.

gin adds a line to the message for each configurable that an error passes through.
"""

import contextlib
import difflib
import re
from collections.abc import Collection, Iterator

_CALLERS = re.compile(r"\n  In call to configurable '([^']+)' .*?(?: in scope '(.+)')?$", re.MULTILINE)
# What TensorFlow says of an operation that reads or decodes an example, and of a record file without its name.
_UNREAD = re.compile(
    r"^(?:\{\{.*?\}\} )?(?:(.*)\n\t \[\[.*?\{\{node \S*(?:ReadFile|Decode)|"
    r"((?:corrupted|truncated) record at \d+|Input dataset was expected to contain \d+ elements but .* only \d+))",
    re.MULTILINE,
)


class ConfigError(ValueError):
    """A gin file or `--gin_param` that cannot be used. The message is one line."""


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Inside, an error that is the user's becomes a `ConfigError`, see `of_the_user`."""
    try:
        yield
    except Exception as error:
        if line := of_the_user(error):
            raise ConfigError(line) from error
        raise


def of_the_user(error: Exception) -> str | None:
    """The line for a user, or None for a fault of the program.

    An error is the user's in these cases: a configurable raises a `ValueError` or `OSError`; a parameter is left unset;
    a function is called in a way for which it is not made; a configurable is built of itself; the memory is too small;
    a file that is read again and again is gone or changed.
    """
    if _is_recursion(error):  # before its message is asked for, which recurs through all of gin's lines
        return "a configurable refers to itself without end"
    message, *callers = _CALLERS.split(str(error))
    scope = f"{callers[1]}/" if callers and callers[1] else ""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        wanted = re.search(r"OOM when allocating .*?(?= by allocator|$)", message, flags=re.MULTILINE)
        return f"out of memory: {short(wanted[0] if wanted else message)}"
    if unread := _UNREAD.search(message):
        return f"the data cannot be read any more: {unread[1] or unread[2]}"
    if isinstance(error, (RuntimeError, TypeError)):
        return _unset(message) or (_wrongly_called(message, scope, callers[0]) if callers else None)
    if callers and isinstance(error, (ValueError, OSError)):
        return f"{scope}{callers[0]}: {message}"
    return None


def missing(package: str | None, extra: str) -> str:
    """Says how to install the package of an extra, as the documentation does."""
    return f'{package} is missing: in the clone, pip install -c constraints.txt -e ".[{extra}]"'


def short(text: str) -> str:
    """`text`, cut where it would fill the screen."""
    return text if len(text) <= 300 else f"{text[:300]}..."


def nearest(name: str, names: Collection[str], *, likeness: float = 0.5) -> str:
    """The end of an error's line, with the one of `names` that `name` may have meant, if there is one."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=likeness)
    return f"; did you mean {near[0]!r}?" if near else ""


def _is_recursion(error: BaseException | None) -> bool:
    """Whether the error is of a recursion without end. Deep in it, gin may fail at something else."""
    while error is not None and not isinstance(error, RecursionError):
        error = error.__context__
    return error is not None


def _unset(message: str) -> str | None:
    """The line for gin's error about parameters that are `gin.REQUIRED`."""
    unset = re.match(r"Required bindings for `(.+)` not provided in config: (.+)", message)
    return unset and _must_be_set(unset[1], unset[2])


def _wrongly_called(message: str, scope: str, configurable: str) -> str | None:
    """The line for Python's error about a call of `configurable` whose body was not reached."""
    name = configurable.split(".")[-1]
    call = re.match(r"(?:\S+\.)??(\w+?)(?:\.__init__)?\(\) (missing|takes|got) (.+)", message)
    if not call or _plain(call[1]) != _plain(name):
        return None
    if call[2] == "missing":
        return _must_be_set(scope + name, call[3])
    return f"@{name} is no function of the kind that is needed here: it {call[2]} {call[3]}"


def _plain(name: str) -> str:
    """A class is often registered as a function would be called: `MixtureRule` as `mixture_rule`."""
    return name.replace("_", "").lower()


def _must_be_set(configurable: str, quoted_names: str) -> str:
    return " and ".join(f"{configurable}.{name}" for name in re.findall(r"'(\w+)'", quoted_names)) + " must be set"
