"""A namespace of a test with what tests do in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.kubectl import Kubectl, Object, condition, is_current, until
from demo.readiness import diagnose
from demo.repository import git
from tests.cluster.client import Conversation

API_VERSION = "botyard.dev/v1alpha1"


@dataclass(frozen=True)
class System:
    """The installation under test.

    Args:
        kubectl: The cluster.
        namespace: Where operator, gateway, Redis and the git server run.
        gateway: Base URL of the gateway, forwarded.
        git: Base URL of the git server, forwarded.
        image: Tag of the runtime image.
    """

    kubectl: Kubectl
    namespace: str
    gateway: str
    git: str
    runtime_image: str

    @property
    def operator_user(self) -> str:
        """The operator's user name at the API server."""
        return f"system:serviceaccount:{self.namespace}:botyard-operator"


@dataclass(frozen=True)
class Space:
    """One test's namespace and its git repository of the same name."""

    system: System
    namespace: str
    tree: Path

    @property
    def kubectl(self) -> Kubectl:
        """The cluster."""
        return self.system.kubectl

    def run(self, *arguments: str, seconds: float = 60.0) -> str:
        """Run kubectl in this namespace."""
        return self.kubectl("-n", self.namespace, *arguments, seconds=seconds)

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object of this namespace, None if it does not exist."""
        return self.kubectl.get(kind, name, self.namespace)

    def apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        """Apply one of Botyard's kinds."""
        metadata = {"name": name, "namespace": self.namespace}
        self.kubectl.apply({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})

    def push(self, files: dict[str, str], message: str = "Change") -> str:
        """Make the repository's branch main hold exactly these files and return the commit."""
        url = f"{self.system.git}/{self.namespace}.git"
        if not (self.tree / ".git").exists():
            git("init", "--quiet", "--initial-branch=main", cwd=self.tree)
        for old in git("ls-files", cwd=self.tree).splitlines():
            (self.tree / old).unlink()
        for name, content in files.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(content)
        git("add", "--all", cwd=self.tree)
        git("commit", "--quiet", "--message", message, cwd=self.tree)
        git("push", "--quiet", url, "HEAD:refs/heads/main", cwd=self.tree)
        return git("rev-parse", "HEAD", cwd=self.tree)

    def bundle(self, name: str = "counter", *, interval: str = "2s", **spec: Any) -> None:
        """Apply a Bundle of this space's repository."""
        url = f"http://git.{self.system.namespace}.svc/{self.namespace}.git"
        self.apply("Bundle", name, {"git": {"url": url, "ref": {"branch": "main"}}, "interval": interval, **spec})

    def bot(self, name: str = "counter", *, bundle: str = "counter", **spec: Any) -> None:
        """Apply a Bot of one replica."""
        self.apply("Bot", name, {"bundleRef": {"name": bundle}, "replicas": 1, **spec})

    def eventually(self, what: str, check: Callable[[], bool], *objects: str, seconds: float = 180.0) -> None:
        """Wait until something holds; fail with the conditions and logs of objects such as `bot/counter`."""
        if not until(check, seconds=seconds, every=0.25):
            raise AssertionError(
                f"not within {seconds:.0f} s: {what}\n{diagnose(self.kubectl, self.namespace, objects)}"
            )

    def ready(self, *objects: str, seconds: float = 300.0) -> None:
        """Wait until objects such as `bot/counter` are Ready at their newest generation."""

        def all_current() -> bool:
            return all(is_current(self.get(*reference.split("/"))) for reference in objects)

        self.eventually(f"{', '.join(objects)} Ready", all_current, *objects, seconds=seconds)

    def condition(self, kind: str, name: str, condition_type: str) -> Object:
        """Return a condition of an object, empty if it is absent."""
        return condition(self.get(kind, name), condition_type)

    def revision(self, bot: str = "counter") -> str:
        """Return the revision that a Bot says it runs."""
        return str(((self.get("bot", bot) or {}).get("status") or {}).get("revision") or "")

    def pods(self, bot: str = "counter") -> list[Object]:
        """Return a Bot's pods that are not on their way out."""
        found = self.kubectl.items("pods", self.namespace, f"botyard.dev/bot={bot}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def token(self, account: str = "visitor", *, may_use: bool = True, verbs: tuple[str, ...] = ("use",)) -> str:
        """Return a token of a service account that may use the bots of this namespace (or has `verbs`), or may not."""
        metadata = {"name": account, "namespace": self.namespace}
        self.kubectl.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        if may_use:
            rbac = "rbac.authorization.k8s.io"
            rules = [{"apiGroups": ["botyard.dev"], "resources": ["bots"], "verbs": list(verbs)}]
            subject = {"kind": "ServiceAccount", "name": account, "namespace": self.namespace}
            reference = {"apiGroup": rbac, "kind": "Role", "name": account}
            self.kubectl.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules})
            self.kubectl.apply(
                {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata}
                | {"roleRef": reference, "subjects": [subject]}
            )
        return self.run("create", "token", account, "--duration=1h").strip()

    def http(self, token: str | None) -> httpx.Client:
        """Return an HTTP client of the gateway."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.system.gateway, headers=headers, timeout=120)

    def conversation(self, bot: str = "counter") -> Conversation:
        """Start a conversation as somebody who may use the bots of this namespace."""
        return Conversation(self.http(self.token()), self.namespace, bot)
