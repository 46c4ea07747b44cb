"""compose.yaml against the queue registry, supervisor.conf, and what Docker needs to keep the promises of the stack."""

from __future__ import annotations

import configparser
import shlex
import subprocess
import sys

import pytest

from celery_nexus.connection.broker_url import BrokerUrl
from config.celery_options import SOFT_SHUTDOWN_S
from config.queues import QUEUES
from tests.harness.containers import Service, Unset, interpolate, read_services
from tests.harness.places import ROOT

VARIABLES = {"REDIS_PASSWORD": "0123abcd"}
WORKERS = [spec.family for spec in QUEUES]
OURS = [*WORKERS, "beat", "recorder", "guardian"]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    return read_services(VARIABLES)


def supervised(program: str) -> tuple[str, ...]:
    """The command of a program of supervisor.conf."""
    conf = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    conf.read(ROOT / "supervisor.conf")
    binary, *words = shlex.split(conf[f"program:{program}"]["command"].replace("%%", "%"))
    return (binary.rpartition("/")[2], *words)


def test_there_is_a_service_for_each_worker_and_each_program_and_no_supervisord(services: dict[str, Service]) -> None:
    assert sorted(services) == sorted([*OURS, "redis"])
    assert "supervisord" not in [word for service in services.values() for word in service.command]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_what_supervisor_runs(services: dict[str, Service], name: str) -> None:
    assert services[name].command == supervised(name)


@pytest.mark.parametrize("name", OURS)
def test_a_service_has_what_its_program_needs(services: dict[str, Service], name: str) -> None:
    service = services[name]
    url = BrokerUrl.parse(service.environment["NEXUS_REDIS_URL"])
    assert (url.host, url.password) == ("redis", VARIABLES["REDIS_PASSWORD"])
    assert service.environment["NEXUS_HOME"] == "/var/lib/nexus"
    assert service.raw["volumes"] == ["nexus:/var/lib/nexus"]
    assert service.raw["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert service.raw["init"] is True
    assert service.raw["restart"] == "unless-stopped"
    assert service.raw["cap_drop"] == ["ALL"]
    assert service.raw["security_opt"] == ["no-new-privileges:true"]
    assert "ANTHROPIC_API_KEY" not in service.environment, "a key that is not set is not set to nothing"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_the_time_that_it_needs_to_stop(services: dict[str, Service], name: str) -> None:
    assert services[name].stop_grace_s == SOFT_SHUTDOWN_S + 15
    assert services[name].environment["REMAP_SIGTERM"] == "SIGQUIT"


def test_redis_asks_for_the_password_keeps_everything_and_is_not_published(services: dict[str, Service]) -> None:
    redis = services["redis"]
    assert redis.environment == VARIABLES
    for words in ('--requirepass "$REDIS_PASSWORD"', "--appendonly yes", "--maxmemory-policy noeviction"):
        assert words in redis.command[-1]
    assert redis.raw["volumes"] == ["redis:/data"]
    assert [name for name, service in services.items() if "ports" in service.raw] == []


def test_every_service_has_a_health_check_and_logs_that_end(services: dict[str, Service]) -> None:
    for service in services.values():
        assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service.raw["healthcheck"])
        assert service.raw["logging"]["options"]["max-size"] == "10m"


def test_a_worker_is_well_while_it_consumes(services: dict[str, Service]) -> None:
    checks = {name: services[name].raw["healthcheck"]["test"] for name in OURS}
    assert checks == {
        name: ["CMD", "nexus-tui", "probe", *(["worker", name] if name in WORKERS else [name])] for name in OURS
    }


def test_the_guardian_needs_no_supervisor_installed() -> None:
    code = "import sys; sys.modules['supervisor'] = None; import celery_nexus.delivery.guardian as g; print(g.main)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_image_is_whatever_is_newest(services: dict[str, Service]) -> None:
    images = {service.raw["image"] for service in services.values() if "build" not in service.raw}
    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []


@pytest.mark.parametrize("variables", [{}, {"REDIS_PASSWORD": ""}])
def test_without_a_password_nothing_starts_and_it_is_said_why(variables: dict[str, str]) -> None:
    with pytest.raises(Unset, match=r"^REDIS_PASSWORD: set it, for example in \.env$"):
        read_services(variables)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$$A ${A}$A", "$A 11"),
        ("${B:-x}${B-x}", "xx"),
        ("${E:-x}${E-x}", "x"),
        ("${A:?no}${B:-redis://:a@b:1/0}", "1redis://:a@b:1/0"),
    ],
)
def test_variables_are_put_in_as_docker_does(text: str, value: str) -> None:
    assert interpolate(text, {"A": "1", "E": ""}) == value
