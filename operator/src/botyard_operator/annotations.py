"""Annotations by which the operator tells itself something; nobody else reads them."""

from botyard.contract import names

APPLIED = f"{names.GROUP}/applied"
"""On every child: digest of what was applied. It shows that a field is no longer wanted, which comparing what is wanted
with what exists cannot."""

ARTIFACT_DIGEST = f"{names.GROUP}/artifact-digest"
"""On pods: digest of the artifact that their init container fetches."""

LAYER_DIGEST = f"{names.GROUP}/layer-digest"
"""On pods: digest of the layer of dependencies that their init container fetches, if any."""

DRAINING_DIGEST = f"{names.GROUP}/draining-digest"
DRAINING_LAYER_DIGEST = f"{names.GROUP}/draining-layer-digest"
"""On pods: the same two of the older revision whose conversations end on it, if any."""

CHANGED_AT = f"{names.GROUP}/changed-at"
"""On mounted ConfigMaps: when their content last changed under a pod that may have mounted it (RFC 3339, UTC);
not there while no such pod can exist."""
