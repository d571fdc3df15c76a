"""Names of all Redis keys, in one place.

Keys of one partition share the hash tag `{namespace/bot/number}`: a commit touches only those, so it is one script
in one slot of a Redis Cluster. Kubernetes names cannot contain `/`, `{` or `}`; conversation keys may contain
anything and come last.
"""

from botyard.core.address import BotAddress, Partition

PREFIX = "by"


def _tag(partition: Partition) -> str:
    return f"{PREFIX}:{{{partition.bot.namespace}/{partition.bot.name}/{partition.number}}}"


def lease(partition: Partition) -> str:
    """Hash {owner, epoch, until}: who may commit in this partition."""
    return f"{_tag(partition)}:lease"


def inbox(partition: Partition) -> str:
    """Stream of accepted events that are not committed yet; a commit deletes its entry."""
    return f"{_tag(partition)}:inbox"


def attempts(partition: Partition) -> str:
    """Hash of the events that run.

    Entry id → runs that began; `entry id:crashes` → workers that died of it, `entry id:blamed` → of which run the last;
    `entry id:sent` → its emissions so far; `entry id:parks` → runs that were put aside.
    """
    return f"{_tag(partition)}:attempts"


def timers(partition: Partition) -> str:
    """Sorted set of delayed events by due time in milliseconds."""
    return f"{_tag(partition)}:timers"


def parked(partition: Partition) -> str:
    """Hash key → JSON of the turn of that key that was put aside (see `botyard.core.parking`)."""
    return f"{_tag(partition)}:parked"


def dead_letters(partition: Partition) -> str:
    """Stream of events that were given up, with the reason."""
    return f"{_tag(partition)}:dead"


def outbox(partition: Partition) -> str:
    """Stream of committed events on their way to other partitions."""
    return f"{_tag(partition)}:outbox"


def seen(partition: Partition, key: str, event: str) -> str:
    """String: the answer that this client-supplied event id got; expires."""
    return f"{_tag(partition)}:seen:{event}:{key}"


def conversation(partition: Partition, key: str) -> str:
    """Hash of a conversation.

    user, created, ended, ends (how often), outputs and commits (numbers of the last ones), rewritten (number of the
    last commit that changed or removed a record), revision and schema (what wrote the state), and `cancel:<turn>` for
    turns to be cancelled.
    """
    return f"{_tag(partition)}:conv:{key}"


def open_turns(partition: Partition, key: str) -> str:
    """Hash turn → JSON of a turn that is accepted and not committed."""
    return f"{_tag(partition)}:open:{key}"


def state(partition: Partition, key: str) -> str:
    """String: the encoded state (see `botyard.core.codec`)."""
    return f"{_tag(partition)}:state:{key}"


def records(partition: Partition, key: str) -> str:
    """Hash name → number of the commit that wrote it, a space, the encoded record (see `botyard.core.records`)."""
    return f"{_tag(partition)}:rec:{key}"


def record_names(partition: Partition, key: str) -> str:
    """Sorted set of the records' names, all with score 0: ordered by name."""
    return f"{_tag(partition)}:names:{key}"


def states_of(bot: BotAddress) -> str:
    """Pattern of the states of all conversations of a bot; Kubernetes names hold nothing that a pattern reads."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}/*}}:state:*"


def conversation_of(state_key: bytes) -> str:
    """Return the conversation of a key that `states_of` found."""
    return state_key.partition(b"}:state:")[2].decode("utf-8", "replace")


def versions(partition: Partition, key: str) -> str:
    """Capped stream of the newest states, by the turn that left them, for forks."""
    return f"{_tag(partition)}:vers:{key}"


def history(partition: Partition, key: str) -> str:
    """Stream of finished turns, append-only."""
    return f"{_tag(partition)}:hist:{key}"


def outputs(partition: Partition, key: str) -> str:
    """Capped stream of envelopes; entry `n-0` is the n-th output of the conversation."""
    return f"{_tag(partition)}:out:{key}"


def live(partition: Partition, key: str) -> str:
    """Channel on which each new output is published as `<n> <envelope>`."""
    return f"{_tag(partition)}:live:{key}"


def live_of(bot: BotAddress, prefix: str) -> str:
    """Pattern of the live channels of a bot's conversations whose names begin with `prefix` (no pattern itself)."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}/*}}:live:{prefix}*"


def conversation_of_live(channel: bytes) -> str:
    """Return the conversation of a channel that `live_of` found."""
    return channel.partition(b"}:live:")[2].decode("utf-8", "replace")


def journal(partition: Partition, event: str) -> str:
    """Hash ordinal → digest, name and result of a step of an open turn."""
    return f"{_tag(partition)}:journal:{event}"


def knowledge(bot: BotAddress) -> str:
    """Hash collection of uploaded documents → number of its last change."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:knowledge"


def knowledge_documents(bot: BotAddress, collection: str) -> str:
    """Hash document → text."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:knowledge:{collection}"


def knowledge_sizes(bot: BotAddress) -> str:
    """Hash `<collection>/<document>` → bytes; `total` of them, and `version`, the number of the last change."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:knowledge-sizes"


def vectors(bot: BotAddress, space: str) -> str:
    """Hash digest of a text → its embedding in one space (model and dimensions)."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:vectors:{space}"


def replicas(bot: BotAddress) -> str:
    """Sorted set of live replicas by their last heartbeat in milliseconds."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:replicas"


def control(bot: BotAddress) -> str:
    """Channel to a bot's replicas: `rebalance` (one joins, leaves or hands over), `cancel <turn>`, `resume <key>`."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:control"


def file(file_id: str) -> str:
    """Hash: what is known of a file; expires."""
    return f"{PREFIX}:{{{file_id}}}:file"


def file_content(file_id: str) -> str:
    """String: the file's content; expires."""
    return f"{PREFIX}:{{{file_id}}}:content"


def files(bot: BotAddress) -> str:
    """Sorted set `file size` → when it expires, in milliseconds: the files for which room is set aside."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:files"


def files_total(bot: BotAddress) -> str:
    """Number: bytes of all files in `files`."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:files:total"


def demand() -> str:
    """Sorted set `namespace/name` → when that bot was needed last; also the channel on which that is told."""
    return f"{PREFIX}:demand"


def reference(reference_id: str) -> str:
    """Hash of a callback reference: which session of which bot it belongs to; expires."""
    return f"{PREFIX}:ref:{reference_id}"


def channel_conversations(channel: str) -> str:
    """Set of the conversations that a messenger's channel delivers to."""
    return f"{PREFIX}:{{channel/{channel}}}:conversations"


def channel_cursor(channel: str, conversation: str) -> str:
    """String: number of the last output that was delivered; expires."""
    return f"{PREFIX}:{{channel/{channel}}}:cursor:{conversation}"


def channel_progress(channel: str, conversation: str) -> str:
    """Hash output number → calls of it that were made."""
    return f"{PREFIX}:{{channel/{channel}}}:progress:{conversation}"


def channel_options(channel: str, conversation: str) -> str:
    """Hash what a button carries → id of its option, where that is too long for the button."""
    return f"{PREFIX}:{{channel/{channel}}}:options:{conversation}"


def channel_failures(channel: str) -> str:
    """Capped stream of messages that were given up."""
    return f"{PREFIX}:{{channel/{channel}}}:failures"


def channel_owner(channel: str) -> str:
    """String: the process that delivers for a channel; expires."""
    return f"{PREFIX}:{{channel/{channel}}}:owner"


def channel_salt(channel: str) -> str:
    """String: what makes the names of a channel's conversations impossible to guess; made once."""
    return f"{PREFIX}:{{channel/{channel}}}:salt"


def _documents(workspace: str) -> str:
    return f"{PREFIX}:{{documents/{workspace}}}"


def document_paths(workspace: str) -> str:
    """Sorted set of the paths of a workspace's documents, all with score 0: ordered by name."""
    return f"{_documents(workspace)}:paths"


def document(workspace: str, path: str) -> str:
    """Hash {version, digest, content, by, at}: the newest version of a document."""
    return f"{_documents(workspace)}:doc:{path}"


def document_versions(workspace: str, path: str) -> str:
    """Capped stream of a document's versions; entry `n-0` is version n."""
    return f"{_documents(workspace)}:vers:{path}"


def erp_positions(partition: Partition) -> str:
    """Hash source → place in its log up to which its changes were accepted in this partition."""
    return f"{_tag(partition)}:erp"


def erp_source(partition: Partition) -> str:
    """Hash of what a source's connector remembers (see `botyard.connector.progress`)."""
    return f"{_tag(partition)}:source"


def ramp_counts(bot: BotAddress, ramp: str) -> str:
    """Hash `<new or old>:<what>` → how many turns of a ramp ended how; expires (see `botyard.core.ramp_counts`)."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:ramp:{ramp}"


def ramp_conversations(bot: BotAddress, ramp: str, side: str) -> str:
    """HyperLogLog of the conversations that had a turn on one revision of a ramp; expires."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:ramp:{ramp}:{side}"


def persona_reports(bot: BotAddress) -> str:
    """Hash persona → JSON of how it fares (see `botyard.core.persona_reports`)."""
    return f"{PREFIX}:{{{bot.namespace}/{bot.name}}}:personas"


PERSONA_CHANGES = f"{PREFIX}:personas"
"""Sorted set `namespace/bot` → microseconds: of whose Personas something was told last, for the operator.

Two of one millisecond, with a look between them, must differ.
"""

RAMP_CHANGES = f"{PREFIX}:ramps"
"""Sorted set `namespace/bot` → microseconds: in whose ramp turns were counted last, for the operator."""
