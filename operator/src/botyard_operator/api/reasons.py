"""Types and reasons of the conditions: the only words that a status uses, each with its meaning.

Documentation and tests read the meanings from here.
"""

from enum import StrEnum
from typing import Self


class _Documented(StrEnum):
    """A string constant with its meaning in `doc`."""

    doc: str

    def __new__(cls, value: str, doc: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member


class ConditionType(_Documented):
    """Types of conditions."""

    READY = "Ready", "The object does what its spec says. Always present; Unknown at first."
    RECONCILING = "Reconciling", "Work is under way and settles by itself. Absent when it is not."
    STALLED = "Stalled", "Waiting cannot help: somebody must change something. Absent when it is not so."
    FETCHED = "Fetched", "The source was fetched at the revision that the spec asks for."
    VERIFIED = "Verified", "The source's signature is by one of the given keys. Only with `verify`."
    BUILT = "Built", "The dependencies are installed into the layer artifact."
    INSPECTED = "Inspected", "The code was imported and described itself in the manifest."
    ARTIFACT_IN_STORAGE = "ArtifactInStorage", "The artifact of `status.artifact` can be downloaded now."
    BUNDLE_READY = "BundleReady", "The Bundle that the Bot refers to has a revision to run."
    ROLLED_OUT = "RolledOut", "All replicas run the newest revision and configuration."
    STATE_COMPATIBLE = "StateCompatible", "The new revision can go on with the stored conversations."
    BUDGET_EXCEEDED = "BudgetExceeded", "A budget is used up. Absent when it is not."
    SETUP_VALID = "SetupValid", "The setup agrees with the bundle's setup schema, key by key."
    SUBSCRIBED = "Subscribed", "The ERP subscriptions are in force in the running process."


class Reason(_Documented):
    """Reasons of conditions."""

    # Every kind
    SUCCEEDED = "Succeeded", "All is done."
    PROGRESSING = "Progressing", "Work is under way; the message says which."
    RETRYING = "Retrying", "Something failed that may pass; the next attempt follows with a growing delay."
    SUSPENDED = "Suspended", "`spec.suspend` is true: what runs is left alone."
    INVALID_SPEC = "InvalidSpec", "A field of the spec is impossible; the message names it and what to write."
    FIELD_NOT_SUPPORTED = (
        "FieldNotSupported",
        "A field of the spec has no behaviour in this release; the message names it.",
    )
    REFERENCE_NOT_FOUND = "ReferenceNotFound", "A Secret or ConfigMap that the spec names does not exist."
    REFERENCE_INVALID = "ReferenceInvalid", "A Secret or ConfigMap that the spec names lacks an entry."
    ACCESS_DENIED = "AccessDenied", "The operator may not do what the spec needs; the message names the permission."
    CONFLICT = "Conflict", "An object of the same name exists and belongs to somebody else."

    # Bundle
    FETCH_FAILED = "FetchFailed", "The remote did not deliver the source; it is tried again."
    AUTHENTICATION_FAILED = "AuthenticationFailed", "The remote refused the credentials."
    SOURCE_NOT_FOUND = "SourceNotFound", "The remote has no such repository, file or ref."
    REVISION_NOT_FOUND = "RevisionNotFound", "The branch, tag or commit does not exist in the source."
    PATH_NOT_FOUND = "PathNotFound", "`spec.path` is no folder of the source."
    LIMIT_EXCEEDED = "LimitExceeded", "The source is larger than `spec.limits` allows."
    UNSAFE_SOURCE = "UnsafeSource", "The source holds something refused, such as a link out of its folder."
    DIGEST_MISMATCH = "DigestMismatch", "The archive's content is not that of `spec.archive.digest`."
    VERIFICATION_FAILED = "VerificationFailed", "No given key signed the revision."
    BUILD_FAILED = "BuildFailed", "The dependencies could not be installed."
    INSPECTION_FAILED = (
        "InspectionFailed",
        "The code could not be imported; the message has the last line of the error.",
    )
    ENTRYPOINT_NOT_FOUND = "EntrypointNotFound", "No bot was found where `spec.entrypoint` points."
    ENTRYPOINT_AMBIGUOUS = "EntrypointAmbiguous", "Several bots were found; name one in `spec.entrypoint`."
    STORAGE_FAILED = "StorageFailed", "The artifact could not be stored, or a stored one is damaged."

    # Bot
    BUNDLE_NOT_FOUND = "BundleNotFound", "The Bundle of `spec.bundleRef` does not exist."
    BUNDLE_NOT_READY = "BundleNotReady", "The Bundle has no revision to run yet."
    BUNDLE_NOT_ALLOWED = "BundleNotAllowed", "The Bundle's `allowedNamespaces` leaves out this namespace."
    STOPPED = "Stopped", "`spec.replicas` is 0: nothing runs, on purpose."
    PODS_NOT_READY = "PodsNotReady", "No replica is ready yet."
    ROLLING_OUT = "RollingOut", "Replicas are being replaced."
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded", "The rollout did not advance in time."
    QUOTA_EXCEEDED = "QuotaExceeded", "A ResourceQuota of the namespace refuses the pods."
    PODS_REFUSED = "PodsRefused", "The API server refuses the pods; the message has its answer."
    CRASH_LOOP = "CrashLoop", "The process ends again and again; the message has its last words."
    IMAGE_PULL_FAILED = "ImagePullFailed", "The runtime image cannot be pulled."
    UNSCHEDULABLE = "Unschedulable", "No node has room for the pods."
    SCENARIOS_FAILED = "ScenariosFailed", "A scenario of the new revision failed; the old one keeps serving."
    STATE_INCOMPATIBLE = "StateIncompatible", "The new revision cannot go on with stored conversations."
    DEFAULT_CONFLICT = "DefaultConflict", "Another Bot of the namespace is the default already."

    # Persona
    BOT_NOT_FOUND = "BotNotFound", "The Bot of `spec.botRef` does not exist."
    BOT_NOT_READY = "BotNotReady", "The Bot has no ready replica."
    SETUP_INVALID = "SetupInvalid", "The setup does not fit the bundle's schema; the message names the key."
    TOO_LARGE = "TooLarge", "The Persona does not fit into the ConfigMaps of its Bot."
    SUBSCRIPTION_INVALID = "SubscriptionInvalid", "An ERP subscription names what the bundle does not handle."

    # Budgets
    DAILY_BUDGET_EXCEEDED = "DailyBudgetExceeded", "Today's budget is used up until midnight of its time zone."
    TASK_BUDGET_EXCEEDED = "TaskBudgetExceeded", "A task has used up its budget."
    THREAD_BUDGET_EXCEEDED = "ThreadBudgetExceeded", "A thread has used up its budget."
