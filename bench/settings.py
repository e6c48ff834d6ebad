"""The project's settings with what it is measured against."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "bench.rivals"]
ROOT_URLCONF = "bench.urls"
