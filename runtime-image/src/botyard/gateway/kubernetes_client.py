"""The client of the Kubernetes API: a pod's own account, or a kubeconfig outside of a cluster."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config
from kubernetes.aio.config.config_exception import ConfigException


@contextlib.asynccontextmanager
async def open_client(kubeconfig: Path | None) -> AsyncIterator[ApiClient]:
    """Give a client for the length of the context.

    Args:
        kubeconfig: How to reach the cluster; None: as a pod's service account.

    Raises:
        ValueError: There is no way; the message says what to do.
    """
    configuration = Configuration()
    try:
        if kubeconfig is not None:
            await load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(kubeconfig), client_configuration=configuration
            )
        else:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        raise ValueError(
            f"no way to reach Kubernetes: {error}; inside of a pod mount a service account's token, elsewhere "
            "give --kubeconfig FILE, or do without by --routes FILE and --auth tokens"
        ) from None
    async with ApiClient(configuration) as client:
        yield client
