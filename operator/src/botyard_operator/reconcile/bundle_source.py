"""From the spec of a Bundle and the Secrets that it names to what is asked of a fetch."""

from __future__ import annotations

from collections.abc import Mapping

from botyard_operator.api.bundle import Bundle, GitSource, GitVerify
from botyard_operator.api.refs import LocalObjectRef
from botyard_operator.fetch.credentials import credentials_from_secret
from botyard_operator.fetch.errors import FetchError, Reason
from botyard_operator.fetch.request import Credentials, FetchRequest, Ref, Verification
from botyard_operator.fetch.signatures import split_keys
from botyard_operator.fetch.url import parse_git_url
from botyard_operator.fetch.versions import check_range
from botyard_operator.reconcile.base import Context
from botyard_operator.reconcile.bundle_status import ref_of

_PROTOCOLS = ("http", "https", "ssh")


async def build_request(bundle: Bundle, ctx: Context) -> FetchRequest:
    """Return what to fetch.

    Args:
        bundle: the Bundle.
        ctx: where its Secrets are read.

    Raises:
        FetchError: the URL, the range or a Secret cannot be used.
    """
    spec = bundle.spec
    ref = ref_of(bundle)
    protocols = (*_PROTOCOLS, "file") if ctx.settings.allow_insecure_sources else _PROTOCOLS
    common: dict[str, object] = {
        "ref": ref,
        "path": spec.path,
        "ignore": spec.ignore,
        "max_bytes": spec.limits.size.bytes,
        "max_files": spec.limits.files,
        "timeout_seconds": spec.timeout.seconds,
        "protocols": protocols,
    }
    if spec.git is not None:
        further = await _of_git(bundle, spec.git, ref, protocols, ctx)
    elif spec.archive is not None:
        archive = spec.archive
        credentials = await _credentials(bundle, archive.secret_ref, "spec.archive.secretRef", ctx, ssh=False)
        further = {"url": archive.url, "digest": archive.digest or "", "credentials": credentials}
        further["scope"] = _scope(bundle, archive.secret_ref)
    else:
        assert spec.inline is not None
        further = {"url": "", "files": spec.inline.files, "scope": _scope(bundle, None)}
    return FetchRequest.model_validate(common | further)


async def _of_git(
    bundle: Bundle, git: GitSource, ref: Ref, protocols: tuple[str, ...], ctx: Context
) -> dict[str, object]:
    url = parse_git_url(git.url, protocols=protocols)
    if ref.kind == "semver":
        check_range(ref.name)
    ssh = url.protocol == "ssh"
    return {
        "url": git.url,
        "credentials": await _credentials(bundle, git.secret_ref, "spec.git.secretRef", ctx, ssh=ssh),
        "scope": _scope(bundle, git.secret_ref),
        "submodules": git.submodules,
        "verify": await _verification(bundle, git.verify, ctx) if git.verify is not None else None,
    }


def _scope(bundle: Bundle, reference: LocalObjectRef | None) -> str:
    return f"{bundle.metadata.namespace}/{reference.name if reference else ''}"


async def _credentials(
    bundle: Bundle, reference: LocalObjectRef | None, field: str, ctx: Context, *, ssh: bool
) -> Credentials:
    if reference is None:
        return Credentials()
    data = await _secret(bundle, reference.name, field, ctx)
    return credentials_from_secret(data, secret=f"{bundle.metadata.namespace}/{reference.name}", field=field, ssh=ssh)


async def _verification(bundle: Bundle, verify: GitVerify, ctx: Context) -> Verification:
    name, field = verify.secret_ref.name, "spec.git.verify.secretRef"
    data = await _secret(bundle, name, field, ctx)
    secret = f"{bundle.metadata.namespace}/{name}"
    if not data:
        raise FetchError(
            Reason.SECRET_KEY_MISSING, f"Secret {secret} of {field} lacks a public key; add it to the Secret."
        )
    keys = []
    for entry, content in sorted(data.items()):
        try:
            text = content.decode()
            split_keys([text])
        except ValueError:
            raise FetchError(
                Reason.CREDENTIALS_INVALID,
                f"Secret {secret} cannot be used for {field}: its entry {entry} holds neither SSH public keys nor an "
                "armoured OpenPGP public key.",
            ) from None
        keys.append(text)
    return Verification(mode=verify.mode, keys=tuple(keys))


async def _secret(bundle: Bundle, name: str, field: str, ctx: Context) -> Mapping[str, bytes]:
    namespace = bundle.metadata.namespace
    data = await ctx.kube.secret(namespace, name)
    if data is None:
        raise FetchError(Reason.SECRET_NOT_FOUND, f"Secret {namespace}/{name} of {field} does not exist; create it.")
    return data
