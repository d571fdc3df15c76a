"""Kubernetes, etcd, CoreDNS and Helm, built from the Go module proxy into the cache."""

import os
import re
import selectors
import shutil
import subprocess
from pathlib import Path

from localcluster.commands import run
from localcluster.console import Progress, step
from localcluster.errors import ClusterError
from localcluster.layout import KUBERNETES_VERSION, Layout, digest

MINIMUM_GO = (1, 24)
BUILD_SECONDS = 3600.0
PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "coredns": "botyard.dev/cluster/coredns",
    "pause": "botyard.dev/cluster/pause",
    "etcd": "go.etcd.io/etcd/server/v3",
}
LDFLAGS = f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"


def binaries_folder(layout: Layout) -> Path:
    """Return the folder in the cache that belongs to the present sources."""
    inputs = [layout.sources / "go.mod", layout.sources / "go.sum", *sorted(layout.sources.glob("*/*.go"))]
    version = digest(LDFLAGS, *PACKAGES, *PACKAGES.values(), *(path.read_bytes() for path in inputs))
    return layout.cache / "bin" / version


def ensure_binaries(layout: Layout) -> bool:
    """Build what is not in the cache and link it into the state folder; return whether anything was built.

    Raises:
        ClusterError: Go is missing or too old, or the build fails.
    """
    folder = binaries_folder(layout)
    built = not folder.is_dir()
    if built:
        _build(layout, folder)
    if not layout.bin.is_symlink() or layout.bin.readlink() != folder:
        layout.state.mkdir(parents=True, exist_ok=True)
        if layout.bin.is_symlink() or not layout.bin.exists():
            layout.bin.unlink(missing_ok=True)
        else:
            shutil.rmtree(layout.bin)
        layout.bin.symlink_to(folder)
    return built


def go_version(text: str) -> tuple[int, int]:
    """Return major and minor of what `go version` prints; (0, 0) where it is not understood."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _build(layout: Layout, folder: Path) -> None:
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    wanted = ".".join(map(str, MINIMUM_GO))
    if go is None:
        raise ClusterError(f"Go {wanted} or newer is missing: install it (https://go.dev/doc/install).")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    version = run([go, "version"], env=environment).strip()
    if go_version(version) < MINIMUM_GO:
        raise ClusterError(f"{go} is too old ({version}): Go {wanted} or newer is needed (https://go.dev/doc/install).")
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    log = layout.logs / "go-build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    build = [go, "build", "-v", "-trimpath", "-ldflags", LDFLAGS, "-o", f"{partial}/", *PACKAGES.values()]
    with step(f"Kubernetes {KUBERNETES_VERSION} built by Go") as progress:
        # The listing downloads the modules too, so that both phases show how far they are.
        total = _run_go([go, "list", "-deps", *PACKAGES.values()], layout.sources, environment, log, progress, 0)
        _run_go(build, layout.sources, environment, log, progress, total)
    # Go names a binary after the last element of the package's path that is no version.
    (partial / "server").rename(partial / "etcd")
    partial.rename(folder)


def _run_go(
    argv: list[str], folder: Path, environment: dict[str, str], log: Path, progress: Progress, total: int
) -> int:
    """Run one go command, show its progress and return how many lines it wrote to standard output."""
    lines = 0
    downloads = 0
    compiled = 0
    with (
        log.open("ab") as output,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            what = "starting"
            while selector.get_map():
                for key, _ in selector.select(timeout=1.0):
                    line = key.fileobj.readline()  # type: ignore[union-attr]
                    if not line:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is process.stdout:
                        lines += 1
                    else:
                        output.write(line)
                        text = line.decode(errors="replace").strip()
                        if text.startswith("go: downloading"):
                            downloads += 1
                            what = f"{downloads} modules downloaded"
                        else:
                            compiled += 1
                            what = f"{compiled} of at most {total} packages compiled, {text}"
                if progress.seconds > BUILD_SECONDS:
                    raise ClusterError(f"Go did not end within {BUILD_SECONDS:.0f} s.", log=log)
                progress.update(what)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise ClusterError("Go failed; the module proxy must be reachable. Run the command again to go on.", log=log)
    return lines
