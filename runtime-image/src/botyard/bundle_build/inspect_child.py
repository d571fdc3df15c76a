"""The process that imports a foreign bundle: it writes the manifest to an inherited descriptor and ends.

`python -m botyard.bundle_build.inspect_child BUNDLE ENTRYPOINT-JSON FD LAYER`
"""

import os
import sys
from pathlib import Path


def main() -> None:
    """Inspect, and write the manifest as JSON."""
    bundle, entrypoint, descriptor, layer = sys.argv[1:5]
    from botyard.runtime.layer import activate

    # Before anything else is imported: the bundle must meet the same packages as in its pods.
    activate(Path(layer))
    from botyard.contract.bot import Entrypoint
    from botyard.inspection.bundle import inspect_bundle

    sys.path.insert(0, bundle)
    os.chdir(bundle)
    manifest, _ = inspect_bundle(Path(bundle), Entrypoint.model_validate_json(entrypoint))
    with os.fdopen(int(descriptor), "w") as out:
        out.write(manifest.model_dump_json(by_alias=True, exclude_defaults=True))
    # Threads that the bundle started may never end.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
