"""One accepted and one refused object for every rule of the API.

The unit tests put them through `Kind.parse`, the integration tests through a real API server; both must agree.
"""

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

SPECS: dict[str, Object] = {
    "Bundle": {"git": {"url": "https://git.example.com/shop/bots.git"}},
    "Bot": {"bundleRef": {"name": "repairs"}},
    "Persona": {"botRef": {"name": "clerk"}},
}
"""The smallest spec of each kind."""


@dataclass(frozen=True)
class Example:
    """Two specs that differ in what one rule is about.

    Attributes:
        kind: The kind.
        location: Where the rule stands in the schema: `spec.credentials[].name`, `spec.model.roles.*`.
        message: The beginning of the rule's message.
        accepted: Merged into the smallest spec: holds the rule. None in it removes a field.
        refused: The same, breaks the rule.
        accepted_name: Name of the accepted object.
        refused_name: Name of the refused object.
    """

    kind: str
    location: str
    message: str
    accepted: Object
    refused: Object
    accepted_name: str = "example"
    refused_name: str = "example"

    @property
    def id(self) -> str:
        return f"{self.kind}-{self.location}-{self.message[:40]}"

    def build(self, *, accepted: bool, namespace: str) -> Object:
        """Return one of the two objects."""
        return manifest(
            self.kind,
            self.accepted if accepted else self.refused,
            name=self.accepted_name if accepted else self.refused_name,
            namespace=namespace,
        )


def manifest(kind: str, changes: Object, *, name: str = "example", namespace: str = "default") -> Object:
    """Return an object with the smallest spec of its kind and these changes."""
    return {
        "apiVersion": "botyard.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": merge(SPECS[kind], changes),
    }


def merge(base: Object, changes: Object) -> Object:
    """Return `base` with `changes` merged in, as a JSON merge patch does; None stays where nothing is to remove."""
    result = dict(base)
    for key, value in changes.items():
        if value is None and key in result:
            del result[key]
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def at(path: str, value: Any) -> Object:
    """Return the nested object that has `value` at a dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def field(kind: str, path: str, message: str, good: Any, bad: Any, **beside: Any) -> Example:
    """Return an example for a rule about one plain field, or the items of one (`spec.events.allow[]`).

    `beside` is merged into both specs.
    """
    key = path.removesuffix("[]")
    return Example(kind, f"spec.{path}", message, merge(beside, at(key, good)), merge(beside, at(key, bad)))


SECRET: Object = {"name": "crm", "key": "token"}
OBJECT_NAME = "write the name of an object"
ENTRY_KEY = "write the key of an entry"
ARCHIVE: Object = {"url": "https://files.example.com/bot.whl", "digest": f"sha256:{'0' * 64}"}
NO_GIT: Object = {"git": None}
SSH = "git@git.example.com:shop/bots.git"


def credential(**changes: Any) -> Object:
    """Return the spec of a Bot with one credential."""
    return {"credentials": [merge({"name": "PAYMENT_KEY", "secretKeyRef": SECRET}, changes)]}


def setup_from(**changes: Any) -> Object:
    """Return the spec of a Persona with one setup value from a Secret."""
    return {"setupFrom": [merge({"key": "API_KEY", "secretKeyRef": SECRET}, changes)]}


def subscription(**changes: Any) -> Object:
    """Return the spec of a Persona with one ERP subscription."""
    return {"erp": {"subscriptions": [merge({"table": "crm_contact", "actions": ["INSERT"]}, changes)]}}


def schedule(**changes: Any) -> Object:
    """Return the spec of a Persona with one schedule."""
    return {"schedules": [merge({"name": "morning", "type": "SCHED_TODO", "when": "EVERY:5m"}, changes)]}


def role(**changes: Any) -> Object:
    """Return the spec of a Bot with a model for one role."""
    return {"model": {"name": "small", "secretRef": SECRET, "roles": {"solver": changes}}}


def selector(**requirement: Any) -> Object:
    """Return the spec of a Bundle with one requirement on namespaces."""
    return {"allowedNamespaces": {"from": "Selector", "selector": {"matchExpressions": [requirement]}}}


BUNDLE = [
    Example(
        "Bundle",
        "",
        "write a name of at most 50",
        {},
        {},
        accepted_name="a" * 50,
        refused_name="a" * 51,
    ),
    Example("Bundle", "spec", "write exactly one of git, archive and inline", {}, {"archive": ARCHIVE}),
    field("Bundle", "git.url", "write an https://, http:// or ssh:// URL", "http://git/bots.git", "file:///srv/bots"),
    field(
        "Bundle",
        "git.url",
        "leave user and password out of the URL",
        "https://git.example.com/a@b.git",
        "https://u:p@git.example.com/bots.git",
    ),
    Example(
        "Bundle",
        "spec.git",
        "an SSH URL needs secretRef",
        {"git": {"url": SSH, "secretRef": {"name": "git"}}},
        {"git": {"url": SSH}},
    ),
    Example(
        "Bundle",
        "spec.git",
        "verify.mode Tag and TagAndHEAD need",
        {"git": {"ref": {"tag": "v1"}, "verify": {"mode": "Tag", "secretRef": {"name": "signers"}}}},
        {"git": {"ref": {"branch": "main"}, "verify": {"mode": "Tag", "secretRef": {"name": "signers"}}}},
    ),
    field("Bundle", "git.secretRef.name", OBJECT_NAME, "git-credentials", "Git_Credentials"),
    field("Bundle", "git.verify.secretRef.name", OBJECT_NAME, "signers", "signers/"),
    field(
        "Bundle",
        "git.ref",
        "write exactly one of branch, tag, semver and commit",
        {"tag": "v1.2.0"},
        {"branch": "main", "tag": "v1.2.0"},
    ),
    field("Bundle", "git.ref.branch", "write a branch name", "feature/x", "--upload-pack=x"),
    field("Bundle", "git.ref.branch", "write a valid branch name", "release/1.2", "release/../x"),
    field("Bundle", "git.ref.tag", "write a tag name", "v1.2.0", "v1 2"),
    field("Bundle", "git.ref.tag", "write a valid tag name", "v1.2.0", "v1.lock"),
    field("Bundle", "git.ref.semver", "write a range of versions", ">=1.2.0 <2.0.0", "latest;"),
    field("Bundle", "git.ref.commit", "write the full commit hash", "5d0c" * 10, "5d0c1f2"),
    field("Bundle", "archive.url", "write an https:// or http:// URL of", ARCHIVE["url"], "ftp://x/bot.zip",
          **NO_GIT, archive=ARCHIVE),
    field("Bundle", "archive.url", "leave user and password out of the URL", ARCHIVE["url"],
          "https://u:p@files.example.com/bot.whl", **NO_GIT, archive=ARCHIVE),
    field("Bundle", "archive.digest", "write sha256:", ARCHIVE["digest"], "md5:0", **NO_GIT, archive=ARCHIVE),
    field("Bundle", "archive.secretRef.name", OBJECT_NAME, "files", "Files_1", **NO_GIT, archive=ARCHIVE),
    field("Bundle", "inline.files", "write file names as relative paths", {"tools/weather.py": ""},
          {"../bot.py": ""}, **NO_GIT),
    field("Bundle", "inline.files", "write at most 524288 characters", {"a.py": "#" * 262144, "b.py": "#" * 262144},
          {"a.py": "#" * 262144, "b.py": "#" * 262144, "c.py": "#"}, **NO_GIT),
    field("Bundle", "path", "write a path below the source's root", "bots/repairs", "bots/../../etc"),
    field("Bundle", "entrypoint", "symbol needs module", {"module": "bot", "symbol": "Bot"}, {"symbol": "Bot"}),
    field("Bundle", "entrypoint.module", "write a dotted Python module", "shop.bot", "shop/bot.py"),
    field("Bundle", "entrypoint.symbol", "write the name of a class or function", "Bot", "Bot()",
          entrypoint={"module": "bot"}),
    field("Bundle", "dependencies.requirements[]", "write a path below the source's root", ["requirements.txt"],
          ["/etc/passwd"]),
    field("Bundle", "dependencies.indexSecretRef.name", OBJECT_NAME, "pypi", "PyPI"),
    field("Bundle", "interval", "write a duration from 1s to 24h", "1m30s", "0s"),
    field("Bundle", "timeout", "write a duration from 1s to 1h", "60s", "60"),
    field("Bundle", "limits.size", "write a size above zero", "100Mi", "100 MB"),
    field("Bundle", "retain.ttl", "write a duration from 1m to 8760h", "24h", "1d"),
    Example(
        "Bundle",
        "spec.allowedNamespaces",
        "write selector together with from: Selector",
        {"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "shop"}}}},
        {"allowedNamespaces": {"from": "Selector"}},
    ),
    Example(
        "Bundle",
        "spec.allowedNamespaces.selector.matchExpressions[]",
        "In and NotIn need values",
        selector(key="team", operator="In", values=["shop"]),
        selector(key="team", operator="In"),
    ),
]  # fmt: skip

BOT = [
    Example(
        "Bot",
        "",
        "write a name of at most 50",
        {},
        {},
        accepted_name="b" * 50,
        refused_name="1st",
    ),
    Example(
        "Bot",
        "spec",
        "write replicas not above autoscaling.maxReplicas",
        {"replicas": 5, "autoscaling": {"maxReplicas": 5}},
        {"replicas": 6, "autoscaling": {"maxReplicas": 5}},
    ),
    field("Bot", "bundleRef.name", OBJECT_NAME, "repairs", "Repairs"),
    field("Bot", "bundleRef.namespace", "write the name of a namespace", "shop", "shop.example"),
    field("Bot", "bundleRef.revision", "write a revision", "main@sha1:5d0c", "main 5d0c"),
    field("Bot", "autoscaling", "write a minReplicas that is not above", {"minReplicas": 2, "maxReplicas": 2},
          {"minReplicas": 3, "maxReplicas": 2}),
    field("Bot", "autoscaling.idleAfter", "write a duration from 10s to 168h", "10m", "1s"),
    field("Bot", "model", "provider scripted needs script",
          {"provider": "scripted", "script": {"configMapRef": {"name": "script"}}}, {"provider": "scripted"}),
    field("Bot", "model", "provider openai needs name", {"name": "small", "secretRef": SECRET}, {"secretRef": SECRET}),
    field("Bot", "model", "provider openai without endpoint needs secretRef",
          {"name": "small", "endpoint": "http://llm/v1"}, {"name": "small"}),
    field("Bot", "model", "script is read by provider scripted only", {"name": "small", "secretRef": SECRET},
          {"name": "small", "secretRef": SECRET, "script": {"configMapRef": {"name": "script"}}}),
    field("Bot", "model.name", "write the model's name", "gpt-4o-mini", "gpt 4o", model={"secretRef": SECRET}),
    field("Bot", "model.endpoint", "write an https:// or http:// URL such as", "https://llm.example.com/v1",
          "llm.example.com", model={"name": "small"}),
    field("Bot", "model.endpoint", "leave user and password out of the URL", "https://llm.example.com/v1",
          "https://key@llm.example.com/v1", model={"name": "small"}),
    field("Bot", "model.secretRef.name", OBJECT_NAME, "llm", "LLM", model={"name": "small", "secretRef": SECRET}),
    field("Bot", "model.secretRef.key", ENTRY_KEY, "apiKey", "api key", model={"name": "small", "secretRef": SECRET}),
    field("Bot", "model.script.configMapRef.name", OBJECT_NAME, "script", "script!", model={"provider": "scripted"}),
    Example("Bot", "spec.model.roles.*", "provider scripted needs script",
            role(provider="scripted", script={"configMapRef": {"name": "script"}}), role(provider="scripted")),
    Example("Bot", "spec.model.roles.*.name", "write the model's name", role(name="large"), role(name="large one")),
    Example("Bot", "spec.model.roles.*.endpoint", "write an https:// or http:// URL such as",
            role(endpoint="http://llm/v1"), role(endpoint="unix:///llm")),
    Example("Bot", "spec.model.roles.*.endpoint", "leave user and password out of the URL",
            role(endpoint="http://llm/v1"), role(endpoint="http://key@llm/v1")),
    Example("Bot", "spec.model.roles.*.secretRef.name", OBJECT_NAME,
            role(secretRef=SECRET), role(secretRef={"name": "-", "key": "token"})),
    Example("Bot", "spec.model.roles.*.secretRef.key", ENTRY_KEY,
            role(secretRef=SECRET), role(secretRef={"name": "crm", "key": "a/b"})),
    Example("Bot", "spec.model.roles.*.script.configMapRef.name", OBJECT_NAME,
            role(script={"configMapRef": {"name": "script"}}), role(script={"configMapRef": {"name": "Script"}})),
    Example("Bot", "spec.credentials", "write every credential name once",
            credential(), {"credentials": credential()["credentials"] * 2}),
    Example("Bot", "spec.credentials[].name", "write a name of letters, digits", credential(), credential(name="A-B")),
    Example("Bot", "spec.credentials[].secretKeyRef.name", OBJECT_NAME,
            credential(), credential(secretKeyRef={"name": "Pay"})),
    Example("Bot", "spec.credentials[].secretKeyRef.key", ENTRY_KEY,
            credential(), credential(secretKeyRef={"key": "k/k"})),
    field("Bot", "budget.daily", "write coins from 0", 0, -1),
    field("Bot", "limits.turnTimeout", "write a duration from 1s to 24h", "10m", "ten minutes"),
    field("Bot", "limits.maxInput", "write a size above zero", 1048576, 0),
    field("Bot", "events.allow[]", "write an event type", ["chat.followups", "chat.*"], ["chat.*.step"]),
    field("Bot", "rollout", "write ramp as rising percentages", {"ramp": [10, 50, 100]}, {"ramp": [50, 10, 100]}),
    field("Bot", "rollout.progressDeadline", "write a duration from 10s to 24h", "5m", "5"),
    field("Bot", "rollout.rampPause", "write a duration from 1s to 168h", "30m", "8d"),
]  # fmt: skip

PERSONA = [
    Example("Persona", "", "write a name of at most 63", {}, {}, accepted_name="c" * 63, refused_name="a.b"),
    field("Persona", "botRef.name", "write the name of a Bot", "clerk", "1clerk"),
    Example("Persona", "spec.setupFrom", "write every setup key once",
            setup_from(), {"setupFrom": setup_from()["setupFrom"] * 2}),
    Example("Persona", "spec.setupFrom[].key", "write a key of the bundle's setup schema",
            setup_from(), setup_from(key="1")),
    Example("Persona", "spec.setupFrom[].secretKeyRef.name", OBJECT_NAME,
            setup_from(), setup_from(secretKeyRef={"name": "CRM"})),
    Example("Persona", "spec.setupFrom[].secretKeyRef.key", ENTRY_KEY,
            setup_from(), setup_from(secretKeyRef={"key": "*"})),
    field("Persona", "budget.daily", "write coins from 0", 1_000_000, -1),
    field("Persona", "budget.perTask", "write coins from 0", 0, -5),
    field("Persona", "budget.perThread", "write coins from 0", 10**15, 10**15 + 1),
    field("Persona", "budget.timeZone", "write an IANA time zone", "America/Argentina/Ushuaia", "Berlin time"),
    Example("Persona", "spec.erp.subscriptions[].table", "write the name of a table",
            subscription(table="our_own"), subscription(table="crm-contact")),
    Example("Persona", "spec.erp.subscriptions[].where[]", "write column:operator:value",
            subscription(where=["contact_country:=:DE", "contact_email:IS_NOT_NULL"]),
            subscription(where=["contact_country == DE"])),
    Example("Persona", "spec.erp.subscriptions[].columns[]", "write the name of a column",
            subscription(columns=["contact_email"]), subscription(columns=["contact.email"])),
    Example("Persona", "spec.schedules", "write every schedule name once",
            schedule(), {"schedules": schedule()["schedules"] * 2}),
    Example("Persona", "spec.schedules[].name", "write lower-case letters", schedule(), schedule(name="Morning")),
    Example("Persona", "spec.schedules[].when", "write EVERY:5m", schedule(when="WEEKDAYS:MO:FR/09:00"),
            schedule(when="WEEKDAYS:MO:FR/9:00")),
    field("Persona", "mongo.secretRef.name", OBJECT_NAME, "mongo", "Mongo"),
    field("Persona", "erp.connectionSecretRef.name", OBJECT_NAME, "nora-database", "Nora"),
]  # fmt: skip

EXAMPLES = [*BUNDLE, *BOT, *PERSONA]

MORE_ACCEPTED: list[tuple[str, Object]] = [
    ("Bundle", {"git": {"url": "ssh://git@git.example.com:2222/bots.git", "secretRef": {"name": "git"}}}),
    ("Bundle", {"git": {"url": "https://[::1]:8443/bots.git"}}),
    ("Bundle", {"git": {"ref": {}}}),
    ("Bundle", {"path": ""}),
    ("Bundle", {"limits": {"size": 1048576}}),
    ("Bot", {"replicas": 0}),
    ("Bot", {"autoscaling": {"minReplicas": 2}}),
    ("Bot", {"resources": {"requests": {"cpu": 1, "memory": "128Mi"}, "limits": {"cpu": "1500m"}}}),
    ("Bot", {"config": {"deep": [{"er": None}, 1, "x"]}, "podTemplate": {"spec": {"nodeSelector": {"a": "b"}}}}),
    ("Persona", {"schedules": [{"name": "end", "type": "SCHED_ANY", "when": "MONTHDAY:-1/23:59"}]}),
    ("Persona", {"setup": {"greeting": "Hello", "limit": 7, "nested": [{"a": 1}]}}),
]
"""Further specs that must be possible."""

MORE_REFUSED: list[tuple[str, Object, str]] = [
    ("Bundle", {"git": None}, "write exactly one of git, archive and inline"),
    ("Bundle", {"git": {"url": "ext::sh -c id"}}, "write an https://"),
    ("Bundle", {"git": {"url": "ssh://-oProxyCommand=id/x", "secretRef": {"name": "git"}}}, "write an https://"),
    ("Bundle", {"git": {"url": "-git@host:x", "secretRef": {"name": "git"}}}, "write an https://"),
    ("Bundle", {"git": {"url": "https://git.example.com/a b"}}, "write an https://"),
    ("Bundle", {"git": {"url": "https://git.example.com/a\n"}}, "write an https://"),
    ("Bundle", {"path": "/etc"}, "write a path below"),
    ("Bundle", {"path": ".."}, "write a path below"),
    ("Bundle", {"path": "a\\b"}, "write a path below"),
    ("Bundle", {"allowedNamespaces": {"from": "Same", "selector": {}}}, "write selector together with"),
    ("Bundle", selector(key="team", operator="Exists", values=["x"]), "In and NotIn need values"),
    ("Bundle", {"interval": "25h"}, "write a duration from 1s to 24h"),
    ("Bundle", {"interval": "99999999h"}, "write a duration from 1s to 24h"),
    ("Bot", {"rollout": {"ramp": [10, 50]}}, "write ramp as rising percentages"),
    ("Bot", {"rollout": {"ramp": [10, 10, 100]}}, "write ramp as rising percentages"),
    ("Persona", {"schedules": [{"name": "x", "type": "SCHED_ANY", "when": "EVERY:30s"}]}, "write EVERY:5m"),
    ("Persona", {"schedules": [{"name": "x", "type": "SCHED_ANY", "when": "MONTHDAY:32/08:00"}]}, "write EVERY:5m"),
]
"""Further specs that must be refused, with the beginning of the message."""
