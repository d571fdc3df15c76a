"""Which files of a source belong to a Bundle: .gitignore syntax, from the spec and from the source itself."""

from collections.abc import Mapping

from pathspec import GitIgnoreSpec

IGNORE_FILE = ".botyardignore"
"""Read in every folder of the source, for that folder and what is below it; never part of the artifact."""
MAX_IGNORE_BYTES = 64 * 1024
"""Limit on one ignore file."""


class IgnoreRules:
    """Decides by path; a folder that is ignored takes everything below it along, as in git."""

    def __init__(self, spec: str, files: Mapping[str, str]) -> None:
        """Compile the rules.

        Args:
            spec: `spec.ignore` of the Bundle; wins over the files.
            files: content of the ignore files by their folder (empty for the root, no trailing slash).

        Raises:
            ValueError: a pattern is malformed.
        """
        self._spec = GitIgnoreSpec.from_lines(spec.splitlines())
        self._files = {folder: GitIgnoreSpec.from_lines(text.splitlines()) for folder, text in files.items()}
        self._folders: dict[str, bool] = {"": False}

    def ignores(self, path: str) -> bool:
        """Return whether a file is left out.

        Args:
            path: relative to the source's root, with forward slashes.
        """
        folder, _, name = path.rpartition("/")
        return name == IGNORE_FILE or self._folder_ignored(folder) or self._decide(path)

    def _folder_ignored(self, folder: str) -> bool:
        if folder not in self._folders:
            parent = folder.rpartition("/")[0]
            self._folders[folder] = self._folder_ignored(parent) or self._decide(f"{folder}/")
        return self._folders[folder]

    def _decide(self, path: str) -> bool:
        verdict = self._spec.check_file(path).include
        folder = path.rstrip("/")
        while verdict is None and folder:
            folder = folder.rpartition("/")[0]
            if rules := self._files.get(folder):
                verdict = rules.check_file(path.removeprefix(f"{folder}/" if folder else "")).include
        return bool(verdict)
