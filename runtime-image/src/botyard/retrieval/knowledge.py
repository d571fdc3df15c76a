"""The documents of a bundle: `knowledge/<collection>/**/*.md` and `*.txt`."""

from pathlib import Path

from botyard.retrieval.errors import RetrievalError
from botyard.retrieval.passages import Passage, cut

FOLDER = "knowledge"
DEFAULT = "default"
"""Collection of the files that lie in FOLDER itself, and of questions that name none."""
SUFFIXES = (".md", ".markdown", ".txt")
MAX_BYTES = 64 * 1024 * 1024
"""Of all documents of one collection."""


class Knowledge:
    """The collections of one bundle."""

    def __init__(self, bundle: Path) -> None:
        self._folder = bundle / FOLDER

    def exists(self) -> bool:
        """Tell whether the bundle carries documents at all."""
        return self._folder.is_dir()

    def collections(self) -> list[str]:
        """Return the names of all collections."""
        if not self.exists():
            return []
        names = {path.name for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
        if any(path.is_file() and path.suffix.lower() in SUFFIXES for path in self._folder.iterdir()):
            names.add(DEFAULT)
        return sorted(names)

    def passages(self, name: str) -> list[Passage]:
        """Return the passages of a collection; of all documents where the name is empty.

        Raises:
            RetrievalError: It is too large.
        """
        passages: list[Passage] = []
        size = 0
        for path, source in self._documents(name):
            size += path.stat().st_size
            if size > MAX_BYTES:
                raise RetrievalError(f"The documents of collection {name!r} have more than {MAX_BYTES} bytes.")
            text = path.read_text(encoding="utf-8", errors="replace")
            passages += cut(text, source, markdown=path.suffix.lower() != ".txt")
        return passages

    def _documents(self, name: str) -> list[tuple[Path, str]]:
        folders = [self._folder / name] if name else [self._folder]
        loose = self._folder.glob("*") if name == DEFAULT else ()
        paths = {path for folder in folders for path in folder.rglob("*")} | set(loose)
        root = self._folder / name if name and name != DEFAULT else self._folder
        return [
            (path, str(path.relative_to(root)))
            for path in sorted(paths)
            if path.is_file() and path.suffix.lower() in SUFFIXES
        ]
