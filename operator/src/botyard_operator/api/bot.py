"""Bot: a running deployment of a Bundle."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from botyard_operator.api.base import Model
from botyard_operator.api.coins import Coins
from botyard_operator.api.durations import DurationText, duration_between
from botyard_operator.api.markers import LIST_SET, list_map
from botyard_operator.api.meta import Condition
from botyard_operator.api.quantities import Quantity, QuantityText, Size
from botyard_operator.api.refs import LocalObjectRef, NamespaceName, ObjectName, SecretKeyRef
from botyard_operator.api.resource import Column, Definition, Resource, Scale
from botyard_operator.api.rules import Rule, matches, refuses, unique

MAX_NAME = 50
"""The longest child adds `-credentials` (12 characters), and a Service's name has at most 63."""
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")

BotName = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME),
    matches(r"[a-z]([-a-z0-9]*[a-z0-9])?", "write the name of a Bot of this namespace, such as clerk"),
]


class BundleRef(Model):
    """The Bundle to run."""

    name: ObjectName
    """Name of the Bundle."""
    namespace: NamespaceName | None = None
    """Namespace of the Bundle, whose allowedNamespaces must admit this one; the Bot's own when left out."""
    revision: (
        Annotated[
            str,
            Field(min_length=1, max_length=400),
            matches(r"[^\s]+", "write a revision as the Bundle's status.history shows it, such as main@sha1:5d0c…"),
        ]
        | None
    ) = None
    """Revision to stay at, from the Bundle's `status.history`; the newest good one when left out."""


class Autoscaling(Model):
    """Scaling by the number of events that wait."""

    rules: ClassVar = (
        Rule(
            cel="self.minReplicas <= self.maxReplicas",
            message="write a minReplicas that is not above maxReplicas",
            holds=lambda autoscaling: autoscaling.min_replicas <= autoscaling.max_replicas,
            field=".minReplicas",
        ),
    )

    min_replicas: Annotated[int, Field(ge=0, le=1000)] = 0
    """Replicas to keep when nothing happens; 0 lets the Bot sleep."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = 10
    """Replicas never to exceed."""
    pending_events: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Waiting events for each replica to aim at."""
    idle_after: Annotated[DurationText, duration_between("10s", "168h")] = DurationText("10m")
    """How long nothing must happen before the last replica stops."""


class ConfigMapScript(Model):
    """Where a model script is."""

    config_map_ref: LocalObjectRef
    """ConfigMap whose entry script.yaml is the script."""


_ENDPOINT = Annotated[
    str,
    Field(min_length=1, max_length=1024),
    matches(r"https?://[A-Za-z0-9\[][^\s?#]*", "write an https:// or http:// URL such as https://llm.example.com/v1"),
    refuses(
        r"^https?://[^/]*@",
        "leave user and password out of the URL; put the key into a Secret and name it in secretRef",
    ),
]
_MODEL_NAME = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(r"[^\s]+", "write the model's name as its provider calls it, such as gpt-4o-mini"),
]


class RoleModel(Model):
    """The model of one role; what is left out is taken from the Bot's model, the key only where the endpoint is too."""

    rules: ClassVar = (
        Rule(
            cel="!has(self.provider) || self.provider != 'scripted' || has(self.script)",
            message="provider scripted needs script: write script: {configMapRef: {name: …}}",
            holds=lambda model: model.provider != "scripted" or model.script is not None,
        ),
    )

    provider: Literal["openai", "scripted"] | None = None
    """Where calls go."""
    name: _MODEL_NAME | None = None
    """Name of the model."""
    endpoint: _ENDPOINT | None = None
    """Base URL of the API."""
    secret_ref: SecretKeyRef | None = None
    """Secret entry with the API key."""
    script: ConfigMapScript | None = None
    """Answers of the scripted provider."""


class ModelSpec(Model):
    """The language model that the Bot's calls use."""

    rules: ClassVar = (
        Rule(
            cel="self.provider != 'scripted' || has(self.script)",
            message="provider scripted needs script: write script: {configMapRef: {name: …}}",
            holds=lambda model: model.provider != "scripted" or model.script is not None,
        ),
        Rule(
            cel="self.provider != 'openai' || has(self.name)",
            message="provider openai needs name: write the model's name, such as gpt-4o-mini",
            holds=lambda model: model.provider != "openai" or model.name is not None,
        ),
        Rule(
            cel="self.provider != 'openai' || has(self.endpoint) || has(self.secretRef)",
            message=(
                "provider openai without endpoint needs secretRef: {name: …, key: …} with the API key; an endpoint of "
                "your own may go without"
            ),
            holds=lambda model: (
                model.provider != "openai" or model.endpoint is not None or model.secret_ref is not None
            ),
        ),
        Rule(
            cel="!has(self.script) || self.provider == 'scripted'",
            message="script is read by provider scripted only: write provider: scripted or leave script out",
            holds=lambda model: model.script is None or model.provider == "scripted",
            field=".script",
        ),
    )

    provider: Literal["openai", "scripted"] = "openai"
    """Where calls go: any endpoint that speaks the OpenAI protocol (openai), or a script (scripted, offline)."""
    name: _MODEL_NAME | None = None
    """Name of the model."""
    endpoint: _ENDPOINT | None = None
    """Base URL of the API; the provider's own when left out."""
    secret_ref: SecretKeyRef | None = None
    """Secret entry with the API key."""
    roles: Annotated[dict[str, RoleModel], Field(max_length=16)] = {}
    """Other models for single roles, by the role's name."""
    script: ConfigMapScript | None = None
    """Answers of the scripted provider."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Calls of one model that one replica makes at once; further ones wait up to 120 s."""


class Credential(Model):
    """A secret value for the bundle."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=128),
        matches(r"[A-Za-z_][A-Za-z0-9_]*", "write a name of letters, digits and '_', such as PAYMENT_KEY"),
    ]
    """Name under which the bundle asks for it."""
    secret_key_ref: SecretKeyRef
    """Secret entry with the value."""


class BotBudget(Model):
    """What the Bot may spend with all its users and Personas together."""

    daily: Coins | None = None
    """Coins for each day (1 coin is 1 microdollar); without a limit when left out."""


class UserQuotas(Model):
    """Limits for each user of the Bot."""

    requests_per_day: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Messages for each day."""
    tokens_per_hour: Annotated[int, Field(ge=1, le=1_000_000_000_000)] | None = None
    """Tokens of model calls for each hour."""
    concurrent: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Turns that run at once; further ones wait, and hold nothing meanwhile."""


class Quotas(Model):
    """Limits of use."""

    per_user: UserQuotas = UserQuotas()
    """Limits for each user."""


class BotLimits(Model):
    """Bounds of the work of one replica."""

    turn_timeout: Annotated[DurationText, duration_between("1s", "24h")] = DurationText("10m")
    """How long one turn may run before its worker is stopped."""
    max_input: Size = QuantityText("1Mi")
    """Size of one incoming message."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Turns that run at once, over all conversations."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Worker processes."""


class BotEvents(Model):
    """What clients receive."""

    allow: Annotated[
        tuple[
            Annotated[
                str,
                Field(min_length=1, max_length=128),
                matches(
                    r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?",
                    "write an event type such as chat.followups, or chat.* for all below",
                ),
            ],
            ...,
        ],
        Field(max_length=64),
        LIST_SET,
    ] = ()
    """Event types that unprivileged clients receive beyond the default, such as `accounting.*` for all below."""


class Rollout(Model):
    """How a new revision replaces the running one."""

    rules: ClassVar = (
        Rule(
            cel="!has(self.ramp) || self.ramp.all(step, self.ramp.filter(other, other == step).size() == 1) "
            "&& (self.ramp.size() == 0 || self.ramp[self.ramp.size() - 1] == 100) "
            "&& self.ramp.isSorted()",
            message="write ramp as rising percentages that end with 100, such as [10, 50, 100]",
            holds=lambda rollout: (
                list(rollout.ramp) == sorted(set(rollout.ramp)) and (not rollout.ramp or rollout.ramp[-1] == 100)
            ),
            field=".ramp",
        ),
    )

    scenarios: Literal["Required", "Advisory", "Skip"] = "Required"
    """Whether the bundle's scenarios must pass first (Required), are only reported (Advisory) or not run (Skip)."""
    progress_deadline: Annotated[DurationText, duration_between("10s", "24h")] = DurationText("5m")
    """How long a rollout may go without any progress."""
    on_incompatible_state: Literal["Block", "Drain", "Reset"] = "Block"
    """With stored conversations that the new revision cannot go on with: keep the old revision (Block), let them end
    on it (Drain), or end them (Reset)."""
    ramp: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(max_length=10)] = ()
    """Percentages of new conversations that begin on a new revision, step by step; all at once when empty."""
    ramp_pause: Annotated[DurationText, duration_between("1s", "168h")] = DurationText("10m")
    """How long each step of the ramp lasts."""
    ramp_failures: Annotated[int, Field(ge=0, le=100)] = 10
    """Percentage of failed turns, beyond that of the revision before, with which a ramp is given up."""


class Resources(Model):
    """Compute resources of one replica."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What is set aside, such as `{cpu: 100m, memory: 128Mi}`."""
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = {}
    """What is never exceeded."""


class BotSpec(Model):
    """What to run and how."""

    rules: ClassVar = (
        # At creation only: later an autoscaler owns replicas, and lowering maxReplicas below it must be possible.
        Rule(
            cel="oldSelf.hasValue() || !has(self.autoscaling) || self.replicas <= self.autoscaling.maxReplicas",
            message="write replicas not above autoscaling.maxReplicas, or leave replicas to the autoscaling",
            field=".replicas",
            on_create=True,
        ),
    )

    bundle_ref: BundleRef
    """The Bundle to run."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Pods to run; 0 stops the Bot. An autoscaler may own it."""
    autoscaling: Autoscaling | None = None
    """Scaling by the number of waiting events, down to zero."""
    default: bool = False
    """Whether this is the namespace's Bot for messages that name none."""
    model: ModelSpec | None = None
    """The language model that the Bot's calls use."""
    config: dict[str, Any] = {}
    """Free-form properties handed to the bundle."""
    credentials: Annotated[
        tuple[Credential, ...],
        Field(max_length=64),
        list_map("name"),
        unique("name", "write every credential name once"),
    ] = ()
    """Secret values for the bundle."""
    budget: BotBudget | None = None
    """What the Bot may spend."""
    quotas: Quotas | None = None
    """Limits of use."""
    limits: BotLimits = BotLimits()
    """Bounds of the work of one replica."""
    events: BotEvents | None = None
    """What clients receive."""
    rollout: Rollout = Rollout()
    """How a new revision replaces the running one."""
    resources: Resources = Resources()
    """Compute resources of one replica."""
    pod_template: dict[str, Any] = {}
    """Strategic-merge patch of the pod template, for everything else."""
    suspend: bool = False
    """Stops reconciling; what runs is left alone."""


class PersonaCounts(Model):
    """How many Personas the Bot has."""

    total: Annotated[int, Field(ge=0)] = 0
    """Personas that refer to the Bot."""
    ready: Annotated[int, Field(ge=0)] = 0
    """Those of them that are Ready."""


class GoodRevision(Model):
    """A revision of which all replicas became available."""

    revision: str = ""
    """The revision."""
    digest: str = ""
    """Digest of its archive."""
    layer: str = ""
    """Digest of its installed dependencies; absent where it has none."""


class FailedRevision(Model):
    """A revision that the Bot went back from, because its replicas kept failing."""

    revision: str = ""
    """The revision."""
    digest: str = ""
    """Digest of its archive."""
    reason: str = ""
    """Why, in one word of the documented list."""
    message: str = ""
    """What the replicas told."""
    attempt: str = ""
    """Digest of everything that was tried together; another one is tried again."""


class ScenarioRun(Model):
    """How the scenarios of a revision went before it took over."""

    revision: str = ""
    """The revision."""
    attempt: str = ""
    """Digest of everything that decides how they go; another one is run again."""
    total: Annotated[int, Field(ge=0)] = 0
    """Scenarios that ran."""
    failed: Annotated[int, Field(ge=0)] = 0
    """Those that failed."""
    passed: bool = False
    """Whether all of them passed."""
    message: str = ""
    """What failed first; absent where all passed."""


class RampTally(Model):
    """How the turns of one revision ended during a ramp."""

    conversations: Annotated[int, Field(ge=0)] = 0
    """Conversations that had a turn; a good estimate."""
    turns: Annotated[int, Field(ge=0)] = 0
    """Turns that were committed."""
    failed: Annotated[int, Field(ge=0)] = 0
    """Those that failed, without those for which no code is to blame."""
    dead_letters: Annotated[int, Field(ge=0)] = 0
    """Events that were given up."""


class RampStatus(Model):
    """How far a new revision has got that is ramped."""

    id: str = ""
    """Of this attempt."""
    revision: str = ""
    """The new revision."""
    digest: str = ""
    """Digest of its archive."""
    previous: str = ""
    """The revision beside it, that ran before."""
    share: Annotated[int, Field(ge=0, le=100)] = 0
    """Percentage of new conversations that begin on the new revision."""
    since: str = ""
    """When this share began (RFC 3339)."""
    on_new: RampTally | None = None
    """Turns on the new revision."""
    on_previous: RampTally | None = None
    """Turns on the revision before, since the ramp began."""


class BotStatus(Model):
    """What runs."""

    observed_generation: int = -1
    """Generation of the spec that this status speaks of; -1 before the first reconcile."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=32), list_map("type")] = ()
    """State of the Bot, one aspect each."""
    replicas: Annotated[int, Field(ge=0)] = 0
    """Pods that exist."""
    ready_replicas: Annotated[int, Field(ge=0)] = 0
    """Pods that are ready."""
    selector: str = ""
    """Label selector of the pods, for autoscalers."""
    revision: str = ""
    """Revision of the Bundle that runs."""
    previous_revision: str = ""
    """Revision that ran well before, to roll back to."""
    good_revision: GoodRevision | None = None
    """Last revision of which all replicas became available; the Bot returns to it when a newer one fails."""
    failed_revision: FailedRevision | None = None
    """Newer revision that failed and was taken back; absent otherwise."""
    ramp: RampStatus | None = None
    """A new revision that takes over step by step; absent otherwise."""
    scenarios: ScenarioRun | None = None
    """The last run of scenarios before a revision took over."""
    url: str = ""
    """Where the Bot is talked to, inside the cluster."""
    personas: PersonaCounts | None = None
    """How many Personas the Bot has."""
    spent_today: Annotated[int, Field(ge=0)] | None = None
    """Coins spent today."""
    last_handled_requested_at: str = ""
    """Value of the annotation botyard.dev/requestedAt that was handled last."""


class Bot(Resource):
    """A running deployment of a Bundle."""

    definition: ClassVar = Definition(
        kind="Bot",
        plural="bots",
        singular="bot",
        columns=(
            Column(name="Ready", path='.status.conditions[?(@.type=="Ready")].status'),
            Column(name="Status", path='.status.conditions[?(@.type=="Ready")].message'),
            Column(name="Revision", path=".status.revision"),
            Column(name="Replicas", path=".status.readyReplicas", type="integer"),
            Column(name="Bundle", path=".spec.bundleRef.name", priority=1),
            Column(name="Age", path=".metadata.creationTimestamp", type="date"),
        ),
        scale=Scale(spec_path=".spec.replicas", status_path=".status.replicas", selector_path=".status.selector"),
    )
    rules: ClassVar = (
        Rule(
            cel="self.metadata.name.matches(r'^[a-z]([-a-z0-9]*[a-z0-9])?$') "
            f"&& self.metadata.name.size() <= {MAX_NAME}",
            message=(
                f"write a name of at most {MAX_NAME} lower-case letters, digits and '-' that starts with a letter: "
                "its Service and ConfigMaps are named after it"
            ),
            holds=lambda bot: len(bot.metadata.name) <= MAX_NAME and _NAME.fullmatch(bot.metadata.name) is not None,
            field=".metadata.name",
        ),
    )

    spec: BotSpec
    """What to run and how."""
    status: BotStatus = BotStatus()
    """What runs."""
