# syntax=docker/dockerfile:1
# The stack's programs: five workers, beat, recorder, guardian. compose.yaml says which container is which.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv /opt/venv
# The locked packages change rarely: their layer comes before the code.
COPY requirements.lock ./
RUN /opt/venv/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE supervisor.conf ./
COPY celery_nexus ./celery_nexus
COPY nexus_tui ./nexus_tui
COPY config ./config
COPY workers ./workers
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation -e . \
    && /opt/venv/bin/python -m compileall -q celery_nexus nexus_tui config workers

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin nexus \
    && install -d -o nexus -g nexus -m 0700 /var/lib/nexus
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LC_ALL=C.UTF-8 \
    NEXUS_HOME=/var/lib/nexus \
    NEXUS_SUPERVISED=false \
    REMAP_SIGTERM=SIGQUIT
WORKDIR /app
USER 10001:10001
VOLUME /var/lib/nexus
# Whether the broker answers; compose.yaml asks each program for its own signs of life.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["nexus-tui", "probe", "broker"]
# One worker of every queue; give another command for another program.
CMD ["celery", "-A", "config.celery_config", "worker", "--without-gossip", "--loglevel", "INFO"]
