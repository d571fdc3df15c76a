"""Imports the code of bundles, each under a name of its own.

Two bundles in one process may hold modules of one name, and a bundle may be loaded again with newer code: so every
loaded bundle is a package of its own (`agentic_bundle_<digest>_<number>`), below which its modules are imported. The
bundle's own absolute imports (`import helper`) find its modules there, its relative imports (`from .helper import x`)
need no help.
"""

import builtins
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import sys
import threading
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PREFIX = "agentic_bundle_"
ARCHIVES = (".zip", ".whl")
_PLATFORM = frozenset({"botyard", "kdcube_ai_app", "jb_manager_bot", "flexus_client_kit"})
_OPEN_DOT = "\u2024"
"""Stands for a dot in the name of a folder (ONE DOT LEADER), where a dot would part names of modules."""
_RACY_NS = 2_000_000_000
"""A source that was written so shortly before its bytecode may have changed since: times are kept in whole seconds."""

_lock = threading.RLock()
_numbers = itertools.count(1)


@dataclass(eq=False)
class Bundle:
    """One loaded bundle."""

    package: str
    """Name of the package that it is."""
    root: Path
    """Folder or archive in which its modules are found."""
    names: frozenset[str]
    """Names by which its own code may call the package itself."""
    provides: dict[str, bool] = field(default_factory=dict)
    """Whether it holds a top-level module, as far as somebody asked."""
    builtins: dict[str, Any] = field(default_factory=dict)

    def holds(self, name: str) -> bool:
        """Tell whether `name` is a top-level module of this bundle."""
        if name in sys.stdlib_module_names or name in _PLATFORM:
            return False
        if name not in self.provides:
            self.provides[name] = _find(f"{self.package}.{name}", [str(self.root)]) is not None
        return self.provides[name]

    def own_name(self, name: str) -> str | None:
        """Return under which name a module that this bundle calls `name` is imported; None: it is not its own."""
        top, _, rest = name.partition(".")
        if self.holds(top):
            return f"{self.package}.{name}"
        if top in self.names:
            return f"{self.package}.{rest}" if rest else self.package
        return None


_bundles: dict[str, Bundle] = {}
"""By their packages."""
_only: Bundle | None = None
"""The bundle for which this process is there, if it is there for one."""
_aliased: set[str] = set()
"""Its modules that were asked for under their own names."""


def import_bundle(path: Path, module: str | None) -> tuple[types.ModuleType, str]:
    """Import a bundle afresh.

    Args:
        path: A folder, a `.py`, a `.zip` or a `.whl`.
        module: Dotted module in it; may begin with the name of the folder itself. A file needs none.

    Returns:
        The module and the name of the bundle's package (for `forget`).

    Raises:
        FileNotFoundError: There is no such path.
        ImportError: The module is not in it, or an archive was given without one.
        Exception: Whatever the bundle's code raises.
    """
    if not path.exists():
        raise FileNotFoundError(f"bundle path does not exist: {path}")
    if path.is_dir():
        return _import_folder(path, module)
    if path.suffix.lower() in ARCHIVES:
        if not module:
            raise ImportError(f"{path.name} is an archive: name the module in it that holds the workflow (`module`)")
        return _import_named(_register(path, names=()), module)
    if path.suffix == ".py":
        return _import_named(_register(path.parent, names=(), seed=path), path.stem)
    raise ImportError(f"{path} is no bundle: give a folder, a .py, a .zip or a .whl")


def forget(package: str) -> None:
    """Take a bundle's modules out of the process; instances that still run keep theirs."""
    with _lock:
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]


def serve_only(package: str) -> None:
    """Make a bundle's modules known to everybody under the names that its own code uses.

    For processes that run one bundle: `importlib.import_module("helper")`, pickles and libraries that import by name
    find the modules that the bundle has imported, not second copies of them.

    Args:
        package: Of the bundle, as `import_bundle` returned it; empty: of none any more.
    """
    global _only
    for name in _aliased:
        sys.modules.pop(name, None)
    _aliased.clear()
    _only = _bundles[package] if package else None


def _import_folder(path: Path, module: str | None) -> tuple[types.ModuleType, str]:
    bundle = _register(path, names=(path.name, _identifier(path.name)))
    if module:
        return _import_named(bundle, module)
    if not (path / "__init__.py").is_file():
        raise ImportError(f"{path} has no __init__.py: name the module that holds the workflow (`module`)")
    return _imported(bundle, bundle.package), bundle.package


def _import_named(bundle: Bundle, module: str) -> tuple[types.ModuleType, str]:
    name = _resolved(bundle, module.removesuffix(".py"))
    if name is None:
        forget(bundle.package)
        raise ModuleNotFoundError(f"{bundle.root} holds no module {module!r}", name=module)
    return _imported(bundle, name), bundle.package


def _resolved(bundle: Bundle, module: str) -> str | None:
    """Return the full name of a module; names of its folders may hold dots."""
    if bundle.root.is_file():
        return f"{bundle.package}.{module}"
    for rest in (module, *(module[len(name) + 1 :] for name in bundle.names if f"{module}.".startswith(f"{name}."))):
        if not rest:
            return bundle.package
        if (found := _joined(bundle.root, rest.split("."))) is not None:
            return ".".join([bundle.package, *found])
    return None


def _joined(folder: Path, parts: Sequence[str]) -> list[str] | None:
    """Return `parts` with those put together that are one folder's name, or None where they lead nowhere."""
    for taken in range(1, len(parts) + 1):
        name = ".".join(parts[:taken])
        path = folder / name
        if taken == len(parts):
            found = path.is_dir() or any(
                (folder / f"{name}{suffix}").is_file() for suffix in importlib.machinery.all_suffixes()
            )
            if found:
                return [name.replace(".", _OPEN_DOT)]
        elif path.is_dir() and (rest := _joined(path, parts[taken:])) is not None:
            return [name.replace(".", _OPEN_DOT), *rest]
    return None


def _imported(bundle: Bundle, name: str) -> types.ModuleType:
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except BaseException:
        forget(bundle.package)
        raise


def _register(root: Path, *, names: Sequence[str], seed: Path | None = None) -> Bundle:
    root = root.resolve()
    digest = hashlib.sha256(str((seed or root).absolute()).encode()).hexdigest()[:12]
    with _lock:
        bundle = Bundle(f"{PREFIX}{digest}_{next(_numbers)}", root, frozenset(names))
        bundle.builtins = dict(vars(builtins)) | {"__import__": _import_of(bundle)}
        _bundles[bundle.package] = bundle
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder())
    return bundle


def _identifier(name: str) -> str:
    return name.replace("-", "_")


def _import_of(bundle: Bundle) -> Any:
    """Return what `import` does in a bundle's code."""

    def bundle_import(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - as `__import__` has them
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        own = bundle.own_name(name) if not level and name else None
        if own is None:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        if fromlist:
            return builtins.__import__(own, globals, locals, fromlist, 0)
        importlib.import_module(own)
        top = bundle.own_name(name.partition(".")[0])
        assert top is not None
        return sys.modules[top]

    return bundle_import


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the packages of bundles and the modules in them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(PREFIX):
            own = _only.own_name(fullname) if _only is not None else None
            return importlib.machinery.ModuleSpec(fullname, _Alias(own)) if own is not None else None
        bundle = _bundles.get(fullname.partition(".")[0])
        if bundle is None:
            return None
        if fullname == bundle.package:
            return _package(bundle)
        spec = _find(fullname, list(path) if path is not None else [str(bundle.root)])
        return _within(bundle, spec)


def _package(bundle: Bundle) -> importlib.machinery.ModuleSpec | None:
    initial = bundle.root / "__init__.py"
    if bundle.names and initial.is_file():
        loader = _SourceLoader(bundle.package, str(initial))
        spec = importlib.util.spec_from_file_location(
            bundle.package, initial, loader=loader, submodule_search_locations=[str(bundle.root)]
        )
        return _within(bundle, spec)
    spec = importlib.machinery.ModuleSpec(bundle.package, None, is_package=True)
    spec.submodule_search_locations = [str(bundle.root)]
    return spec


def _find(fullname: str, path: list[str]) -> importlib.machinery.ModuleSpec | None:
    if _OPEN_DOT in (tail := fullname.rpartition(".")[2]):
        folder = next((f for entry in path if (f := Path(entry) / tail.replace(_OPEN_DOT, ".")).is_dir()), None)
        if folder is None:
            return None
        if (initial := folder / "__init__.py").is_file():
            return importlib.util.spec_from_file_location(fullname, initial, submodule_search_locations=[str(folder)])
        spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec
    return importlib.machinery.PathFinder.find_spec(fullname, path)


def _within(bundle: Bundle, spec: importlib.machinery.ModuleSpec | None) -> importlib.machinery.ModuleSpec | None:
    if spec is not None and spec.loader is not None:
        loader = spec.loader
        if type(loader) is importlib.machinery.SourceFileLoader:
            loader = _SourceLoader(loader.name, loader.path)
        spec.loader = _BundleLoader(bundle, loader)
    return spec


class _Alias(importlib.abc.Loader):
    """Gives a module that has another name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(self._name)
        _aliased.add(spec.name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        # It has been run under its own name, and keeps what it knows of that.
        module.__spec__ = self._spec


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Does not trust bytecode of a source that was written in the same moment: code may be replaced within a second."""

    def get_code(self, fullname: str) -> types.CodeType | None:
        try:
            source = Path(self.path).stat().st_mtime_ns
            cached = Path(importlib.util.cache_from_source(self.path)).stat().st_mtime_ns
        except (OSError, NotImplementedError):
            return super().get_code(fullname)
        if cached - source > _RACY_NS:
            return super().get_code(fullname)
        return self.source_to_code(self.get_data(self.path), self.path)


class _BundleLoader(importlib.abc.Loader):
    """Gives a module its bundle's way of importing, and leaves the rest to the loader of its kind."""

    def __init__(self, bundle: Bundle, loader: Any) -> None:
        self._bundle = bundle
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        made: types.ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module).setdefault("__builtins__", self._bundle.builtins)
        self._loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        # Such as get_data and get_resource_reader: bundles read files beside their modules.
        return getattr(self._loader, name)
