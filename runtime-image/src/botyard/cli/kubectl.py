"""`kubectl botyard`: the commands against a gateway, with kubectl's idea of cluster and namespace.

kubectl runs the executable `kubectl-botyard` for it. The namespace is the kubeconfig's unless `-n` says otherwise;
without BOTYARD_URL the gateway of the cluster is reached by `kubectl port-forward`.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

from botyard.cli import cluster
from botyard.cli import main as botyard
from botyard.cli.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, CommandError

COMMANDS = ("chat", "turns", "dead-letters", "approvals", "budget", "usage", "fork", "compatibility", *cluster.COMMANDS)
_GATEWAY = "app.kubernetes.io/name=botyard,app.kubernetes.io/component=gateway"
_ASK_SECONDS = 20.0
_FORWARD_SECONDS = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run `kubectl botyard`; return the exit code."""
    options, rest = _parser().parse_known_args(sys.argv[1:] if argv is None else argv)
    try:
        return _run(options, rest)
    except CommandError as error:
        print(f"botyard: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubectl botyard",
        usage="kubectl botyard {" + ",".join(COMMANDS) + "} … [OPTIONS]",
        description="Talk to the bots of a cluster and keep them going. `kubectl botyard COMMAND --help` tells more.",
        epilog="BOTYARD_TOKEN holds the token for the gateway (`kubectl create token SERVICEACCOUNT`), BOTYARD_URL its "
        "address; without one the cluster's gateway is reached through `kubectl port-forward`.",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-n", "--namespace", help="namespace of the bot; else the kubeconfig's")
    parser.add_argument("--context", help="context of the kubeconfig")
    parser.add_argument("--kubeconfig", metavar="FILE", help="which kubeconfig")
    return parser


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    if not rest or rest[0] in ("-h", "--help", "help"):
        _parser().print_help()
        return 0 if rest else EXIT_USAGE
    if rest[0] not in COMMANDS:
        raise CommandError(f"there is no command `{rest[0]}`; there are: {', '.join(COMMANDS)}", code=EXIT_USAGE)
    if {"-h", "--help"} & set(rest):
        return botyard.main(rest) if rest[0] not in cluster.COMMANDS else _help(rest[0])
    kubectl = _kubectl(options)
    namespace = options.namespace or _namespace(kubectl, options.context)
    if rest[0] in cluster.COMMANDS:
        return cluster.run(cluster.Kubectl(kubectl, namespace), rest)
    arguments = [*rest, "--namespace", namespace]
    if "BOTYARD_URL" in os.environ or any(re.match(r"--url\b|https?://", word) for word in rest):
        return botyard.main(arguments)
    with _forwarded(kubectl) as url:
        os.environ["BOTYARD_URL"] = url
        return botyard.main(arguments)


def _help(command: str) -> int:
    cluster.parser().parse_args([command, "--help"])
    return 0


def _kubectl(options: argparse.Namespace) -> list[str]:
    binary = shutil.which("kubectl")
    if binary is None:
        raise CommandError("kubectl is not on the PATH")
    given = [("--context", options.context), ("--kubeconfig", options.kubeconfig)]
    return [binary, *(word for name, value in given if value for word in (name, value))]


def _namespace(kubectl: Sequence[str], context: str | None) -> str:
    """Return the namespace of the context in use; `default` as kubectl does where there is none."""
    config = json.loads(_ask([*kubectl, "config", "view", "-o", "json"]))
    name = context or config.get("current-context")
    for each in config.get("contexts") or []:
        if each["name"] == name:
            return str(each["context"].get("namespace") or "default")
    return "default"


def _ask(command: Sequence[str]) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise CommandError(f"kubectl gave no answer within {_ASK_SECONDS:g} s") from None
    if ran.returncode:
        raise CommandError(f"kubectl: {ran.stderr.strip()}", code=EXIT_FAILED)
    return ran.stdout.strip()


@contextlib.contextmanager
def _forwarded(kubectl: Sequence[str]) -> Iterator[str]:
    """Forward a free local port to the cluster's gateway for the length of the context; yield its address.

    Raises:
        CommandError: There is no gateway, several, or it cannot be reached.
    """
    services = json.loads(_ask([*kubectl, "get", "services", "--all-namespaces", "-l", _GATEWAY, "-o", "json"]))[
        "items"
    ]
    if len(services) != 1:
        there = ", ".join(f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in services)
        raise CommandError(f"the cluster has {there or 'no gateway'}: name the one you mean by BOTYARD_URL or --url")
    name, port = services[0]["metadata"], services[0]["spec"]["ports"][0]["port"]
    command = [*kubectl, "port-forward", "-n", name["namespace"], f"service/{name['name']}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as forwarding:
        assert forwarding.stdout is not None
        assert forwarding.stderr is not None
        # What never says where it listens is ended, which ends the wait for it.
        timer = threading.Timer(_FORWARD_SECONDS, forwarding.terminate)
        timer.start()
        try:
            found = re.search(r"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
            timer.cancel()
            if found is None:
                forwarding.terminate()
                raise CommandError(f"kubectl port-forward: {forwarding.stderr.read().strip() or 'no answer'}")
            # It tells of each connection: what nobody reads would stop it in the end.
            for pipe in (forwarding.stdout, forwarding.stderr):
                threading.Thread(target=pipe.read, daemon=True).start()
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            timer.cancel()
            forwarding.terminate()


if __name__ == "__main__":
    sys.exit(main())
