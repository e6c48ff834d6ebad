#!/usr/bin/env python
"""Kanpu's command line: Django's, with the servers it needs."""

import os
import sys

from config import services

# Commands that need no database, so none is started for them.
OFFLINE = {"makemessages", "compilemessages", "help", "--help", "--version", "version", "collectstatic"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] != ["sweep_outbox"]:  # which counts; each other command would leave a file of its own
        os.environ.pop("KANPU_METRICS", None)
    if sys.argv[1:2] and sys.argv[1] not in OFFLINE and "--help" not in sys.argv:
        services.ensure()
    else:  # settings want addresses, which nobody will use
        os.environ.setdefault("DATABASE_URL", "postgresql://127.0.0.1:1/none")
        os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1")
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - after the servers' addresses are set

    from config.celery import app  # noqa: PLC0415 - likewise

    app.set_default()  # commands ring for workers too
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
