"""A Kubernetes API server with its etcd and without nodes, for as long as a test session lasts."""

import json
import secrets
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.integration.apiserver import audit
from tests.integration.apiserver.binaries import ROOT, find_binaries
from tests.integration.apiserver.client import Client, Refused
from tests.integration.apiserver.processes import Process, ProcessEnded, free_ports

START_SECONDS = 300.0
START_ATTEMPTS = 3
"""Ports are chosen before they are bound; another process may be faster."""
ISSUER = "https://kubernetes.default.svc"


class ApiServer:
    """A running API server.

    Attributes:
        url: Where it listens, on the loopback interface.
        kubeconfig: File for an administrator (group system:masters).
        client: An administrator's client.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.url = ""
        self.client: Client
        self._binaries = find_binaries()
        self._token = secrets.token_hex(16)
        self._ca = ""
        self._processes: list[Process] = []
        self._address = ("", 0)
        self._audit_log = folder / "audit.log"

    def start(self) -> None:
        """Start etcd and the API server, wait until they serve, install the CRDs.

        Raises:
            ProcessEnded: One of them ends at once, with every choice of ports.
            TimeoutError: They do not serve in time.
        """
        self._write_files()
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._launch()
                self._await_ready()
            except ProcessEnded:
                self.stop()
                if attempt == START_ATTEMPTS:
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                break
        self._ca = (self.folder / "certs" / "apiserver.crt").read_text()
        self.client = Client(self.url, self._token, self._ca)
        self.kubeconfig.write_text(self._kubeconfig("admin", self._token))
        self.kubeconfig.chmod(0o600)
        self.install_crds(ROOT / "crds")

    def stop(self) -> None:
        """Stop what was started, the API server first."""
        for process in reversed(self._processes):
            process.stop()
        self._processes.clear()

    def restart(self) -> None:
        """Stop the API server, not its etcd, and start it again where it was; wait until it serves."""
        self._processes.pop().stop(60)
        self._processes.append(self._api_server(*self._address))
        self._await_ready()

    def audit_writes(self, since: datetime) -> list[audit.Write]:
        """Return all writes from `since` on (see `now`), of all clients; dry runs included."""
        return audit.read_writes(self._audit_log, since)

    @staticmethod
    def now() -> datetime:
        """Return a mark for `audit_writes`."""
        return datetime.now(UTC)

    def service_account_kubeconfig(self, namespace: str, name: str, *, seconds: int = 3600) -> Path:
        """Return a kubeconfig for an existing ServiceAccount, valid for `seconds`; for tests of permissions."""
        answer = self.client.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            body={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": seconds},
            },
        )
        path = self.folder / f"kubeconfig-{namespace}-{name}"
        path.write_text(self._kubeconfig(name, answer["status"]["token"], namespace))
        path.chmod(0o600)
        return path

    def install_crds(self, folder: Path) -> None:
        """Apply all CRDs of a folder and wait until the API serves them."""
        crds = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
        for crd in crds:
            self.client.apply(crd)
        for crd in crds:
            spec = crd["spec"]
            path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
            self._await(lambda path=path: self._serves(path), f"the API serves {path}")

    def _serves(self, path: str) -> bool:
        try:
            self.client.request("GET", path, params={"limit": "1"})
        except Refused as error:
            if error.code in (404, 429, 503):
                return False
            raise
        return True

    def _write_files(self) -> None:
        (self.folder / "tokens.csv").write_text(f'{self._token},admin,admin,"system:masters"\n')
        (self.folder / "audit-policy.json").write_text(json.dumps(audit.POLICY))
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.folder / "service-accounts.key"), "2048"],
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _launch(self) -> None:
        etcd_port, peer_port, port = free_ports(3)
        etcd_url = f"http://127.0.0.1:{etcd_port}"
        peer_url = f"http://127.0.0.1:{peer_port}"
        self.url = f"https://127.0.0.1:{port}"
        self._processes.append(
            Process(
                [
                    self._binaries / "etcd",
                    "--name=test",
                    f"--data-dir={self.folder / 'etcd'}",
                    f"--listen-client-urls={etcd_url}",
                    f"--advertise-client-urls={etcd_url}",
                    f"--listen-peer-urls={peer_url}",
                    f"--initial-advertise-peer-urls={peer_url}",
                    f"--initial-cluster=test={peer_url}",
                    "--unsafe-no-fsync",
                    "--log-level=warn",
                ],
                self.folder / "etcd.log",
            )
        )
        self._processes.append(self._api_server(etcd_url, port))

    def _api_server(self, etcd_url: str, port: int) -> Process:
        key = self.folder / "service-accounts.key"
        self._address = (etcd_url, port)
        return Process(
            [
                self._binaries / "kube-apiserver",
                f"--etcd-servers={etcd_url}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--secure-port={port}",
                f"--cert-dir={self.folder / 'certs'}",
                "--service-cluster-ip-range=10.0.0.0/24",
                f"--token-auth-file={self.folder / 'tokens.csv'}",
                "--authorization-mode=RBAC",
                # Nothing creates the default ServiceAccounts here, and Pods would wait for them.
                "--disable-admission-plugins=ServiceAccount",
                f"--service-account-issuer={ISSUER}",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                # Both in the request's own thread: an answered write is in the log.
                "--audit-log-mode=blocking",
                f"--audit-log-path={self._audit_log}",
                f"--audit-policy-file={self.folder / 'audit-policy.json'}",
                "--endpoint-reconciler-type=none",
                "--v=1",
            ],
            self.folder / "kube-apiserver.log",
        )

    def _await_ready(self) -> None:
        # The certificate is made by the server on its first start: the probe cannot know it yet, and only reads.
        with httpx.Client(verify=False, timeout=5.0, trust_env=False) as probe:
            self._await(lambda: self._is_ready(probe), f"{self.url} is ready")

    def _is_ready(self, probe: httpx.Client) -> bool:
        try:
            answer = probe.get(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self._token}"})
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def _await(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            for process in self._processes:
                process.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {START_SECONDS:.0f} s in vain until {what}; logs are in {self.folder}")
            time.sleep(0.1)

    def _kubeconfig(self, user: str, token: str, namespace: str = "default") -> str:
        authority = str(self.folder / "certs" / "apiserver.crt")
        config: Mapping[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
            "current-context": "test",
        }
        return yaml.safe_dump(config)
