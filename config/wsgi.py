"""The WSGI application that granian or gunicorn serves."""

import gc
import logging
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from apps.kernel.logs import tell_what_is_done

# API servers ring the doorbell: they need the Celery application set up, never its keys.
from config.celery import app as celery_app

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
celery_app.set_default()
application = get_wsgi_application()
tell_what_is_done()
logging.captureWarnings(True)
_ = get_resolver().url_patterns  # loads all views, which else the first request does
gc.collect()
gc.freeze()  # what is loaded stays: no look for cycles goes through it again, in the middle of an answer
