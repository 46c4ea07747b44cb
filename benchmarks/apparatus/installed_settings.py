"""Settings of the Django project of :mod:`benchmarks.installed`, made as Celery's guide says."""

from __future__ import annotations

import os

BROKER = os.environ["NEXUS_BENCH_BROKER"]

SECRET_KEY = "of a benchmark"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["NEXUS_BENCH_DATABASE"]}}
USE_TZ = True
TIME_ZONE = "UTC"

CELERY_BROKER_URL = BROKER
CELERY_RESULT_BACKEND = BROKER
