"""The servers that tests use, started before Django reads its settings."""

import os
from pathlib import Path

from config import services

OWN_REDIS = "REDIS_URL" not in os.environ
services.ensure()
(Path(services.ROOT) / "var" / "static").mkdir(parents=True, exist_ok=True)  # the web server looks for it
