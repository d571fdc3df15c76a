"""Bundles from git."""

from botyard.workflow.git_bundles import GitBundlePaths, compute_git_bundle_paths, ensure_git_bundle

__all__ = ["GitBundlePaths", "compute_git_bundle_paths", "ensure_git_bundle"]
