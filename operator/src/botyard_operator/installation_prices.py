"""The installation's price table, where the operator serves a list of namespaces and its own is not among them.

Watching a whole namespace for one object would need rights over all of it, so the object is looked at.
"""

from __future__ import annotations

import asyncio
import logging
import random

from botyard.contract import names
from botyard_operator.caches import Caches
from botyard_operator.kube import KubeClient
from botyard_operator.reconcile.base import ApiError, Key, RetryLater
from botyard_operator.settings import Settings

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class InstallationPrices:
    """Keeps the table in the caches up to date, as a watch would."""

    def __init__(self, *, caches: Caches, kube: KubeClient, settings: Settings) -> None:
        self._caches = caches
        self._kube = kube
        self._key = Key("ConfigMap", settings.system_namespace, names.PRICES_NAME)
        self._watched = not settings.namespaces or settings.system_namespace in settings.namespaces
        self._told = ""

    async def look(self) -> None:
        """Read it once, if no watch brings it; what cannot be read is as it was."""
        if self._watched:
            return
        try:
            found = await self._kube.get(self._key)
        except (ApiError, RetryLater) as error:
            if str(error) != self._told:
                self._told = str(error)
                logger.warning("the installation's price table cannot be read: %s", error)
            return
        self._told = ""
        if found is None:
            self._caches.remove(self._key)
        else:
            self._caches.put("ConfigMap", found)

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while not self._watched:
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            await self.look()
