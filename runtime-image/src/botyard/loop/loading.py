"""Imports a loop bundle and gets from it what it declares."""

import ast
import asyncio
import importlib
import importlib.util
import inspect
import runpy
import sys
import threading
import types
from collections.abc import Callable, Iterable
from pathlib import Path

from botyard.loop import declaration
from botyard.loop.declaration import BotDeclaration, Declared

ENTRY = "run_bots_in_this_group"
"""The call that tells which of a bundle's files starts the bot."""
_NOT_BOTS = ("tests", "test", "scenarios", "docs", "node_modules")
_lock = threading.Lock()


class BotNotFoundError(LookupError):
    """There is no bot in the bundle, or there are several; the message says what to write where."""


def load_bot(bundle: Path, module: str = "", symbol: str = "") -> BotDeclaration:
    """Import a bundle, run its start-up code, and return what it declared.

    Args:
        bundle: The unpacked bundle's folder.
        module: Dotted module below it that starts the bot; empty to look for it.
        symbol: The function in the module that starts it; empty for `main`, or the module run as a program.

    Raises:
        BotNotFoundError: No module starts a bot, several do, or the one that should declares none.
        Exception: Whatever the bundle's code raises.
    """
    bundle = bundle.resolve()
    with _lock:
        if str(bundle) not in sys.path:
            sys.path.insert(0, str(bundle))
        _alias_folder(bundle)
        name = module or _entry_module(bundle)
        # In a thread of its own: a bundle's `main` calls `asyncio.run`, which a thread with a running loop refuses.
        return _in_thread(lambda: _declared(bundle, name, symbol))


def entry_modules(bundle: Path) -> list[str]:
    """Return the dotted names of the bundle's modules that start a bot, without importing any.

    Raises:
        SyntaxError: A file of the bundle is no Python.
    """
    found = []
    for path in sorted(bundle.rglob("*.py")):
        inside = path.relative_to(bundle)
        if any(part in _NOT_BOTS or part.startswith((".", "_")) for part in inside.parts[:-1]):
            continue
        tree = ast.parse(path.read_bytes(), filename=str(inside))
        if any(_calls_entry(node) for node in ast.walk(tree)):
            found.append(".".join(inside.with_suffix("").parts).removesuffix(".__init__"))
    return found


def _calls_entry(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Attribute) and called.attr == ENTRY) or (
        isinstance(called, ast.Name) and called.id == ENTRY
    )


def _entry_module(bundle: Path) -> str:
    found = entry_modules(bundle)
    if len(found) == 1:
        return found[0]
    if not found:
        raise BotNotFoundError(
            f"No module calls {ENTRY}: write a main() that does, or name its module in spec.entrypoint.module."
        )
    raise BotNotFoundError(f"Several modules start a bot: {', '.join(found)}. Name one in spec.entrypoint.module.")


def _declared(bundle: Path, name: str, symbol: str) -> BotDeclaration:
    recorder: declaration.Recorder = []
    token = declaration.recording(recorder)
    arguments, sys.argv = sys.argv, [str(bundle / f"{name.replace('.', '/')}.py")]
    try:
        imported = _imported(name)
        start = getattr(imported, symbol or "main", None)
        if symbol and start is None:
            raise BotNotFoundError(f"Module {name!r} has no {symbol!r} (spec.entrypoint.symbol).")
        if start is None:
            runpy.run_module(name, run_name="__main__")
        else:
            returned = start()
            if inspect.iscoroutine(returned):
                asyncio.run(returned)
    except Declared:
        pass
    finally:
        sys.argv = arguments
        declaration.recorded(token)
    if not recorder:
        raise BotNotFoundError(f"Module {name!r} ended without a call of {ENTRY}; name the one that starts the bot.")
    return recorder[0]


def _imported(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name or (error.name and name.startswith(f"{error.name}.")):
            raise BotNotFoundError(f"The bundle has no module {name!r} (spec.entrypoint.module).") from error
        raise


def _alias_folder(bundle: Path) -> None:
    """Make the bundle's folder importable under the package name by which its own files call it.

    A bot's repository is often one package (`from clerk import clerk_install`), and `spec.path` may name that folder
    itself.
    """
    for name in sorted(_own_names(bundle)):
        if name in sys.modules or importlib.util.find_spec(name) is not None:
            continue
        package = types.ModuleType(name)
        package.__path__ = [str(bundle)]
        if (initial := bundle / "__init__.py").is_file():
            package.__file__ = str(initial)
        sys.modules[name] = package


def _own_names(bundle: Path) -> Iterable[str]:
    modules = {path.stem for path in bundle.glob("*.py")} | {path.name for path in bundle.iterdir() if path.is_dir()}
    names = set()
    for path in bundle.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes(), filename=path.name)):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                head, _, rest = node.module.partition(".")
                inner = {rest.partition(".")[0]} if rest else {alias.name for alias in node.names}
                if inner & modules and head not in modules:
                    names.add(head)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    head, _, rest = alias.name.partition(".")
                    if rest.partition(".")[0] in modules and head not in modules:
                        names.add(head)
    return names


def _in_thread(work: Callable[[], BotDeclaration]) -> BotDeclaration:
    result: list[BotDeclaration] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:  # SystemExit of a bundle's main is the loader's to tell
            failure.append(error)

    thread = threading.Thread(target=run, name="load-bundle", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
