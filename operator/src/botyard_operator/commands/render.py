"""`botyard render`: the children that the operator would apply, by running its reconcilers on files."""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import yaml

from botyard_operator.clock import SystemClock
from botyard_operator.commands import manifests
from botyard_operator.commands.check import problems
from botyard_operator.commands.manifests import Document
from botyard_operator.commands.offline import OfflineCluster
from botyard_operator.reconcile.base import Context, JsonObject, Key, RetryLater
from botyard_operator.reconcile.bot import BotReconciler
from botyard_operator.reconcile.persona_shards import KIND as PERSONA_SHARDS
from botyard_operator.reconcile.persona_shards import PersonaShardsReconciler, ShardReader
from botyard_operator.settings import Settings, SettingsError
from botyard_operator.spending import Spending

INVALID, UNREADABLE = 1, 2
_STAND_IN_KEY = b"stand-in for the installation's key"
_KEPT = (*manifests.KINDS, "Secret", "ConfigMap")


def run(argv: Sequence[str]) -> int:
    """Print the children of the Bots of files; return 0, 1 when one cannot be rendered, 2 when nothing can be read."""
    options = _parser().parse_args(argv)
    try:
        documents = [document for document in manifests.read(options.filename) if document.kind in _KEPT]
        settings = Settings.from_environment()
        settings = replace(settings, artifact_key=settings.artifact_key or _STAND_IN_KEY)
    except (manifests.Unreadable, SettingsError) as error:
        print(f"botyard: render: {error}", file=sys.stderr)
        return UNREADABLE
    own = [document for document in documents if document.kind in manifests.KINDS]
    wrong = [(document, *each) for document in own for each in problems(document)]
    wrong += [(each, *found) for each in documents if each.kind == "Secret" for found in _undecodable(each)]
    for document, path, message in wrong:
        print(f"{document.place(path)}: {document.title}: {path}: {message}", file=sys.stderr)
    if wrong:
        return INVALID
    bots = [document.obj for document in own if document.kind == "Bot"]
    if not bots:
        print(f"botyard: render: no Bot in {', '.join(options.filename)}", file=sys.stderr)
        return UNREADABLE
    cluster = OfflineCluster(_objects(documents, options.namespace), artifact_base_url=settings.artifact_base_url)
    failed = asyncio.run(_reconcile(cluster, settings))
    for assumption in cluster.assumed:
        print(f"# {assumption}: a stand-in is shown", file=sys.stderr)
    for message in failed:
        print(f"botyard: render: {message}", file=sys.stderr)
    shown = [obj if options.show_secrets else _veiled(obj) for obj in cluster.applied]
    sys.stdout.write(yaml.safe_dump_all(shown, sort_keys=False, width=110, allow_unicode=True, explicit_start=True))
    return INVALID if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botyard render",
        description="Print the children that the operator would apply for the Bots of files. Bundles, Personas and "
        "Secrets are taken from the files; what is not there is shown as a stand-in, which standard error tells. "
        "What the installation configures comes from the operator's environment variables (BOTYARD_RUNTIME_IMAGE, …).",
    )
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="file or folder of manifests, - for standard input; may be repeated",
    )
    parser.add_argument(
        "-n", "--namespace", default="default", help="namespace of objects that name none (%(default)s)"
    )
    parser.add_argument("--show-secrets", action="store_true", help="print the values of Secrets instead of their size")
    return parser


def _undecodable(secret: Document) -> Iterator[tuple[str, str]]:
    for name, value in (secret.obj.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (TypeError, ValueError):
            yield f"data.{name}", "is not base64; write plain text below stringData"


def _objects(documents: Sequence[Document], namespace: str) -> Iterator[JsonObject]:
    for document in documents:
        metadata = {"namespace": namespace, **document.obj["metadata"]}
        yield {**document.obj, "metadata": metadata}


async def _reconcile(cluster: OfflineCluster, settings: Settings) -> list[str]:
    """Run the reconcilers of all Bots; return what kept them from their children."""

    def enqueue(key: Key, delay: float = 0.0) -> None:
        """Nothing is reconciled again."""

    ctx = Context(
        caches=cluster.caches,
        kube=cluster,
        settings=settings,
        clock=SystemClock(),
        recorder=cluster,
        enqueue=enqueue,
    )
    bots, shards = BotReconciler(Spending(None, SystemClock())), PersonaShardsReconciler(ShardReader())
    failed = []
    for key in sorted(cluster.caches.keys("Bot")):
        before = len(cluster.applied)
        try:
            await bots.reconcile(key, ctx)
            await shards.reconcile(Key(PERSONA_SHARDS, key.namespace, key.name), ctx)
        except RetryLater as error:
            failed.append(f"Bot {key.namespace}/{key.name}: {error}")
            continue
        if not any(obj["kind"] == "Deployment" for obj in cluster.applied[before:]):
            failed.append(f"Bot {key.namespace}/{key.name}: {_reason(cluster, key)}")
    return failed


def _reason(cluster: OfflineCluster, key: Key) -> str:
    """Return why a Bot has no children: its status tells."""
    obj = cluster.caches.get(key.kind, key.namespace, key.name) or {}
    if (obj.get("spec") or {}).get("suspend"):
        return "spec.suspend is true: nothing is applied"
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((each["message"] for each in conditions if each["type"] == "Ready"), "it has no children")


def _veiled(obj: JsonObject) -> JsonObject:
    """Return a Secret with the sizes of its values in their place; other objects as they are."""
    if obj["kind"] != "Secret":
        return obj
    data: dict[str, Any] = obj.get("data") or {}
    veiled = {name: f"<{len(base64.b64decode(value))} bytes>" for name, value in data.items()}
    return {**obj, "data": veiled} if veiled else obj
