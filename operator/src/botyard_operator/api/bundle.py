"""Bundle: bot code from git, an archive or the manifest itself."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from botyard_operator.api.base import Model
from botyard_operator.api.durations import DurationText, duration_between
from botyard_operator.api.markers import list_map
from botyard_operator.api.meta import Condition
from botyard_operator.api.quantities import QuantityText, Size
from botyard_operator.api.refs import LocalObjectRef, RelativePath
from botyard_operator.api.resource import Column, Definition, Resource
from botyard_operator.api.rules import Rule, matches, refuses

DEFAULT_BRANCH = "main"

# An option such as `-oProxyCommand=…` in the place of a host or user would reach ssh's command line: both must begin
# with a letter or digit. `ext::` and `file://` never match.
_HTTP_URL = r"https?://[A-Za-z0-9\[][^\s]*"
_SSH_URL = r"ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9\[][^\s]*"
_SCP_URL = r"[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s:][^\s]*"
_SSH = re.compile(rf"{_SSH_URL}|{_SCP_URL}")

_REF_NAME = r"[A-Za-z0-9_][A-Za-z0-9._/+@#-]*"

_INLINE_TOTAL = 512 * 1024


class GitRef(Model):
    """Which revision of a repository to take; without any field, branch `main`."""

    # No field has a default in the CRD: `kubectl apply` would keep a defaulted branch beside a tag that is added
    # later, and the rule below would refuse the object.
    rules: ClassVar = (
        Rule(
            cel="[has(self.branch), has(self.tag), has(self.semver), has(self.commit)].filter(x, x).size() <= 1",
            message=("write exactly one of branch, tag, semver and commit, or leave ref out to follow the branch main"),
            holds=lambda ref: sum(map(bool, (ref.branch, ref.tag, ref.semver, ref.commit))) <= 1,
        ),
    )

    branch: (
        Annotated[
            str,
            Field(max_length=250),
            matches(_REF_NAME, "write a branch name without spaces, not starting with '-', such as main"),
            refuses(r"\.\.|//|@\{|\.lock$|[./]$", "write a valid branch name, such as main or release/1.2"),
        ]
        | None
    ) = None
    """Branch to follow."""
    tag: (
        Annotated[
            str,
            Field(max_length=250),
            matches(_REF_NAME, "write a tag name without spaces, not starting with '-', such as v1.2.0"),
            refuses(r"\.\.|//|@\{|\.lock$|[./]$", "write a valid tag name, such as v1.2.0"),
        ]
        | None
    ) = None
    """Tag to take; followed where it is moved."""
    semver: (
        Annotated[
            str,
            Field(max_length=100),
            matches(r"[0-9A-Za-z.*^~<>=|, +-]+", "write a range of versions, such as >=1.2.0 <2.0.0, ^1.4 or 1.x"),
        ]
        | None
    ) = None
    """Range of versions; the highest tag within it is taken."""
    commit: (
        Annotated[
            str,
            Field(max_length=64),
            matches(
                r"[0-9a-f]{40}|[0-9a-f]{64}",
                "write the full commit hash: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits",
            ),
        ]
        | None
    ) = None
    """Commit to take, by its full hash."""

    @property
    def effective_branch(self) -> str | None:
        """The branch to follow, or None where a tag, a range or a commit is asked for."""
        if self.tag or self.semver or self.commit:
            return None
        return self.branch or DEFAULT_BRANCH


class GitVerify(Model):
    """Signature to ask for before a revision is used."""

    mode: Literal["HEAD", "Tag", "TagAndHEAD"] = "HEAD"
    """What must be signed: the commit (HEAD), the tag (Tag) or both (TagAndHEAD)."""
    secret_ref: LocalObjectRef
    """Secret whose entries are public keys, SSH or OpenPGP; any one of them may have signed."""


class GitSource(Model):
    """A git repository."""

    rules: ClassVar = (
        Rule(
            cel=f"!self.url.matches(r'^({_SSH_URL}|{_SCP_URL})$') || has(self.secretRef)",
            message=(
                "an SSH URL needs secretRef: the name of a Secret with the private key as identity and the server's "
                "keys as known_hosts"
            ),
            holds=lambda git: not git.is_ssh or git.secret_ref is not None,
        ),
        Rule(
            cel="!has(self.verify) || self.verify.mode == 'HEAD' "
            "|| (has(self.ref) && (has(self.ref.tag) || has(self.ref.semver)))",
            message=(
                "verify.mode Tag and TagAndHEAD need ref.tag or ref.semver; write mode: HEAD for a branch or commit"
            ),
            holds=lambda git: git.verify is None or git.verify.mode == "HEAD" or bool(git.ref.tag or git.ref.semver),
            field=".verify.mode",
        ),
    )

    url: Annotated[
        str,
        Field(min_length=1, max_length=1024),
        matches(
            f"{_HTTP_URL}|{_SSH_URL}|{_SCP_URL}",
            "write an https://, http:// or ssh:// URL, or git@host:path",
        ),
        refuses(
            r"^https?://[^/]*@",
            "leave user and password out of the URL; put them as username and password into a Secret and name it in "
            "secretRef",
        ),
    ]
    """Address of the repository: `https://`, `http://`, `ssh://` or `git@host:path`."""
    ref: GitRef = GitRef()
    """Which revision to take; branch `main` when left out."""
    secret_ref: LocalObjectRef | None = None
    """Secret to authenticate with: `username` and `password`, or `bearerToken`, or `identity` and `known_hosts` (and
    `password`, where the key is encrypted); `ca.crt` for a private certificate authority, `proxy` for a way out."""
    verify: GitVerify | None = None
    """Signature to ask for; unsigned revisions are then refused."""
    submodules: bool = False
    """Whether to fetch submodules too."""

    @property
    def is_ssh(self) -> bool:
        """Whether the URL is fetched over SSH."""
        return _SSH.fullmatch(self.url) is not None


class ArchiveSource(Model):
    """A file to download: zip, tar.gz, wheel or a single Python file."""

    url: Annotated[
        str,
        Field(min_length=1, max_length=1024),
        matches(_HTTP_URL, "write an https:// or http:// URL of a .zip, .tar.gz, .whl or .py file"),
        refuses(r"^https?://[^/]*@", "leave user and password out of the URL"),
    ]
    """Address of the file."""
    digest: (
        Annotated[
            str,
            Field(max_length=71),
            matches(
                r"sha256:[0-9a-f]{64}", "write sha256: and the 64 hexadecimal digits that sha256sum prints for the file"
            ),
        ]
        | None
    ) = None
    """Digest that the file must have, as `sha256:…`; without it the file is followed, and its digest recorded."""
    secret_ref: LocalObjectRef | None = None
    """Secret to authenticate with: `username` and `password`, or `bearerToken`; `ca.crt` for a private certificate
    authority."""


class InlineSource(Model):
    """Files written in the manifest itself."""

    files: Annotated[
        dict[str, Annotated[str, Field(max_length=262144)]],
        Field(min_length=1, max_length=32),
        Rule(
            cel=r"self.all(name, name.matches(r'^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$'))",
            message=(
                "write file names as relative paths such as bot.py or tools/weather.py: letters, digits, '_', '-', "
                "'.', each part starting with a letter, digit or '_'"
            ),
            holds=lambda files: all(
                re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", name) for name in files
            ),
        ),
        Rule(
            cel=f"self.map(name, self[name].size()).sum() <= {_INLINE_TOTAL}",
            message="write at most 524288 characters in all files together; use git or archive for larger bundles",
            holds=lambda files: sum(len(content) for content in files.values()) <= _INLINE_TOTAL,
        ),
    ]
    """Content of each file, by its relative path."""


class Entrypoint(Model):
    """Where the bot is found in the code; what is left out is found by inspection."""

    rules: ClassVar = (
        Rule(
            cel="!has(self.symbol) || self.symbol == '' || (has(self.module) && self.module != '')",
            message="symbol needs module: write the module that defines it, such as module: repairs_bot",
            holds=lambda entrypoint: not entrypoint.symbol or bool(entrypoint.module),
        ),
    )

    model: Literal["auto", "loop", "fsm", "workflow"] = "auto"
    """Programming model of the bot."""
    module: Annotated[
        str,
        Field(max_length=253),
        matches(
            # Folders of workflow bundles are often named like `react@2026-02-10`.
            r"([A-Za-z_][A-Za-z0-9_@-]*(\.[A-Za-z0-9_][A-Za-z0-9_@-]*)*)?",
            "write a dotted Python module below spec.path, such as repairs_bot or shop.bots.repairs",
        ),
    ] = ""
    """Dotted module below the bundle's folder."""
    symbol: Annotated[
        str,
        Field(max_length=253),
        matches(r"([A-Za-z_][A-Za-z0-9_]*)?", "write the name of a class or function, such as RepairsFSM"),
    ] = ""
    """Class or function in the module."""


class Dependencies(Model):
    """Python packages that the code needs beyond those of the runtime image."""

    requirements: Annotated[tuple[Annotated[RelativePath, Field(min_length=1)], ...], Field(max_length=16)] = ()
    """Requirements files (also `pyproject.toml` and `pylock.toml`), as paths below `spec.path`, installed together."""
    index_secret_ref: LocalObjectRef | None = None
    """Secret with the package index to install from: `url`, and `username` and `password` where it asks for them."""


class SourceLimits(Model):
    """How large a source may be; a larger one is refused."""

    size: Size = QuantityText("100Mi")
    """Unpacked size of the fetched source."""
    files: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Number of files of the fetched source."""


class Retain(Model):
    """Which earlier revisions stay in storage, for rollbacks."""

    revisions: Annotated[int, Field(ge=1, le=50)] = 3
    """Number of revisions, the current one included."""
    ttl: Annotated[DurationText, duration_between("1m", "8760h")] = DurationText("24h")
    """How long a revision stays at least once a newer one took its place."""


class LabelSelectorRequirement(Model):
    """One condition on labels."""

    rules: ClassVar = (
        Rule(
            cel="self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 "
            ": !has(self.values) || self.values.size() == 0",
            message="In and NotIn need values; Exists and DoesNotExist take none",
            holds=lambda requirement: (requirement.operator in ("In", "NotIn")) == bool(requirement.values),
        ),
    )

    key: Annotated[str, Field(min_length=1, max_length=317)]
    """Key of the label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label's value relates to `values`."""
    values: Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=64)] = ()
    """Values to compare with."""


class LabelSelector(Model):
    """Selects objects by their labels; all conditions must hold."""

    match_labels: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)] = {}
    """Labels that must have exactly these values."""
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], Field(max_length=32)] = ()
    """Further conditions."""


class AllowedNamespaces(Model):
    """From which namespaces Bots may refer to the Bundle."""

    rules: ClassVar = (
        Rule(
            cel="(has(self.from) && self.from == 'Selector') == has(self.selector)",
            message="write selector together with from: Selector, and only then",
            holds=lambda allowed: (allowed.from_ == "Selector") == (allowed.selector is not None),
        ),
    )

    from_: Annotated[Literal["Same", "All", "Selector"], Field(alias="from")] = "Same"
    """The Bundle's own (Same), every one (All) or those that `selector` matches (Selector)."""
    selector: LabelSelector | None = None
    """Labels of the namespaces that may refer to the Bundle."""


class BundleSpec(Model):
    """Where the code comes from and how it is prepared."""

    rules: ClassVar = (
        Rule(
            cel="[has(self.git), has(self.archive), has(self.inline)].filter(x, x).size() == 1",
            message="write exactly one of git, archive and inline",
            holds=lambda spec: sum(source is not None for source in (spec.git, spec.archive, spec.inline)) == 1,
        ),
    )

    git: GitSource | None = None
    """Take the code from a git repository."""
    archive: ArchiveSource | None = None
    """Take the code from a file to download."""
    inline: InlineSource | None = None
    """Take the code from this manifest; for small bots."""
    path: RelativePath = ""
    """Folder of the bundle inside the source; its root when left out."""
    ignore: Annotated[str, Field(max_length=16384)] = ""
    """What to leave out, in the syntax of .gitignore; a .botyardignore in the source is read too."""
    entrypoint: Entrypoint = Entrypoint()
    """Where the bot is found in the code."""
    dependencies: Dependencies | None = None
    """Python packages that the code needs."""
    interval: Annotated[DurationText, duration_between("1s", "24h")] = DurationText("1m")
    """How often the source is looked at; an unchanged one costs a single small request."""
    timeout: Annotated[DurationText, duration_between("1s", "1h")] = DurationText("60s")
    """How long one fetch may take."""
    limits: SourceLimits = SourceLimits()
    """How large the source may be."""
    retain: Retain = Retain()
    """Which earlier revisions stay in storage."""
    allowed_namespaces: AllowedNamespaces = AllowedNamespaces()
    """From which namespaces Bots may refer to the Bundle."""
    suspend: bool = False
    """Stops reconciling; the artifact stays available."""


class Artifact(Model):
    """Something that the operator stores and serves inside the cluster."""

    revision: str = ""
    """Where it comes from, such as `main@sha1:…`."""
    digest: str = ""
    """Digest of its content, as `sha256:…`; whoever downloads it verifies it."""
    url: str = ""
    """Where it is served, inside the cluster."""
    size: Annotated[int, Field(ge=0)] = 0
    """Size in bytes."""
    last_update_time: str = ""
    """When it was stored (RFC 3339)."""


class Manifest(Model):
    """What inspection found in the code."""

    model: str = ""
    """Programming model: loop, fsm or workflow."""
    name: str = ""
    """Name that the code gives itself."""
    version: str = ""
    """Version that the code gives itself."""
    tools: tuple[str, ...] = ()
    """Tools that it offers to models."""
    erp_tables: tuple[str, ...] = ()
    """ERP tables that it handles changes of."""
    states: tuple[str, ...] = ()
    """States of its machine, for the model fsm."""
    setup_keys: tuple[str, ...] = ()
    """Keys of its setup schema."""
    experts: tuple[str, ...] = ()
    """Experts that it brings."""
    scenarios: Annotated[int, Field(ge=0)] = 0
    """Files of scenarios that it brings."""
    digest: str = ""
    """Digest of the full manifest, as `sha256:…`."""


class Revision(Artifact):
    """A revision in storage."""

    layer: Artifact | None = None
    """Its installed dependencies."""


class BuildResult(Model):
    """The build that the current revision comes from."""

    id: str = ""
    """Digest of everything that went into it."""
    log_url: str = ""
    """Where its log is served; the Secret `<bundle>-build` has the token."""


class BundleStatus(Model):
    """What was made of the source."""

    observed_generation: int = -1
    """Generation of the spec that this status speaks of; -1 before the first reconcile."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=32), list_map("type")] = ()
    """State of the Bundle, one aspect each."""
    artifact: Artifact | None = None
    """The code that Bots run now: the last good revision."""
    layer: Artifact | None = None
    """The installed dependencies of that revision."""
    manifest: Manifest | None = None
    """What inspection found in that revision."""
    build: BuildResult | None = None
    """The build that this revision comes from."""
    history: Annotated[tuple[Revision, ...], Field(max_length=50)] = ()
    """Revisions in storage, newest first."""
    last_handled_requested_at: str = ""
    """Value of the annotation botyard.dev/requestedAt that was handled last."""


class Bundle(Resource):
    """Bot code: fetched, checked and stored, ready for Bots to run."""

    definition: ClassVar = Definition(
        kind="Bundle",
        plural="bundles",
        singular="bundle",
        short_names=("bdl",),
        columns=(
            Column(name="Ready", path='.status.conditions[?(@.type=="Ready")].status'),
            Column(name="Status", path='.status.conditions[?(@.type=="Ready")].message'),
            Column(name="Revision", path=".status.artifact.revision"),
            Column(name="Age", path=".metadata.creationTimestamp", type="date"),
        ),
    )
    rules: ClassVar = (
        Rule(
            cel="self.metadata.name.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 50",
            message=(
                "write a name of at most 50 lower-case letters, digits and '-', so that the names of its children fit"
            ),
            holds=lambda bundle: (
                len(bundle.metadata.name) <= 50
                and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", bundle.metadata.name) is not None
            ),
            field=".metadata.name",
        ),
    )

    spec: BundleSpec
    """Where the code comes from and how it is prepared."""
    status: BundleStatus = BundleStatus()
    """What was made of it."""
