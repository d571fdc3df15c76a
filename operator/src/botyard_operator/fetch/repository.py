"""A git repository as a source: from its ref over signatures and tree to the archive, inside the fetch child."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from botyard_operator.fetch import failures
from botyard_operator.fetch.addresses import pinned_addresses
from botyard_operator.fetch.archive import Written, write_archive
from botyard_operator.fetch.environment import authority_file, authorization, git_environment, secrets_of
from botyard_operator.fetch.errors import CONTENT, FetchError, Reason
from botyard_operator.fetch.redirect import Answer, ask, redirected_url
from botyard_operator.fetch.remote import GitFailed, Remote
from botyard_operator.fetch.request import ARCHIVE_NAME, ChildRequest, Credentials, FetchResult, Ref, hash_of
from botyard_operator.fetch.selection import (
    Listed,
    check_entries,
    check_ignore_size,
    check_size,
    ignore_files,
    ignore_rules,
    listed_within,
    select,
)
from botyard_operator.fetch.signatures import Signatures
from botyard_operator.fetch.ssh import key_opens
from botyard_operator.fetch.submodules import MAX_DEPTH, MAX_SUBMODULES, Submodule, read_submodules
from botyard_operator.fetch.tree import MAX_LINK_BYTES, SUBMODULE, Kind, check_links, checked_link_target
from botyard_operator.fetch.url import GitUrl, parse_git_url
from botyard_operator.fetch.versions import Found

_REDIRECTS = 2
_REDIRECT_TIMEOUT = 10.0

T = TypeVar("T")


class Tree:
    """A folder of a commit in a fetched repository."""

    def __init__(self, remote: Remote, commit: str, ref: Ref, name: str, prefix: str, folder: Path) -> None:
        self.remote = remote
        self.commit = commit
        self.ref = ref
        self.name = name
        """The folder's tree, in git's words."""
        self.prefix = prefix
        """Where it stands in the Bundle: empty, or a submodule's path with a slash."""
        self.folder = folder
        """Where the repository's files lie."""


def fetch_repository(request: ChildRequest) -> FetchResult:
    """Fetch a repository once.

    Raises:
        FetchError: with the documented reason.
    """
    url = parse_git_url(request.url, protocols=request.protocols)
    return _following(request, url, request.credentials, lambda url: _fetch(request, url), request.work_dir)


def _following(
    request: ChildRequest, url: GitUrl, credentials: Credentials, action: Callable[[GitUrl], T], folder: Path
) -> T:
    """Do something with a remote, at the address that it redirects to within its own host."""
    for _ in range(_REDIRECTS + 1):
        try:
            return action(url)
        except GitFailed as failure:
            if not failures.was_redirected(failure.stderr) or url.protocol == "ssh":
                raise _explained(failures.from_stderr(failure.stderr, url=url.clean), url, folder) from failure
            url = redirected_url(url, _ask(url, credentials, folder).location, protocols=request.protocols)
        except FetchError as error:
            # To git a page that has nothing to do with it looks like an empty repository of its oldest protocol.
            empty = error.reason is Reason.REPOSITORY_EMPTY and url.protocol in {"http", "https"}
            if empty and not _ask(url, credentials, folder).is_git:
                raise FetchError(
                    Reason.REMOTE_UNREADABLE,
                    f"{url.clean} is no git repository that is served over HTTP; check spec.git.url.",
                ) from error
            raise _explained(error, url, folder) from error.__cause__
    raise FetchError(Reason.REDIRECT_REFUSED, f"{url.clean}: the server redirects again and again.")


def _explained(error: FetchError, url: GitUrl, folder: Path) -> FetchError:
    """Say when a refusal comes from a key that cannot even be read: ssh skips it in silence."""
    if error.reason is not Reason.AUTHENTICATION_FAILED or url.protocol != "ssh" or key_opens(folder / "home" / "ssh"):
        return error
    return FetchError(
        Reason.CREDENTIALS_INVALID,
        f"{url.clean}: the entry identity of the Secret in spec.git.secretRef cannot be read; it must be a private "
        "key, and the entry password its passphrase where it is encrypted.",
    )


def _ask(url: GitUrl, credentials: Credentials, folder: Path) -> Answer:
    return ask(
        url,
        authorization=authorization(credentials),
        ca_file=str(authority_file(folder, credentials)) if credentials.ca_certificate else None,
        timeout=_REDIRECT_TIMEOUT,
        proxy=credentials.proxy,
    )


def _open(request: ChildRequest, url: GitUrl, credentials: Credentials, folder: Path) -> Remote:
    """Return a remote whose files lie in a folder."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = git_environment(
        url,
        home=home,
        protocols=request.protocols,
        credentials=credentials,
        addresses=pinned_addresses(url, credentials),
    )
    return Remote(url.clean, folder / "repository.git", env=env, secrets=secrets_of(request.credentials))


def _fetch(request: ChildRequest, url: GitUrl) -> FetchResult:
    remote = _open(request, url, request.credentials, request.work_dir)
    pinned = request.pinned
    found = Found(pinned, pinned, pinned) if pinned else None
    if found is None and (request.known_commit or request.ref.kind == "semver"):
        found = remote.resolve(request.ref)
    identity = request.identity(found.commit, found.object) if found is not None else ""
    if found is not None and identity == request.known_commit:
        return FetchResult(outcome="unchanged", commit=found.commit, identity=identity, name=found.name, url=url.clean)
    ref = Ref(kind="tag", name=found.name) if found is not None and request.ref.kind == "semver" else request.ref
    try:
        # Of a bundle at the root nearly all files are wanted, and one round trip less is worth those that are not.
        found = _fetch_ref(remote, ref, found, whole=0 if request.path.strip("/") else 2 * request.max_bytes)
        commit, identity = found.commit, request.identity(found.commit, found.object)
        verified = Signatures(remote, request.work_dir, request.verify).check(commit, ref) if request.verify else ""
        written = _archive(request, url, remote, commit, ref)
    except GitFailed as failure:
        if failures.was_redirected(failure.stderr):
            raise
        if _hit_size_limit(request):
            raise FetchError(
                Reason.TOO_LARGE,
                commit=identity,
                message=f"{url.clean} sends more than {request.max_download_bytes} bytes, the installation's limit; "
                "use a smaller repository.",
            ) from failure
        raise _of_commit(failures.from_stderr(failure.stderr, url=url.clean), identity) from failure
    except FetchError as error:
        raise _of_commit(error, identity) from error.__cause__
    return FetchResult(
        outcome="fetched",
        commit=commit,
        identity=identity,
        name=found.name,
        verified=verified,
        digest=written.digest,
        size=written.size,
        files=written.files,
        url=url.clean,
    )


def _fetch_ref(remote: Remote, ref: Ref, found: Found | None, *, whole: int) -> Found:
    """Fetch a ref, without asking first what it names; only where that fails is the server asked what there is."""
    if found is not None:
        return remote.fetch(ref, object_format=hash_of(found.commit), whole=whole)
    try:
        return remote.fetch(ref, whole=whole)
    except GitFailed as failure:
        if not failures.names_nothing(failure.stderr):
            raise
        return remote.fetch(ref, object_format=hash_of(remote.resolve(ref).commit), whole=whole)


def _hit_size_limit(request: ChildRequest) -> bool:
    """Return whether git filled a file up to the limit; the signal that ends it then is not in its message."""
    packs = request.work_dir.glob("**/repository.git/objects/pack/*")
    return any(path.stat().st_size >= request.max_download_bytes for path in packs)


def _of_commit(error: FetchError, identity: str) -> FetchError:
    """Note the commit whose content is refused, so that the caller need not fetch it again to hear the same."""
    if error.reason in CONTENT:
        error.commit = identity
    return error


def _archive(request: ChildRequest, url: GitUrl, remote: Remote, commit: str, ref: Ref) -> Written:
    top = Tree(remote, commit, ref, _find_tree(request, remote, commit), "", request.work_dir)
    trees, listed = [top], _list(request, top, 0)
    if request.submodules:
        _add_submodules(request, url, trees, listed, depth=1, of=0)
    texts = _ignore_texts(request, trees, listed)
    entries = select(listed, ignore_rules(request, texts))
    check_entries(request, entries, source=url.clean)
    wanted: dict[int, set[str]] = {}
    for entry in entries:
        number, oid = _split(entry.oid)
        wanted.setdefault(number, set()).add(oid)
    sizes: dict[str, int] = {}
    for number, oids in wanted.items():
        tree = trees[number]
        found = tree.remote.fetch_blobs(tree.commit, oids, tree.ref, most=request.max_bytes)
        sizes |= {f"{number}:{oid}": size for oid, size in found.items()}
    check_size(request, sum(sizes[entry.oid] for entry in entries))
    readers = {number: trees[number].remote.open_blobs() for number in wanted}

    def read(oid: str) -> IO[bytes]:
        number, name = _split(oid)
        return readers[number].open(name)

    links: dict[str, str] = {}
    for entry in entries:
        if entry.kind is Kind.LINK:
            content = read(entry.oid).read(MAX_LINK_BYTES + 1) if sizes[entry.oid] <= MAX_LINK_BYTES else b""
            links[entry.path] = checked_link_target(entry.path, content)
    check_links(links)
    items = ((entry, sizes[entry.oid], links.get(entry.path, "")) for entry in entries)
    return write_archive(request.work_dir / ARCHIVE_NAME, items, read)


def _split(oid: str) -> tuple[int, str]:
    number, _, name = oid.partition(":")
    return int(number), name


def _find_tree(request: ChildRequest, remote: Remote, commit: str) -> str:
    tree = f"{commit}:{request.path.strip('/')}"
    if not request.path.strip("/"):
        return tree
    kind = remote.object_type(tree)
    if kind != "tree":
        what = "is a file" if kind == "blob" else "is a submodule" if kind == "commit" else "does not exist"
        raise FetchError(
            Reason.PATH_NOT_FOUND,
            f"the folder {request.path!r} {what} in {remote.url} at {commit[:12]}; correct spec.path.",
        )
    return tree


def _list(request: ChildRequest, tree: Tree, number: int) -> list[Listed]:
    listing = tree.remote.list_tree(tree.name)
    prefix = tree.prefix.encode()
    return listed_within(request, ((mode, f"{number}:{oid}", prefix + name) for mode, _, oid, name in listing))


def _ignore_texts(request: ChildRequest, trees: list[Tree], listed: list[Listed]) -> dict[str, str]:
    """Read the ignore files of all trees."""
    found = {folder: _split(oid) for folder, oid in ignore_files(listed).items()}
    texts: dict[str, str] = {}
    for number, tree in enumerate(trees):
        here = {folder: oid for folder, (owner, oid) in found.items() if owner == number}
        if not here:
            continue
        sizes = tree.remote.fetch_blobs(tree.commit, set(here.values()), tree.ref, most=request.max_bytes)
        blobs = tree.remote.open_blobs()
        for folder, oid in here.items():
            check_ignore_size(folder, sizes[oid])
            texts[folder] = blobs.open(oid).read(sizes[oid]).decode(errors="replace")
    return texts


def _add_submodules(
    request: ChildRequest, url: GitUrl, trees: list[Tree], listed: list[Listed], *, depth: int, of: int
) -> None:
    """Fetch the submodules below one of the trees, and theirs, and add what they hold to the listing."""
    parent = trees[of]
    rules = ignore_rules(request, {})
    links = {
        name.decode(errors="replace"): _split(oid)[1]
        for mode, oid, name in listed
        if mode == SUBMODULE and _split(oid)[0] == of and not rules.ignores(name.decode(errors="replace"))
    }
    if not links:
        return
    where = f"{request.path.strip('/')}/" if of == 0 and request.path.strip("/") else ""
    for submodule in read_submodules(parent.remote, parent.commit, parent.ref, url, request.protocols):
        path = submodule.path.removeprefix(where)
        commit = links.pop(f"{parent.prefix}{path}", None) if submodule.path.startswith(where) else None
        if commit is None:
            continue
        if depth > MAX_DEPTH or len(trees) > MAX_SUBMODULES:
            raise FetchError(
                Reason.SUBMODULE_INVALID,
                f"{url.clean} has more than {MAX_SUBMODULES} submodules, or more than {MAX_DEPTH} inside each other; "
                "write spec.git.submodules: false, or ignore some.",
            )
        number = len(trees)
        address, tree = _fetch_submodule(request, url, submodule, commit, f"{parent.prefix}{path}/", number)
        trees.append(tree)
        listed.extend(_list(request, tree, number))
        listed_within(request, listed)
        _add_submodules(request, address, trees, listed, depth=depth + 1, of=number)
    if links:
        raise FetchError(
            Reason.SUBMODULE_INVALID,
            f"the submodule {min(links)!r} of {url.clean} has no usable entry in .gitmodules; commit one, or list its "
            "path in spec.ignore.",
        )


def _fetch_submodule(
    request: ChildRequest, parent: GitUrl, submodule: Submodule, commit: str, prefix: str, number: int
) -> tuple[GitUrl, Tree]:
    # The Secret is for the Bundle's own server; whoever writes .gitmodules must not be able to send it elsewhere.
    top = parse_git_url(request.url, protocols=request.protocols)
    own = (submodule.url.protocol, submodule.url.host) == (top.protocol, top.host)
    credentials = request.credentials if own else request.credentials.beyond()
    folder = request.work_dir / f"submodule-{number}"
    folder.mkdir()
    ref = Ref(kind="commit", name=commit)

    def fetch(address: GitUrl) -> tuple[GitUrl, Tree]:
        remote = _open(request, address, credentials, folder)
        remote.fetch(ref, object_format=hash_of(commit))
        return address, Tree(remote, commit, ref, f"{commit}:", prefix, folder)

    try:
        return _following(request, submodule.url, credentials, fetch, folder)
    except FetchError as error:
        raise FetchError(
            error.reason, f"submodule {submodule.path!r} of {parent.clean}: {error.message}", retryable=error.retryable
        ) from error
