"""The servers that tests use, started before Django reads its settings."""

from pathlib import Path

from config import services

services.ensure()
(Path(services.ROOT) / "var" / "static").mkdir(parents=True, exist_ok=True)  # the web server looks for it
