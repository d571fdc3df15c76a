"""Finds and imports the one bot of a bundle."""

import ast
import importlib
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from botyard.fsm.errors import BotNotFoundError
from botyard.fsm.machine import AbstractFSM

CONVENTIONAL = "bot"
"""The module that is looked at first, and alone where it holds a bot."""
_PACKAGES = ("botyard.fsm", "jb_manager_bot")
_NOT_BOTS = ("tests", "test", "scenarios", "docs", "node_modules")

_import_lock = threading.Lock()
_loaded_from: set[Path] = set()


def load_bot(bundle: Path, module: str = "", symbol: str = "") -> type[AbstractFSM]:
    """Import a bundle and return its bot's class.

    Args:
        bundle: The unpacked bundle's folder.
        module: Dotted module below it; empty to look for it.
        symbol: The class in the module; empty to look for it.

    Raises:
        BotNotFoundError: There is no such class, none at all, or several; the message says what to write where.
        Exception: Whatever the bundle's code raises when it is imported.
    """
    bundle = bundle.resolve()
    with _import_lock:
        _prepare(bundle)
        if module:
            return _choose(_bots_of(_imported(bundle, module)), symbol, f"module {module!r}")
        found: list[type[AbstractFSM]] = []
        for name in _modules(bundle):
            found.extend(_bots_of(_imported(bundle, name)))
            if name == CONVENTIONAL and any(not symbol or cls.__name__ == symbol for cls in found):
                break
        return _choose(found, symbol, "the bundle")


def _choose(found: list[type[AbstractFSM]], symbol: str, where: str) -> type[AbstractFSM]:
    if symbol:
        for cls in found:
            if cls.__name__ == symbol:
                return cls
        raise BotNotFoundError(f"There is no subclass of AbstractFSM named {symbol!r} in {where}; {_listed(found)}.")
    if not found:
        raise BotNotFoundError(
            f"There is no subclass of AbstractFSM in {where}: write one in {CONVENTIONAL}.py, "
            f"or name its module in spec.entrypoint.module."
        )
    rest = [cls for cls in found if not any(cls in other.__mro__[1:] for other in found)]
    if len(rest) > 1:
        rest = [cls for cls in rest if not any(cls.__name__ in _names_in(other) for other in rest if other is not cls)]
    if len(rest) == 1:
        return rest[0]
    raise BotNotFoundError(
        f"Which class of {where} is the bot? {_listed(found)}. Name it in spec.entrypoint.symbol "
        f"(and its module in spec.entrypoint.module)."
    )


def _listed(found: Iterable[type]) -> str:
    names = ", ".join(f"{cls.__module__}.{cls.__name__}" for cls in found)
    return f"there are: {names}" if names else "there is none at all"


def _names_in(cls: type) -> set[str]:
    """Return the names that a class's methods use: how a bot that builds another as its plugin is told."""
    names: set[str] = set()
    for member in vars(cls).values():
        function = getattr(member, "__func__", member)
        if isinstance(function, types.FunctionType):
            names.update(_code_names(function.__code__))
    return names


def _code_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _code_names(constant)


def _bots_of(module: types.ModuleType) -> list[type[AbstractFSM]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, AbstractFSM)
        and value is not AbstractFSM
        and value.__module__ == module.__name__
    ]


def _modules(bundle: Path) -> list[str]:
    """Return the modules that may hold a bot: those that import the library, the conventional one first."""
    names = []
    for path in sorted(bundle.rglob("*.py")):
        parts = path.relative_to(bundle).with_suffix("").parts
        if any(part.startswith((".", "test_")) or part in _NOT_BOTS or not part.isidentifier() for part in parts):
            continue
        if _imports_library(path):
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts))
    return sorted(names, key=lambda name: (name != CONVENTIONAL, name.count("."), name))


def _imports_library(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if any(name == package or name.startswith(f"{package}.") for name in names for package in _PACKAGES):
            return True
    return False


def _prepare(bundle: Path) -> None:
    """Make the bundle importable, and forget modules of the same names that came from a bundle before."""
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        file = getattr(module, "__file__", None)
        if not file or not ((bundle / f"{top}.py").exists() or (bundle / top).is_dir()):
            continue
        if any(Path(file).is_relative_to(former) for former in _loaded_from):
            del sys.modules[name]
    _loaded_from.add(bundle)
    text = str(bundle)
    if text in sys.path:
        sys.path.remove(text)
    sys.path.insert(0, text)
    importlib.invalidate_caches()


def _imported(bundle: Path, name: str) -> Any:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise BotNotFoundError(f"The bundle has no module {name!r}: see spec.entrypoint.module.") from error
        raise
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).resolve().is_relative_to(bundle):
        raise BotNotFoundError(
            f"The bundle's module {name!r} is hidden by an installed module of that name; rename the file."
        )
    return module
