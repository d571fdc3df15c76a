"""Persona: one hired instance of a Bot."""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from botyard_operator.api.base import Model
from botyard_operator.api.bot import BotName
from botyard_operator.api.coins import Coins
from botyard_operator.api.markers import LIST_SET, list_map
from botyard_operator.api.meta import Condition
from botyard_operator.api.refs import LocalObjectRef, SecretKeyRef
from botyard_operator.api.resource import Column, Definition, Resource
from botyard_operator.api.rules import Rule, matches, unique

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY = r"(MO|TU|WE|TH|FR|SA|SU)"
_WHEN = rf"EVERY:[1-9][0-9]{{0,4}}[mh]|WEEKDAYS(:{_DAY})+/{_CLOCK}|MONTHDAY:-?([1-9]|[12][0-9]|3[01])/{_CLOCK}"


class BotRef(Model):
    """The Bot that the Persona is an instance of."""

    rules: ClassVar = (
        Rule(
            cel="self.name == oldSelf.name",
            message="botRef cannot change: create a new Persona for the other Bot and delete this one",
        ),
    )

    name: BotName
    """Name of the Bot, in the same namespace."""


_SETUP_KEY = r"[a-zA-Z][a-zA-Z0-9_]{1,39}"


class SetupFrom(Model):
    """A setup value that is kept in a Secret."""

    key: Annotated[
        str,
        Field(max_length=40),
        matches(
            _SETUP_KEY,
            "write a key of the bundle's setup schema: a letter, then 1 to 39 letters, digits or '_'",
        ),
    ]
    """Key of the setup."""
    secret_key_ref: SecretKeyRef
    """Secret entry with the value."""


class PersonaBudget(Model):
    """What the Persona may spend."""

    daily: Coins | None = None
    """Coins for each day (1 coin is 1 microdollar); a day begins at midnight of `timeZone`."""
    per_task: Coins | None = None
    """Coins for each task."""
    per_thread: Coins | None = None
    """Coins for each thread."""
    time_zone: Annotated[
        str,
        Field(min_length=1, max_length=64),
        matches(
            r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}",
            "write an IANA time zone such as Europe/Berlin, America/New_York or UTC",
        ),
    ] = "UTC"
    """Time zone of the day, by its IANA name."""
    on_exceeded: Literal["Reject", "Pause", "Ask", "Warn"] = "Reject"
    """Over budget: refuse the call (Reject), stop until there is budget (Pause), ask a human (Ask), or only warn
    (Warn)."""


class ErpSubscription(Model):
    """Changes of one ERP table that the Persona receives."""

    table: Annotated[
        str,
        Field(max_length=63),
        matches(r"[a-z_][a-z0-9_]*", "write the name of a table, such as crm_contact"),
    ]
    """Table to watch: one that the SDK has a row type for, or one that the bundle names."""
    actions: Annotated[
        tuple[Literal["INSERT", "UPDATE", "DELETE", "ARCHIVE"], ...],
        Field(min_length=1, max_length=4),
        LIST_SET,
    ] = ("INSERT", "UPDATE", "DELETE", "ARCHIVE")
    """Kinds of changes; all of them when left out."""
    where: Annotated[
        tuple[
            Annotated[
                str,
                Field(max_length=512),
                matches(
                    r"[a-z][a-z0-9_]*(->[A-Za-z0-9_]+)*:"
                    r"(=|!=|>|>=|<|<=|IN|NOT_IN|LIKE|ILIKE|CIEQL|IS_NULL|IS_NOT_NULL|IS_EMPTY|IS_NOT_EMPTY|contains"
                    r"|not_contains)(:[^\x00-\x1f]*)?",
                    "write column:operator:value such as contact_country:=:DE; operators are = != > >= < <= IN NOT_IN "
                    "LIKE ILIKE CIEQL IS_NULL IS_NOT_NULL IS_EMPTY IS_NOT_EMPTY contains not_contains",
                ),
            ],
            ...,
        ],
        Field(max_length=16),
    ] = ()
    """Conditions on the row, each as `column:operator:value`; all must hold."""
    columns: Annotated[
        tuple[
            Annotated[
                str,
                Field(max_length=63),
                matches(r"[a-z][a-z0-9_]*", "write the name of a column, such as contact_email"),
            ],
            ...,
        ],
        Field(max_length=64),
        LIST_SET,
    ] = ()
    """Columns whose changes count; all when left out."""


class Erp(Model):
    """What the Persona learns from the company's database, and how it reads and writes there."""

    subscriptions: Annotated[tuple[ErpSubscription, ...], Field(max_length=32)] | None = None
    """Changes to receive; left out beside a connection: all rows of the tables that the bundle names."""
    connection_secret_ref: LocalObjectRef | None = None
    """Secret whose entry `uri` is the address of the PostgreSQL database, with a role of the Persona's own."""


class Schedule(Model):
    """Work that comes by the clock."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=63),
        matches(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", "write lower-case letters, digits and '-', such as morning"),
    ]
    """Name of the schedule."""
    type: Literal["SCHED_TASK_SORT", "SCHED_TODO", "SCHED_PICK_ONE", "SCHED_ANY"]
    """What is due: sorting the inbox, working on the to-do column, picking one task, or any work."""
    when: Annotated[
        str,
        Field(max_length=64),
        matches(
            _WHEN,
            "write EVERY:5m or EVERY:2h, WEEKDAYS:MO:TU:WE:TH:FR/09:00, or MONTHDAY:1/08:30 (MONTHDAY:-1 is the last "
            "day)",
        ),
    ]
    """Time of the work, in the time zone of the budget."""
    question: Annotated[str, Field(max_length=4096)] = ""
    """What the model is asked then, by SCHED_TASK_SORT and SCHED_ANY."""
    expert: Annotated[str, Field(max_length=128)] = ""
    """Expert of the bundle that is asked; the default one when left out."""


class MongoAccess(Model):
    """Access to a MongoDB."""

    secret_ref: LocalObjectRef
    """Secret whose entry `uri` is the connection string."""


class PersonaSpec(Model):
    """Which Bot to hire and on which terms."""

    bot_ref: BotRef
    """The Bot; cannot be changed."""
    display_name: Annotated[str, Field(max_length=128)] = ""
    """Name that people see; the object's own when left out."""
    setup: dict[str, Any] = {}
    """Values for the bundle's setup schema, by key."""
    setup_from: Annotated[
        tuple[SetupFrom, ...],
        Field(max_length=64),
        list_map("key"),
        unique("key", "write every setup key once"),
    ] = ()
    """Setup values that are kept in Secrets."""
    budget: PersonaBudget | None = None
    """What the Persona may spend."""
    erp: Erp | None = None
    """What the Persona learns from the company's database, and how it reads and writes there."""
    schedules: Annotated[
        tuple[Schedule, ...],
        Field(max_length=32),
        list_map("name"),
        unique("name", "write every schedule name once"),
    ] = ()
    """Work that comes by the clock; the bundle's own schedules when left out, none when empty."""
    max_in_progress: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Tasks that are worked on at once; the bundle's own number when left out."""
    mongo: MongoAccess | None = None
    """Personal database."""
    suspend: bool = False
    """Stops reconciling; the Persona goes on with what it has."""


class Spend(Model):
    """What was spent on one day."""

    day: str = ""
    """The day (YYYY-MM-DD), in the budget's time zone."""
    coins: Annotated[int, Field(ge=0)] = 0
    """Coins spent."""
    limit: Annotated[int, Field(ge=0)] | None = None
    """Coins allowed; absent without a daily budget."""


class PersonaStatus(Model):
    """What became of the Persona."""

    observed_generation: int = -1
    """Generation of the spec that this status speaks of; -1 before the first reconcile."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=32), list_map("type")] = ()
    """State of the Persona, one aspect each."""
    spend: Spend | None = None
    """What was spent today."""
    tasks: Annotated[dict[str, Annotated[int, Field(ge=0)]], Field(max_length=16)] = {}
    """Number of tasks in each column of the board."""
    replica: str = ""
    """Pod that runs the Persona's loop."""
    last_handled_requested_at: str = ""
    """Value of the annotation botyard.dev/requestedAt that was handled last."""


class Persona(Resource):
    """One hired instance of a Bot, with its own setup, budget, ERP subscriptions and schedules."""

    definition: ClassVar = Definition(
        kind="Persona",
        plural="personas",
        singular="persona",
        short_names=("psn",),
        columns=(
            Column(name="Ready", path='.status.conditions[?(@.type=="Ready")].status'),
            Column(name="Bot", path=".spec.botRef.name"),
            Column(name="Spent", path=".status.spend.coins", type="integer"),
            Column(name="Limit", path=".status.spend.limit", type="integer"),
            Column(name="Status", path='.status.conditions[?(@.type=="Ready")].message', priority=1),
            Column(name="Age", path=".metadata.creationTimestamp", type="date"),
        ),
    )
    rules: ClassVar = (
        Rule(
            cel="self.metadata.name.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 63",
            message="write a name of at most 63 lower-case letters, digits and '-', without '.'",
            holds=lambda persona: (
                len(persona.metadata.name) <= 63 and _NAME.fullmatch(persona.metadata.name) is not None
            ),
            field=".metadata.name",
        ),
    )

    spec: PersonaSpec
    """Which Bot to hire and on which terms."""
    status: PersonaStatus = PersonaStatus()
    """What became of it."""
