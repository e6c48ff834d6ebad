"""The servers that tests use, started before Django reads its settings."""

import os

from config import services

OWN_REDIS = "REDIS_URL" not in os.environ
services.ensure()
