"""For each reason of a Bundle a message as it is really written, and what to do: the table in `docs/bundle.md`.

Tests hold that every reason that the code uses is here, and that the examples still are the code's own words.
"""

from collections.abc import Mapping

from botyard_operator.api.guidance_builds import BUILDS
from botyard_operator.api.guidance_entry import Guidance
from botyard_operator.api.reasons import Reason

_URL = "https://git.example.com/shop/bots.git"
_REVISION = "main@sha1:5d0c1f2e9a7b4c3d8e6f1a2b3c4d5e6f7a8b9c0d"

BUNDLE: Mapping[Reason, Guidance] = {
    Reason.SUCCEEDED: Guidance(f"{_REVISION} is in storage", "Nothing to do."),
    Reason.PROGRESSING: Guidance("the source is being fetched", "Wait; `spec.timeout` bounds it."),
    Reason.RETRYING: Guidance(
        f"{_URL}: the server has trouble or asks to slow down; it is tried again. git: fatal: unable to access "
        f"'{_URL}/': The requested URL returned error: 503",
        "The reason of the condition Fetched says what failed; annotate `botyard.dev/requestedAt` to try at once.",
    ),
    Reason.SUSPENDED: Guidance(f"suspended; {_REVISION} stays available", "Write `spec.suspend: false` to go on."),
    Reason.INVALID_SPEC: Guidance(
        "spec.interval: is 60; write a string (quote it if it looks like a number or a boolean)",
        "Correct the field that the message names.",
    ),
    Reason.SECRET_NOT_FOUND: Guidance(
        "Secret shop/git-credentials of spec.git.secretRef does not exist; create it.",
        "`kubectl -n shop create secret generic git-credentials --from-literal=username=… "
        "--from-literal=password=…`; the Bundle goes on by itself.",
    ),
    Reason.SECRET_KEY_MISSING: Guidance(
        "Secret shop/git-credentials of spec.git.secretRef lacks password beside its username; add it to the Secret.",
        "Add the entry; the Bundle goes on by itself.",
    ),
    Reason.CREDENTIALS_INVALID: Guidance(
        "Secret shop/git-credentials cannot be used for the source: give either username and password or bearerToken, "
        "not both.",
        "Correct the Secret; the Bundle goes on by itself.",
    ),
    Reason.HOST_NOT_FOUND: Guidance(
        f"{_URL}: the host does not resolve; check spec.git.url and the cluster's DNS. git: fatal: unable to access "
        f"'{_URL}/': Could not resolve host: git.example.com",
        "Correct `spec.git.url`, or make the name known to the cluster's DNS.",
    ),
    Reason.CONNECTION_FAILED: Guidance(
        f"{_URL}: the server cannot be reached; check spec.git.url and network policies. git: fatal: unable to "
        f"access '{_URL}/': Failed to connect to git.example.com port 443",
        "Open the way from the operator's namespace to the server (network policy, proxy, firewall), or correct the "
        "port.",
    ),
    Reason.CERTIFICATE_INVALID: Guidance(
        f"{_URL}: the server's certificate is not trusted; put its authority into the entry ca.crt of the Secret in "
        "spec.git.secretRef. git: fatal: server certificate verification failed",
        "Put the PEM certificate of the server's authority into `ca.crt`, or renew the server's certificate.",
    ),
    Reason.HOST_KEY_UNKNOWN: Guidance(
        "ssh://git@git.example.com/shop/bots.git: the entry known_hosts of the Secret in spec.git.secretRef has no key "
        "of this server; add what ssh-keyscan prints, after comparing it with what the server's owner publishes. git: "
        "No ED25519 host key is known for git.example.com and you have requested strict checking.",
        "`ssh-keyscan git.example.com`, compare with the fingerprints that the server's owner publishes, and put the "
        "lines into `known_hosts`; with a port, the host is written `[git.example.com]:2222`.",
    ),
    Reason.HOST_KEY_CHANGED: Guidance(
        "ssh://git@git.example.com/shop/bots.git: the server shows another key than the entry known_hosts of the "
        "Secret in spec.git.secretRef has; somebody may be listening in, or the server was set up anew. git: Host key "
        "verification failed.",
        "Ask the server's owner whether the key was changed; only then write the new one into `known_hosts`.",
    ),
    Reason.AUTHENTICATION_FAILED: Guidance(
        f"{_URL}: the server refuses access; check the Secret in spec.git.secretRef (or add one). git: fatal: "
        "Authentication failed",
        "Write working credentials into the Secret; a change of it is tried at once.",
    ),
    Reason.REPOSITORY_NOT_FOUND: Guidance(
        f"{_URL}: the server knows no such repository; check spec.git.url, and spec.git.secretRef when it is "
        f"private. git: fatal: repository '{_URL}/' not found",
        "Correct the URL. Many servers hide private repositories this way: then add `spec.git.secretRef`.",
    ),
    Reason.REPOSITORY_EMPTY: Guidance(
        f"{_URL} has no commit yet; push the branch 'main' to it.", "Push; it is found at the next look."
    ),
    Reason.REF_NOT_FOUND: Guidance(
        f"{_URL} has no branch 'main'; check spec.git.ref (there: develop, master).",
        "Write a ref that exists, or push it.",
    ),
    Reason.RANGE_INVALID: Guidance(
        "spec.git.ref.semver '1.2..3' is no range of versions; write for instance >=1.2.0 <2.0.0, ^1.4 or 1.x.",
        "Write a range as npm has them.",
    ),
    Reason.NOT_SIGNED: Guidance(
        f"commit 5d0c1f2e9a7b of {_URL} bears no signature; sign it (`git commit -S`), or remove spec.git.verify.",
        "Sign the commit (`git commit -S`) or tag (`git tag -s`) and push it.",
    ),
    Reason.SIGNATURE_REFUSED: Guidance(
        f"commit 5d0c1f2e9a7b of {_URL} is not signed by any key of the Secret in spec.git.verify.secretRef; add the "
        'signer\'s public key, if you trust it. git: Good "git" signature with ED25519 key SHA256:yxS…',
        "Add the signer's public key to the Secret, if you trust it; else find out who pushed.",
    ),
    Reason.SUBMODULE_INVALID: Guidance(
        f"the submodule 'lib/tools' of {_URL} has no usable entry in .gitmodules; commit one, or list its path in "
        "spec.ignore.",
        "Correct .gitmodules, or ignore the submodule's path.",
    ),
    Reason.ARCHIVE_NOT_FOUND: Guidance(
        "https://files.example.com/weather-1.2.0.whl: there is no such file; check spec.archive.url.",
        "Correct the URL. Many servers hide private files this way: then add `spec.archive.secretRef`.",
    ),
    Reason.ARCHIVE_UNREADABLE: Guidance(
        "weather-1.2.0.whl is no zip, wheel or tar.gz, nor is it called .py; check spec.archive.url (a login page, "
        "perhaps?).",
        "Download the file yourself and look what it is.",
    ),
    Reason.DIGEST_MISMATCH: Guidance(
        "https://files.example.com/weather-1.2.0.whl has the digest sha256:9f86d0…, spec.archive.digest asks for "
        "sha256:2c26b4…; write the new one if the change is wanted.",
        "Find out why the file changed; write the new digest only if that is wanted.",
    ),
    Reason.REDIRECT_REFUSED: Guidance(
        f"{_URL} redirects to https://mirror.example.org/bots.git, which is another host or no repository; write the "
        "final address into spec.git.url if you trust it.",
        "Write the final address into `spec.git.url`; credentials never follow a redirect to another host.",
    ),
    Reason.SERVER_ERROR: Guidance(
        f"{_URL}: the server has trouble or asks to slow down; it is tried again. git: fatal: unable to access "
        f"'{_URL}/': The requested URL returned error: 503",
        "Wait; all Bundles from this host pause together. A longer `spec.interval` asks less.",
    ),
    Reason.REMOTE_UNREADABLE: Guidance(
        f"{_URL}: the server did not answer in git's protocol; check that spec.git.url is a repository's clone URL. "
        "git: fatal: protocol error: bad line length character",
        "Write the URL that `git clone` takes, not that of a web page; look for a proxy that interferes.",
    ),
    Reason.TIMED_OUT: Guidance(
        f"{_URL} was not fetched within 60 s; check the network to the server or raise spec.timeout.",
        "Raise `spec.timeout`, or use a smaller repository.",
    ),
    Reason.PATH_NOT_FOUND: Guidance(
        f"the folder 'repairs' does not exist in {_URL} at 5d0c1f2e9a7b; correct spec.path.",
        "Correct `spec.path`; it is case-sensitive.",
    ),
    Reason.SOURCE_EMPTY: Guidance(
        f"nothing is left of the folder 'repairs' of {_URL}; check spec.path and spec.ignore.",
        "Ignore less, in `spec.ignore` or in the source's .botyardignore.",
    ),
    Reason.TOO_LARGE: Guidance(
        "the source has 734003200 bytes, spec.limits.size allows 104857600; leave files out by spec.ignore or raise "
        "the limit.",
        "Keep models and data out of the bundle, ignore them, or raise `spec.limits.size`.",
    ),
    Reason.TOO_MANY_FILES: Guidance(
        "the source has 20001 files or more, spec.limits.files allows 20000; leave files out by spec.ignore, choose "
        "a deeper spec.path or raise the limit.",
        "As the message says.",
    ),
    Reason.UNSAFE_PATH: Guidance(
        "'lib/shared' in the source is a symbolic link to '../../shared', outside of the Bundle's folder; commit the "
        "file itself, choose a spec.path that holds both, or list the link in spec.ignore.",
        "Commit the file itself, or ignore the path.",
    ),
    Reason.URL_INVALID: Guidance(
        "spec.git.url 'https://git.example.com/bots.git?ref=main' needs a host and takes no query or fragment; "
        "choose a revision by spec.git.ref.",
        "Write the repository's clone URL.",
    ),
    Reason.PROTOCOL_NOT_ALLOWED: Guidance(
        "spec.git.url 'git://git.example.com/bots.git' uses the transport 'git'; this installation allows http, https.",
        "Use one of the transports that the message lists.",
    ),
    Reason.DISK_FULL: Guidance(
        "the operator's artifact volume is full; enlarge it or retain fewer revisions.",
        "Enlarge the volume or `BOTYARD_ARTIFACT_QUOTA_BYTES`, or lower `spec.retain` of Bundles; the last good "
        "revision stays in storage meanwhile.",
    ),
    Reason.STORAGE_FAILED: Guidance(
        "the bucket s3://bots/artifacts cannot be reached; check its endpoint and the network to it",
        "As the message says; it heals by itself. Meanwhile what lies in the operator's cache is served, nothing is "
        "forgotten. Without a bucket look for errors of the volume in the operator's log.",
    ),
    Reason.OUT_OF_MEMORY: Guidance(
        f"{_URL}: the fetch ran out of memory; raise the installation's fetch memory or use a smaller repository. "
        "git: fatal: Out of memory",
        "Raise `BOTYARD_FETCH_MEMORY_BYTES` of the operator, or use a smaller repository.",
    ),
    Reason.FETCH_FAILED: Guidance(
        f"{_URL}: git failed: fatal: the remote end said something unexpected",
        "The message has git's own words, the operator's log all of them.",
    ),
    **BUILDS,
}
