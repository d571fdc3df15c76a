"""Configuration of a bundle, its state, and the models that it asks."""

from botyard.workflow.configuration import Config
from botyard.workflow.models_service import ModelsService
from botyard.workflow.state import APP_STATE_KEYS, BundleState

ModelServiceBase = ModelsService

__all__ = ["APP_STATE_KEYS", "BundleState", "Config", "ModelServiceBase", "ModelsService"]
