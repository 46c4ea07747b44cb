"""``celery_nexus.install`` is the package's, whatever was imported before, and is not loaded by who only looks."""

from __future__ import annotations

import subprocess
import sys


def said(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_install_is_a_function_also_when_its_module_was_imported_before() -> None:
    code = "import celery_nexus.installer, celery_nexus; print(callable(celery_nexus.install))"
    assert said(code) == "True"


def test_the_package_alone_loads_no_celery() -> None:
    assert said("import sys, celery_nexus; print('celery' in sys.modules)") == "False"


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    assert said("import celery_nexus; print(hasattr(celery_nexus, 'instal'))") == "False"
