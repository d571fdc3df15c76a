"""Kubernetes, etcd, CoreDNS and Helm, built from the Go module proxy into the cache."""

import os
import re
import shutil
from pathlib import Path

from localcluster.commands import run, stream
from localcluster.console import step
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
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "coredns": "botyard.dev/cluster/coredns",
    "pause": "botyard.dev/cluster/pause",
    "etcd": "go.etcd.io/etcd/server/v3",
}
_MAJOR, _MINOR = KUBERNETES_VERSION.lstrip("v").split(".")[:2]
LDFLAGS = (
    f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}"
    # What `helm template` takes the cluster to be.
    f" -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor={_MAJOR}"
    f" -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={_MINOR}"
)


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
        counter = BuildCounter()
        for argv in ([go, "list", "-deps", *PACKAGES.values()], build):
            stream(
                argv,
                log=log,
                on_line=counter.count,
                on_tick=lambda: progress.update(counter.summary),
                seconds=BUILD_SECONDS,
                failed="Go failed; it needs the module proxy. Run the command again: it goes on where it was.",
                env=environment,
                cwd=layout.sources,
            )
            counter.start_build()
    # Go names a binary after the last element of the package's path that is no version.
    (partial / "server").rename(partial / "etcd")
    partial.rename(folder)


class BuildCounter:
    """How far Go is, read from the lines of `go list -deps` and then of `go build -v`."""

    def __init__(self) -> None:
        self.summary = "reading the modules"
        self._downloaded = 0
        self._total = 0
        self._compiled = 0
        self._building = False

    def start_build(self) -> None:
        """Take the lines that follow as those of the build."""
        self._building = True
        self.summary = "comparing with what is compiled already"

    def count(self, line: str) -> None:
        """Take one line of output into account."""
        if line.startswith("go: downloading"):
            self._downloaded += 1
            self.summary = f"{self._downloaded} modules downloaded"
        elif not self._building:
            self._total += 1
        else:
            # What Go has in its cache is not printed, so that the total is an upper bound.
            self._compiled += 1
            self.summary = f"{self._compiled} of at most {self._total} packages compiled: {line}"
