"""The Celery application. Its queue is a doorbell: tasks say that there is work, the database says which."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("kanpu")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
