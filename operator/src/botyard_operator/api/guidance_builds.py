"""Guidance on the reasons that come from building and inspecting a revision; part of `guidance.BUNDLE`."""

from collections.abc import Mapping

from botyard_operator.api.guidance_entry import Guidance
from botyard_operator.api.reasons import Reason

_R = "main@sha1:5d0c1f2e9a7b4c3d8e6f1a2b3c4d5e6f7a8b9c0d"

BUILDS: Mapping[Reason, Guidance] = {
    Reason.BUILD_NOT_ALLOWED: Guidance(
        f"{_R}: spec.dependencies needs a build, and this installation builds nothing: set BOTYARD_BUILDS=true for the "
        "operator",
        "Set `operator.builds.enabled` of the chart, or put the packages into the source.",
    ),
    Reason.INDEX_SECRET_INVALID: Guidance(
        f"{_R}: Secret shop/pypi of spec.dependencies.indexSecretRef does not exist; create it.",
        "`kubectl -n shop create secret generic pypi --from-literal=url=https://… --from-literal=username=… "
        "--from-literal=password=…`; the Bundle goes on by itself.",
    ),
    Reason.REQUIREMENTS_INVALID: Guidance(
        f"{_R}: requirements.txt is not in the bundle; correct spec.dependencies.requirements (its paths begin at "
        "spec.path)",
        "Correct the path, or the line that the message names.",
    ),
    Reason.DEPENDENCY_NOT_FOUND: Guidance(
        f"{_R}: requirements.txt: No solution found when resolving dependencies Because weather was not found in the "
        "package registry and you require weather, we can conclude that your requirements are unsatisfiable.; correct "
        "the name or the version, or add the package to the index",
        "Correct the requirement, or put the package into the index.",
    ),
    Reason.DEPENDENCY_CONFLICT: Guidance(
        f"{_R}: requirements.txt: No solution found when resolving dependencies Because weather==1.2 depends on "
        "units>=2 and you require units<2, we can conclude that your requirements and weather==1.2 are incompatible.; "
        "loosen one of the named requirements",
        "Loosen one of the requirements that the message names. Versions that the runtime itself needs count too.",
    ),
    Reason.DEPENDENCY_BUILD_FAILED: Guidance(
        f"{_R}: requirements.txt: Failed to build `weather==1.2` The build backend returned an error; list a version "
        "that has a wheel, or correct the package's build",
        "List a version with a wheel, or look into the build's log.",
    ),
    Reason.HASH_MISMATCH: Guidance(
        f"{_R}: requirements.lock: Hash mismatch for `weather==1.2`; write the hashes of the files that the index has, "
        "for instance with `uv pip compile --generate-hashes`",
        "Make the lock file anew if you trust the index; otherwise find out who changed the file.",
    ),
    Reason.INDEX_UNAVAILABLE: Guidance(
        f"{_R}: requirements.txt: Failed to fetch: `http://botyard-artifacts.botyard.svc:8082/…/simple/weather/` HTTP "
        "status server error (502 Bad Gateway); check the package index",
        "Open the operator's way to the index, or correct its URL; it is tried again by itself.",
    ),
    Reason.INDEX_REFUSED: Guidance(
        f"{_R}: requirements.txt: HTTP status client error (403 Forbidden); correct the Secret of the index",
        "Write working credentials into the Secret of `spec.dependencies.indexSecretRef`.",
    ),
    Reason.BUILD_TIMED_OUT: Guidance(
        f"{_R}: the installation took longer than 600 s: Building weather==1.2; list packages that have wheels, or "
        "fewer of them",
        "List packages that have wheels, or raise `operator.builds.seconds` of the chart.",
    ),
    Reason.BUILD_FAILED: Guidance(
        f"{_R}: Job repairs-build-5d0c1f2e9a ended without a result: its pod is gone; it is tried again.",
        "Read the log of the Job; it is tried again by itself.",
    ),
    Reason.SYNTAX_ERROR: Guidance(
        f"{_R}: bot.py:7: '(' was never closed Correct this line.", "Correct the line and push."
    ),
    Reason.IMPORT_FAILED: Guidance(
        f"{_R}: bot.py:1: ModuleNotFoundError: No module named 'weather'. Correct this line; requirements of the "
        "bundle must be installed where it is inspected. Name the package in a file of spec.dependencies.requirements.",
        "Correct the code, or name the missing package in a requirements file.",
    ),
    Reason.IMPORT_TIMED_OUT: Guidance(
        f"{_R}: importing the bundle took longer than 60 s; move what waits or loops out of the module's top level",
        "Do at the first message what the code does at import, or raise `operator.builds.inspectSeconds` of the chart.",
    ),
    Reason.MODEL_UNKNOWN: Guidance(
        f"{_R}: no bot found: no file imports one of botyard.fsm, …; set spec.entrypoint.model and module. Import the "
        "package of one model in the bot's module, or name model and module in spec.entrypoint.",
        "Check `spec.path`, or name model and module in `spec.entrypoint`.",
    ),
    Reason.MODEL_AMBIGUOUS: Guidance(
        f"{_R}: several programming models found: fsm (bot.py), loop (clerk.py); set spec.entrypoint.model to one of "
        "them",
        "Name one of the models in `spec.entrypoint.model`, or give each bot a folder and a Bundle.",
    ),
    Reason.INSPECTION_FAILED: Guidance(
        f"{_R}: the code ended the process while it was imported; remove the call of exit",
        "Correct what the message names; `botyard inspect DIR` says the same on a laptop.",
    ),
    Reason.IMAGE_PULL_FAILED: Guidance(
        f"{_R}: container builder of pod repairs-build-5d0c1f2e9a-x7k2p cannot pull image botyard/runtime:1: correct "
        "the installation's runtime image or its pull credentials",
        "Correct the chart's `images.runtime`, or give the nodes credentials for its registry.",
    ),
    Reason.UNSCHEDULABLE: Guidance(
        f"{_R}: pod repairs-build-5d0c1f2e9a-x7k2p cannot be scheduled: 0/3 nodes are available; free or add nodes",
        "Free or add nodes; the build needs 110m CPU and 176Mi of memory.",
    ),
    Reason.QUOTA_EXCEEDED: Guidance(
        f"{_R}: Job/shop/repairs-build-5d0c1f2e9a is refused: exceeded quota: jobs",
        "Raise the quota of the namespace; it is tried again by itself.",
    ),
    Reason.PODS_REFUSED: Guidance(
        f"{_R}: Job repairs-build-5d0c1f2e9a has no pod yet: `kubectl describe job repairs-build-5d0c1f2e9a` says why "
        "(a ResourceQuota, a policy)",
        "Do what the Job's events say.",
    ),
    Reason.CONFLICT: Guidance(
        f"{_R}: Secret repairs-build exists in namespace shop and does not belong to Bundle repairs: delete or rename "
        "it, or give the Bundle another name",
        "Delete or rename the other object.",
    ),
    Reason.ACCESS_DENIED: Guidance(
        f"{_R}: the operator may not write Job/shop/repairs-build-5d0c1f2e9a: forbidden; grant its service account the "
        "permission",
        "Upgrade the chart: its Role has the permission.",
    ),
}
