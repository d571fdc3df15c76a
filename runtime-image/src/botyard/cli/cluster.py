"""`kubectl botyard` against the API server alone: why, doctor, hire, rollback, promote."""

import argparse
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from botyard.cli.causes import Object, cause, conditions
from botyard.cli.errors import EXIT_FAILED, EXIT_USAGE, CommandError
from botyard.contract import names

_SECONDS = 30.0
_PART = "app.kubernetes.io/name=botyard,app.kubernetes.io/component="


class Kubectl:
    """kubectl with the options that choose the cluster."""

    def __init__(self, command: Sequence[str], namespace: str) -> None:
        self._command = list(command)
        self.namespace = namespace

    def run(self, *words: str, text: str | None = None) -> str:
        """Return what kubectl prints.

        Args:
            words: Its arguments.
            text: What it reads from its standard input.

        Raises:
            CommandError: It failed, or gave no answer in time.
        """
        try:
            ran = subprocess.run(
                [*self._command, *words], input=text, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"kubectl gave no answer within {_SECONDS:g} s") from None
        if ran.returncode:
            raise CommandError(ran.stderr.strip() or "kubectl failed", code=EXIT_FAILED)
        return ran.stdout

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, or None where it does not exist."""
        words = ("get", kind, name, "-n", namespace or self.namespace, "-o", "json", "--ignore-not-found")
        text = self.run(*words).strip()
        return json.loads(text) if text else None

    def items(self, kind: str, *options: str) -> list[Object]:
        """Return the objects of a kind."""
        found: list[Object] = json.loads(self.run("get", kind, *options, "-o", "json"))["items"]
        return found


def run(kubectl: Kubectl, arguments: Sequence[str]) -> int:
    """Run one of `COMMANDS`; return the exit code."""
    options = parser().parse_args(arguments)
    command: Callable[[Kubectl, argparse.Namespace], int] = options.run
    return command(kubectl, options)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="kubectl botyard")
    commands = top.add_subparsers(dest="command", required=True)
    why = commands.add_parser("why", help="the one cause and the one next step")
    why.add_argument("bot", metavar="BOT")
    why.set_defaults(run=_why)
    doctor = commands.add_parser("doctor", help="check the installation and name what is wrong")
    doctor.set_defaults(run=_doctor)
    hire = commands.add_parser("hire", help="create a Persona of a bot")
    hire.add_argument("bot", metavar="BOT")
    hire.add_argument("name", metavar="NAME")
    hire.add_argument("--display-name", default="", metavar="TEXT", help="name that people see")
    hire.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setup value, as YAML; may be repeated"
    )
    hire.set_defaults(run=_hire)
    rollback = commands.add_parser("rollback", help="pin a bot to the revision that ran before, or to another one")
    rollback.add_argument("bot", metavar="BOT")
    chosen = rollback.add_mutually_exclusive_group()
    chosen.add_argument("--to", metavar="REVISION", help="as the Bundle's status.history shows it")
    chosen.add_argument("--follow", action="store_true", help="end the pin: follow the Bundle again")
    rollback.set_defaults(run=_rollback)
    promote = commands.add_parser("promote", help="let a new revision that is ramped have its next share now")
    promote.add_argument("bot", metavar="BOT")
    promote.add_argument("--all", action="store_true", help="end the ramp: all conversations")
    promote.set_defaults(run=_promote)
    return top


COMMANDS = ("why", "doctor", "hire", "rollback", "promote")


def _bot(kubectl: Kubectl, name: str) -> Object:
    found = kubectl.get("bots.botyard.dev", name)
    if found is None:
        there = ", ".join(
            each["metadata"]["name"] for each in kubectl.items("bots.botyard.dev", "-n", kubectl.namespace)
        )
        raise CommandError(f"there is no Bot {name} in namespace {kubectl.namespace} (there are: {there or 'none'})")
    return found


def _bundle(kubectl: Kubectl, bot: Object) -> Object | None:
    reference = bot["spec"]["bundleRef"]
    return kubectl.get("bundles.botyard.dev", reference["name"], reference.get("namespace"))


def _why(kubectl: Kubectl, options: argparse.Namespace) -> int:
    bot = _bot(kubectl, options.bot)
    found = cause(bot, _bundle(kubectl, bot))
    serving = " (the last good revision answers)" if found.serves and found.state in {"stuck", "moving"} else ""
    print(f"{kubectl.namespace}/{options.bot} is {found.state}{serving}: {found.reason}")
    print(f"  {found.message}")
    if found.step:
        print(f"Next: {found.step}")
    return EXIT_FAILED if found.state == "stuck" else 0


def _doctor(kubectl: Kubectl, options: argparse.Namespace) -> int:
    findings: list[tuple[bool, str]] = []
    definitions = {each["metadata"]["name"] for each in kubectl.items("customresourcedefinitions")}
    for plural in ("bundles", "bots", "personas"):
        there = f"{plural}.botyard.dev" in definitions
        findings.append((there, f"kind {plural}" + ("" if there else ": install the chart botyard-crds")))
    findings += [_available(kubectl, part) for part in ("operator", "gateway")]
    if all(good for good, _ in findings[:3]):
        for kind in ("bundles", "bots", "personas"):
            findings += _troubles(kind, kubectl.items(f"{kind}.botyard.dev", "--all-namespaces"))
    for good, text in findings:
        print(("ok      " if good else "FAILED  ") + text)
    return 0 if all(good for good, _ in findings) else EXIT_FAILED


def _available(kubectl: Kubectl, part: str) -> tuple[bool, str]:
    found = kubectl.items("deployments", "--all-namespaces", "-l", _PART + part)
    if not found:
        return False, f"{part}: no Deployment carries the labels {_PART}{part}; install the chart botyard"
    where = ", ".join(f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found)
    ready = sum((each.get("status") or {}).get("availableReplicas") or 0 for each in found)
    text = f"{part}: {ready} replicas available ({where})"
    return ready > 0, text if ready else f"{text}; look at kubectl describe and the logs of its pods"


def _troubles(kind: str, objects: Sequence[Object]) -> list[tuple[bool, str]]:
    wrong = []
    for obj in objects:
        seen = conditions(obj)
        found = seen.get("Stalled") or (seen.get("Ready") if seen.get("Ready", {}).get("status") == "False" else None)
        if found is not None:
            where = f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
            wrong.append((False, f"{kind} {where}: {found.get('reason')}: {found.get('message')}"))
    return wrong or [(True, f"{len(objects)} {kind}, none of them in trouble")]


def _hire(kubectl: Kubectl, options: argparse.Namespace) -> int:
    _bot(kubectl, options.bot)
    spec: dict[str, Any] = {"botRef": {"name": options.bot}}
    if options.display_name:
        spec["displayName"] = options.display_name
    if options.set:
        spec["setup"] = _setup(options.set)
    persona = {
        "apiVersion": "botyard.dev/v1alpha1",
        "kind": "Persona",
        "metadata": {"name": options.name, "namespace": kubectl.namespace},
        "spec": spec,
    }
    print(kubectl.run("create", "-f", "-", text=json.dumps(persona)).strip())
    return 0


def _setup(pairs: Sequence[str]) -> Mapping[str, Any]:
    values = {}
    for pair in pairs:
        key, found, text = pair.partition("=")
        if not found or not key:
            raise CommandError(f"--set {pair}: write KEY=VALUE", code=EXIT_USAGE)
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise CommandError(f"--set {pair}: the value is not YAML: {error}", code=EXIT_USAGE) from error
    return values


def _rollback(kubectl: Kubectl, options: argparse.Namespace) -> int:
    bot = _bot(kubectl, options.bot)
    status = bot.get("status") or {}
    revision: str | None = None
    if not options.follow:
        # While a revision is ramped, the one before is what runs beside it.
        revision = options.to or (status.get("ramp") or {}).get("previous") or status.get("previousRevision")
        if not revision:
            raise CommandError(f"no other revision of {options.bot} has run before: name one by --to")
        bundle = _bundle(kubectl, bot) or {}
        kept = [each.get("revision") for each in (bundle.get("status") or {}).get("history") or ()]
        running = {status.get("revision"), (status.get("ramp") or {}).get("previous")}
        if revision not in kept and revision not in running:
            shown = "\n  ".join(str(each) for each in kept) or "none"
            raise CommandError(f"the Bundle does not keep {revision}; it keeps\n  {shown}")
    patch = json.dumps({"spec": {"bundleRef": {"revision": revision}}})
    name = f"bots.botyard.dev/{options.bot}"
    kubectl.run("patch", name, "-n", kubectl.namespace, "--type", "merge", "-p", patch)
    if revision is None:
        print(f"{kubectl.namespace}/{options.bot} follows its Bundle again")
    else:
        print(f"{kubectl.namespace}/{options.bot} is pinned to {revision}; `--follow` ends the pin")
    return 0


def _promote(kubectl: Kubectl, options: argparse.Namespace) -> int:
    bot = _bot(kubectl, options.bot)
    ramp = (bot.get("status") or {}).get("ramp")
    if not ramp or ramp.get("share", 0) == 100:
        raise CommandError(f"no revision of {options.bot} is ramped now")
    steps = bot["spec"]["rollout"].get("ramp") or ()
    share = 100 if options.all else next((step for step in steps if step > ramp.get("share", 0)), 100)
    promotion = f"{names.ANNOTATION_PROMOTE}={ramp['revision']}={share}"
    kubectl.run("annotate", f"bots.botyard.dev/{options.bot}", "-n", kubectl.namespace, "--overwrite", promotion)
    print(f"{share} % of new conversations of {kubectl.namespace}/{options.bot} begin on {ramp['revision']}")
    return 0
