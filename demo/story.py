"""The demo from beginning to end: install, publish the code, declare the bot, wait, talk."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from demo import installation, repository
from demo.commands import DemoError, run
from demo.console import say, step
from demo.installation import ROOT
from demo.kubectl import Kubectl
from demo.readiness import wait_ready

SYSTEM_NAMESPACE = "botyard-system"
NAMESPACE = "demo"
EXAMPLE = ROOT / "examples/repairs"
BUNDLE = ROOT / "bundles/repairs"
SCRIPT = ROOT / "demo/conversation.txt"
READY_SECONDS = 180.0


def up() -> None:
    """Bring the demo up from whatever state it is in and talk to its bot.

    Raises:
        DemoError: Something is missing or does not become ready; the message says what to do.
    """
    started = time.monotonic()
    kubectl, helm = tools()
    with step("Images"):
        images = load_images()
    with step("Botyard by Helm") as notes:
        installation.install(kubectl, helm, installation.crds(), SYSTEM_NAMESPACE)
        changed = installation.install(kubectl, helm, installation.botyard(images), SYSTEM_NAMESPACE)
        notes.append(f"{'installed in' if changed else 'unchanged in'} {SYSTEM_NAMESPACE}")
    with step("The bot's code in a git repository inside the cluster") as notes:
        kubectl.ensure_namespace(NAMESPACE, {"pod-security.kubernetes.io/enforce": "restricted"})
        notes.append(serve_code(kubectl, images))
    with step(f"kubectl apply -n {NAMESPACE} -f examples/repairs"):
        kubectl.apply(EXAMPLE, namespace=NAMESPACE)
        wait_ready(
            kubectl, NAMESPACE, ["bundle/repairs", "bot/repairs", "persona/nora"], seconds=READY_SECONDS, say=say
        )
    with kubectl.forwarded(SYSTEM_NAMESPACE, "service/botyard-gateway", 8080) as url:
        say("▸ A conversation through the gateway\n")
        converse(kubectl, url)
    say(f"\nDone in {time.monotonic() - started:.0f} s. {closing(kubectl)}")


def down() -> None:
    """Take the demo away: its namespace and the two releases. The cluster stays.

    Raises:
        DemoError: Something could not be removed.
    """
    kubectl, helm = tools()
    with step(f"Namespace {NAMESPACE} and the releases removed"):
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", seconds=130)
        installation.uninstall(kubectl, helm, "botyard", SYSTEM_NAMESPACE)
        installation.uninstall(kubectl, helm, "botyard-crds", SYSTEM_NAMESPACE)
        kubectl("delete", "namespace", SYSTEM_NAMESPACE, "--ignore-not-found", "--timeout=120s", seconds=130)


def state_folder() -> Path:
    """Return where the local cluster keeps its state."""
    return Path(os.environ.get("BOTYARD_CLUSTER_DIR") or ROOT / ".cluster").absolute()


def tools() -> tuple[Kubectl, str]:
    """Return kubectl for the cluster in use and the path of helm.

    Raises:
        DemoError: The cluster does not answer.
    """
    kubectl = Kubectl(os.environ.get("KUBECONFIG") or str(state_folder() / "kubeconfig"))
    try:
        kubectl("--request-timeout=10s", "get", "--raw", "/readyz", seconds=20)
    except DemoError as error:
        raise DemoError(f"no cluster answers: run `make cluster` first.\n{error}") from error
    built = state_folder() / "bin/helm"
    return kubectl, str(built) if built.exists() else "helm"


def load_images() -> dict[str, dict[str, str]]:
    """Build what changed, load it into the cluster and return repository and tag of each image.

    Raises:
        DemoError: A build failed.
    """
    # Shown as it goes: the first build takes minutes.
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "cluster")}
    build = subprocess.run([sys.executable, "-m", "localcluster", "images"], env=environment, check=False)
    if build.returncode:
        raise DemoError("the images could not be built: what was said above tells why.")
    images: dict[str, dict[str, str]] = json.loads((state_folder() / "images.json").read_text())
    return images


def serve_code(kubectl: Kubectl, images: dict[str, dict[str, str]]) -> str:
    """Run the git server and publish the bundle on it; return what was done.

    Raises:
        DemoError: The server does not come up or refuses the push.
    """
    image = f"{images['git-server']['repository']}:{images['git-server']['tag']}"
    repository.serve(kubectl, image, ["repairs.git"], namespace=NAMESPACE)
    with kubectl.forwarded(NAMESPACE, "service/git", 80) as url:
        return repository.publish(BUNDLE, f"{url}/repairs.git", into="repairs")


def converse(kubectl: Kubectl, url: str) -> None:
    """Talk to the bot as the visitor of examples/repairs and print what is said.

    Raises:
        DemoError: The bot did not answer.
    """
    token = kubectl("-n", NAMESPACE, "create", "token", "visitor", "--duration=1h").strip()
    chat: list[str | Path] = [
        Path(sys.executable).with_name("botyard"),
        "chat",
        url,
        f"{NAMESPACE}/repairs",
        "--script",
        SCRIPT,
    ]
    print(run(chat, env={**os.environ, "BOTYARD_TOKEN": token}, seconds=120), end="")


def closing(kubectl: Kubectl) -> str:
    """Return what to try next."""
    export = "" if os.environ.get("KUBECONFIG") else f"  export KUBECONFIG={kubectl.kubeconfig}\n"
    return f"""Try next:

{export}  kubectl get bundles,bots,personas -n {NAMESPACE}
  kubectl -n {NAMESPACE} describe bot repairs

The API, at http://localhost:8080/v1/bots while the first of these runs, and a chat of your own:

  kubectl -n {SYSTEM_NAMESPACE} port-forward service/botyard-gateway 8080 &
  export BOTYARD_TOKEN=$(kubectl -n {NAMESPACE} create token visitor)
  .venv/bin/botyard chat http://localhost:8080 {NAMESPACE}/repairs

Change the code and push; the bot rolls over to it by itself:

  kubectl -n {NAMESPACE} port-forward service/git 8081:80 &
  git clone http://localhost:8081/repairs.git && cd repairs
"""
