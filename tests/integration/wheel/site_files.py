"""What the owner of a Django site writes: Celery's documented setup, a task, a package of her own called ``config``."""

from __future__ import annotations

FILES = {
    "config/__init__.py": '"""Limits of the shop."""\n',
    "config/limits.py": "GREATEST = 1_000\n",
    "proj/__init__.py": 'from .celery import app as celery_app\n\n__all__ = ("celery_app",)\n',
    "proj/celery.py": """\
import os

import celery_nexus
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")

app = Celery("proj")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
celery_nexus.install(app)
""",
    "shop/tasks.py": '''\
import time
from pathlib import Path

from celery import shared_task
from config.limits import GREATEST


@shared_task
def charge(number: int, seconds: float = 0.0) -> int:
    """Charge an order.

    Args:
        number: Which order.
        seconds: How long the bank takes.
    """
    time.sleep(seconds)
    with Path("charged").open("a") as file:
        file.write(f"{number}\\n")
    return min(number, GREATEST)
''',
}
"""Files by name; ``proj`` and ``shop`` are made by Django's own commands before."""

SETTINGS = """
import os

INSTALLED_APPS += ["django_celery_results", "shop"]
CELERY_BROKER_URL = os.environ["SHOP_BROKER"]
CELERY_RESULT_BACKEND = os.environ["SHOP_RESULTS"]
CELERY_TASK_DEFAULT_QUEUE = os.environ.get("SHOP_QUEUE", "celery")
CELERY_RESULT_EXTENDED = True
CELERY_TASK_TRACK_STARTED = True
CELERY_TASK_TIME_LIMIT = 30 * 60
"""
"""The end of ``proj/settings.py``."""

PUBLISH = """
from shop.tasks import charge

for number in range(200):
    charge.delay(number, 0.02)
"""
"""What her code does."""
