"""The servers that tests use, started before Django reads its settings."""

from config import services

services.ensure()
