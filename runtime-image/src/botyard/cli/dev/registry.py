"""The workflow bundles that AGENTIC_BUNDLES_JSON lists, as bots of a laptop."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from botyard.cli.errors import EXIT_USAGE, CommandError
from botyard.contract.names import bot_name_of
from botyard.workflow import registry
from botyard.workflow.bundle_spec import BundleSpec
from botyard.workflow.errors import GitBundleError, RegistryError
from botyard.workflow.importing import ARCHIVES


@dataclass(frozen=True, slots=True)
class Source:
    """A bot's code."""

    name: str
    """Of the bot."""
    folder: Path
    entrypoint: str
    """`module:symbol`, `module` or nothing."""
    default: bool


def sources(unpacked: Path) -> list[Source]:
    """Return the bundles of the registry; those from git are fetched.

    Args:
        unpacked: Where archives are unpacked.

    Raises:
        CommandError: There is none, or one cannot be used.
    """
    try:
        specs = registry.load_from_env()
    except RegistryError as error:
        raise CommandError(f"dev: {registry.VARIABLE}: {error}", code=EXIT_USAGE) from None
    if not specs:
        raise CommandError(
            f"dev: give the folder of a bot, or list workflow bundles in {registry.VARIABLE}", code=EXIT_USAGE
        )
    return [_source(spec, unpacked / str(number)) for number, spec in enumerate(specs.values())]


def _source(spec: BundleSpec, unpacked: Path) -> Source:
    try:
        found = registry.resolve_blocking(spec.id) or spec
    except GitBundleError as error:
        raise CommandError(f"dev: bundle {spec.id!r}: {error}") from None
    path = Path(found.path or "").absolute()
    module = found.module or ""
    if path.is_file():
        if path.suffix.lower() in ARCHIVES:
            path = _unpack(spec, path, unpacked)
        else:
            path, module = path.parent, path.stem
    if not path.is_dir():
        raise CommandError(f"dev: bundle {spec.id!r}: there is no folder {path}", code=EXIT_USAGE)
    default = spec.id == registry.get_default_id()
    return Source(bot_name_of(spec.id), path, module, default=default)


def _unpack(spec: BundleSpec, archive: Path, target: Path) -> Path:
    if not spec.module:
        raise CommandError(f"dev: bundle {spec.id!r}: an archive needs `module`", code=EXIT_USAGE)
    try:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
    except (OSError, zipfile.BadZipFile) as error:
        raise CommandError(f"dev: bundle {spec.id!r}: {archive} cannot be unpacked: {error}") from None
    return target
