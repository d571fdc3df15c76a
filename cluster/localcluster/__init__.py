"""A single-node Kubernetes on this machine, for development and tests, without a container registry.

`python3 -m localcluster up` builds the components from the Go module proxy, starts them as ordinary host processes and
leaves a kubeconfig; `images` builds the project's images and loads them. Standard library only, so that it runs before
any environment is prepared.
"""
