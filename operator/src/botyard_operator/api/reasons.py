"""Types and reasons of the conditions: the only words that a status uses, each with its meaning.

The reference in `docs/` is generated from here. A word is added together with the behaviour that says it; a reason of
a Bundle also with an example and the way out, in `guidance`.
"""

from enum import StrEnum
from typing import Self


class _Documented(StrEnum):
    """A string constant with its meaning in `doc`, and in `kinds` which kinds use it (empty: all)."""

    doc: str
    kinds: tuple[str, ...]

    def __new__(cls, value: str, doc: str = "", *kinds: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        member.kinds = kinds
        return member

    def applies_to(self, kind: str) -> bool:
        """Return whether objects of this kind use the word."""
        return not self.kinds or kind in self.kinds


class ConditionType(_Documented):
    """Types of conditions."""

    READY = "Ready", "The object does what its spec says. Always there; Unknown at first."
    RECONCILING = "Reconciling", "Work is under way that settles by itself. Absent otherwise."
    STALLED = "Stalled", "Waiting cannot help: somebody must change something. Absent otherwise."

    FETCHED = "Fetched", "The source was fetched at the revision that the spec asks for.", "Bundle"
    VERIFIED = "Verified", "The revision is signed by one of the given keys. Only with `verify`.", "Bundle"
    BUILT = "Built", "The dependencies are installed into the layer artifact.", "Bundle"
    INSPECTED = "Inspected", "The code was imported and described itself in the manifest.", "Bundle"
    ARTIFACT_IN_STORAGE = "ArtifactInStorage", "The artifact of `status.artifact` can be downloaded now.", "Bundle"

    BUNDLE_READY = "BundleReady", "The Bundle that the Bot refers to has a revision to run.", "Bot"
    ROLLED_OUT = "RolledOut", "All replicas run the newest revision and configuration.", "Bot"
    SCALING_CONFLICT = (
        "ScalingConflict",
        "Somebody else scales the Bot beside `spec.autoscaling`. Absent otherwise.",
        "Bot",
    )
    STATE_COMPATIBLE = "StateCompatible", "The new revision can go on with the stored conversations.", "Bot"

    SETUP_VALID = "SetupValid", "The setup agrees with the bundle's setup schema, key by key.", "Persona"
    SUBSCRIBED = "Subscribed", "Changed rows are routed by the Persona's subscriptions.", "Persona"
    LOOP_CRASHING = (
        "LoopCrashing",
        "The Persona's main loop keeps ending, and is entered again after growing pauses. Absent otherwise.",
        "Persona",
    )
    TOOLS_WITHOUT_HANDLER = (
        "ToolsWithoutHandler",
        "The bot offers tools that its loop has no handler for; calls of them fail at once. Absent otherwise.",
        "Persona",
    )
    WITHOUT_LOOP = (
        "WithoutLoop",
        "The Bot's bundle has no loop in which the Persona could live. Absent otherwise.",
        "Persona",
    )
    BUDGET_EXCEEDED = "BudgetExceeded", "A budget is used up. Absent otherwise.", "Bot", "Persona"


class Reason(_Documented):
    """Reasons of conditions."""

    SUCCEEDED = "Succeeded", "All is done."
    PROGRESSING = "Progressing", "Work is under way; the message says which."
    RETRYING = "Retrying", "Something failed that may pass; the next attempt follows after a growing delay."
    BUDGET_USED_UP = "BudgetUsedUp", "Calls are refused until there is money again.", "Bot", "Persona"
    SUSPENDED = "Suspended", "`spec.suspend` is true: what runs is left alone.", "Bundle", "Persona"
    INVALID_SPEC = "InvalidSpec", "A field of the spec is impossible; the message names it and what to write."
    HANDLER_MISSING = "HandlerMissing", "Nothing handles the calls of tools that the bot offers.", "Persona"
    LOOP_FAILING = "LoopFailing", "The bundle's main loop ended without being asked to.", "Persona"
    SUBSCRIPTION_INVALID = (
        "SubscriptionInvalid",
        "A subscription names a table that there is not, or a filter that cannot be read.",
        "Persona",
    )
    SETUP_INVALID = "SetupInvalid", "The setup does not agree with the bundle's setup schema.", "Persona"
    REFERENCE_NOT_FOUND = (
        "ReferenceNotFound",
        "A Secret or ConfigMap that the spec names does not exist.",
        "Bot",
        "Persona",
    )
    REFERENCE_INVALID = (
        "ReferenceInvalid",
        "A Secret or ConfigMap that the spec names lacks an entry.",
        "Bot",
        "Persona",
    )
    ACCESS_DENIED = (
        "AccessDenied",
        "The operator may not do what the spec needs; the message names the permission.",
        "Bundle",
        "Bot",
        "Persona",
    )

    SECRET_NOT_FOUND = "SecretNotFound", "A Secret that the source refers to does not exist.", "Bundle"
    SECRET_KEY_MISSING = "SecretKeyMissing", "A Secret that the source refers to lacks an entry.", "Bundle"
    CREDENTIALS_INVALID = "CredentialsInvalid", "An entry of the Secret cannot be used as it is.", "Bundle"

    HOST_NOT_FOUND = "HostNotFound", "The name of the source's host does not resolve.", "Bundle"
    CONNECTION_FAILED = "ConnectionFailed", "The source's host refused or dropped the connection.", "Bundle"
    CERTIFICATE_INVALID = "CertificateInvalid", "The TLS certificate of the source's host is not trusted.", "Bundle"
    HOST_KEY_UNKNOWN = "HostKeyUnknown", "`known_hosts` has no key of the source's host.", "Bundle"
    HOST_KEY_CHANGED = "HostKeyChanged", "The source's host shows another key than `known_hosts` has.", "Bundle"
    AUTHENTICATION_FAILED = (
        "AuthenticationFailed",
        "The source's host wants credentials, or refuses those that it got.",
        "Bundle",
    )
    REPOSITORY_NOT_FOUND = (
        "RepositoryNotFound",
        "The host knows no such repository, or hides it from these credentials.",
        "Bundle",
    )
    REPOSITORY_EMPTY = "RepositoryEmpty", "The repository has no commit yet.", "Bundle"
    REF_NOT_FOUND = "RefNotFound", "The branch, tag or commit does not exist.", "Bundle"
    RANGE_INVALID = "RangeInvalid", "`spec.git.ref.semver` cannot be read as a range of versions.", "Bundle"
    NOT_SIGNED = "NotSigned", "The commit or tag bears no signature, and `spec.git.verify` asks for one.", "Bundle"
    SIGNATURE_REFUSED = "SignatureRefused", "The signature is not by any of the given keys, or is broken.", "Bundle"
    SUBMODULE_INVALID = "SubmoduleInvalid", "A submodule of the source cannot be found or read.", "Bundle"
    ARCHIVE_NOT_FOUND = "ArchiveNotFound", "The server of `spec.archive.url` has no such file.", "Bundle"
    ARCHIVE_UNREADABLE = "ArchiveUnreadable", "The downloaded file is damaged or of no known kind.", "Bundle"
    DIGEST_MISMATCH = "DigestMismatch", "The downloaded file is not the one of `spec.archive.digest`.", "Bundle"
    REDIRECT_REFUSED = "RedirectRefused", "The host sent the fetch somewhere else; write that address.", "Bundle"
    SERVER_ERROR = "ServerError", "The source's host has trouble, or asks to slow down.", "Bundle"
    REMOTE_UNREADABLE = "RemoteUnreadable", "What the host sent is not git's protocol, or broke off.", "Bundle"
    TIMED_OUT = "TimedOut", "The fetch took longer than `spec.timeout`, or the transfer stalled.", "Bundle"
    PATH_NOT_FOUND = "PathNotFound", "`spec.path` is no folder of the source.", "Bundle"
    SOURCE_EMPTY = "SourceEmpty", "No file is left below `spec.path` after the ignore rules.", "Bundle"
    TOO_LARGE = (
        "TooLarge",
        "It exceeds a limit on sizes: a source `spec.limits.size`, a Persona what the ConfigMaps of its Bot hold.",
        "Bundle",
        "Persona",
    )
    TOO_MANY_FILES = "TooManyFiles", "The source exceeds `spec.limits.files`.", "Bundle"
    UNSAFE_PATH = "UnsafePath", "The source holds a name or link that would leave its folder.", "Bundle"
    URL_INVALID = "UrlInvalid", "The source's URL cannot be read, or leads where no source lives.", "Bundle"
    PROTOCOL_NOT_ALLOWED = "ProtocolNotAllowed", "The installation does not allow the URL's transport.", "Bundle"
    DISK_FULL = "DiskFull", "The operator's artifact volume is full.", "Bundle"
    STORAGE_FAILED = "StorageFailed", "The artifact could not be stored, or a stored one is damaged.", "Bundle"
    OUT_OF_MEMORY = "OutOfMemory", "The fetch or the build hit its memory limit.", "Bundle"
    FETCH_FAILED = "FetchFailed", "The fetch failed for another reason; the message has git's words.", "Bundle"

    BUILD_NOT_ALLOWED = "BuildNotAllowed", "The installation builds nothing, and the Bundle has dependencies.", "Bundle"
    INDEX_SECRET_INVALID = "IndexSecretInvalid", "The Secret of `indexSecretRef` is missing or incomplete.", "Bundle"
    REQUIREMENTS_INVALID = "RequirementsInvalid", "A requirements file is missing or has an unreadable line.", "Bundle"
    DEPENDENCY_NOT_FOUND = "DependencyNotFound", "The index has no such package, or no such version.", "Bundle"
    DEPENDENCY_CONFLICT = "DependencyConflict", "No set of versions fulfils all requirements.", "Bundle"
    DEPENDENCY_BUILD_FAILED = "DependencyBuildFailed", "A package without a wheel could not be built.", "Bundle"
    HASH_MISMATCH = "HashMismatch", "A package's file has another hash than the requirements say.", "Bundle"
    INDEX_UNAVAILABLE = "IndexUnavailable", "The package index does not answer.", "Bundle"
    INDEX_REFUSED = "IndexRefused", "The package index refuses the credentials.", "Bundle"
    BUILD_TIMED_OUT = "BuildTimedOut", "The build took longer than it may.", "Bundle"
    BUILD_FAILED = "BuildFailed", "The build failed for another reason; the message and the log say which.", "Bundle"
    SYNTAX_ERROR = "SyntaxError", "A file of the bundle is no valid Python.", "Bundle"
    IMPORT_FAILED = "ImportFailed", "The bundle's code fails when it is imported.", "Bundle"
    IMPORT_TIMED_OUT = "ImportTimedOut", "The bundle's code does not come to an end when it is imported.", "Bundle"
    MODEL_UNKNOWN = "ModelUnknown", "No bot of a known programming model was found in the code.", "Bundle"
    MODEL_AMBIGUOUS = "ModelAmbiguous", "The code holds bots of several programming models.", "Bundle"
    INSPECTION_FAILED = "InspectionFailed", "The bot is at odds with itself; the message says where.", "Bundle"

    BUNDLE_NOT_FOUND = "BundleNotFound", "The Bundle of `spec.bundleRef` does not exist.", "Bot"
    BUNDLE_NOT_READY = "BundleNotReady", "The Bundle has no revision to run yet.", "Bot"
    BUNDLE_NOT_ALLOWED = (
        "BundleNotAllowed",
        "`spec.allowedNamespaces` of the Bundle does not admit the Bot's namespace.",
        "Bot",
    )
    REVISION_NOT_FOUND = "RevisionNotFound", "The Bundle does not keep the revision of `spec.bundleRef`.", "Bot"
    STOPPED = "Stopped", "`spec.replicas` is 0: nothing runs, on purpose.", "Bot"
    ASLEEP = "Asleep", "Nothing waits, so nothing runs; the next message wakes it (`spec.autoscaling`).", "Bot"
    PODS_NOT_READY = "PodsNotReady", "No replica is ready yet.", "Bot"
    ROLLING_OUT = "RollingOut", "Replicas are being replaced.", "Bot"
    RAMPING = "Ramping", "A new revision takes over step by step, beside the one that ran before.", "Bot"
    RAMP_FAILED = "RampFailed", "A revision that was ramped failed; the one before took over again.", "Bot"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded", "The rollout did not advance in time.", "Bot"
    QUOTA_EXCEEDED = "QuotaExceeded", "A ResourceQuota of the namespace refuses the pods.", "Bundle", "Bot"
    PODS_REFUSED = "PodsRefused", "The pods cannot be created; the message has the answer.", "Bundle", "Bot"
    SCENARIOS_RUNNING = "ScenariosRunning", "The new revision's scenarios run; it takes over when they passed.", "Bot"
    SCENARIOS_FAILED = "ScenariosFailed", "Scenarios of the new revision fail; the message names the first.", "Bot"
    CRASH_LOOP = "CrashLoop", "The process ends again and again; the message has its last words.", "Bot"
    IMAGE_PULL_FAILED = "ImagePullFailed", "The runtime image cannot be pulled.", "Bundle", "Bot"
    UNSCHEDULABLE = "Unschedulable", "No node has room for the pods.", "Bundle", "Bot"
    CONFLICT = "Conflict", "An object with the name of a child exists and belongs to somebody else.", "Bundle", "Bot"
    COUNTING_CONVERSATIONS = (
        "CountingConversations",
        "The stored conversations are held against the new revision; the old one runs until then.",
        "Bot",
    )
    CONVERSATIONS_NOT_COUNTED = (
        "ConversationsNotCounted",
        "The stored conversations could not be held against the new revision; the old one runs on.",
        "Bot",
    )
    STATE_INCOMPATIBLE = (
        "StateIncompatible",
        "Stored conversations cannot go on with the new revision, so the old one runs on.",
        "Bot",
    )
    CONVERSATIONS_DRAINING = (
        "ConversationsDraining",
        "Stored conversations that the revision cannot go on with end on the old one, which runs beside it.",
        "Bot",
    )
    CONVERSATIONS_RESET = (
        "ConversationsReset",
        "Stored conversations that the revision cannot go on with begin anew, as the spec asks.",
        "Bot",
    )
    SCALED_BY_OTHERS = "ScaledByOthers", "A HorizontalPodAutoscaler scales the Bot.", "Bot"
    MANIFEST_MISSING = "ManifestMissing", "Nothing is known of the revision's machine.", "Bot"
    DEFAULT_CONFLICT = "DefaultConflict", "Another Bot of the namespace is the default already.", "Bot"

    BOT_NOT_FOUND = "BotNotFound", "The Bot of `spec.botRef` does not exist.", "Persona"
    BOT_NOT_READY = "BotNotReady", "The Bot has no ready replica.", "Persona"
    BOT_WITHOUT_LOOP = "BotWithoutLoop", "The Bot's bundle is of a model whose bots have no loop.", "Persona"
