# Two targets from one environment: `api` serves HTTP, `worker` learns (and, with another command, migrates and repairs).
# torch's ordinary build carries its CUDA libraries, so the same image runs with a GPU and without.
FROM python:3.12.12-slim-bookworm AS base
ENV PATH=/opt/pedigree/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

FROM base AS environment
WORKDIR /srv/pedigree
RUN python -m venv /opt/pedigree
COPY requirements.lock ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY backup backup
COPY cli cli
COPY client client
COPY migrations migrations
COPY ml ml
COPY store store
COPY worker worker
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable client

FROM base AS runtime
RUN groupadd --gid 10001 pedigree \
    && useradd --uid 10001 --gid pedigree --no-create-home --home-dir /var/cache/pedigree --shell /usr/sbin/nologin pedigree \
    && install --directory --owner pedigree --group pedigree /var/cache/pedigree /var/lib/pedigree-weights
COPY --from=environment /opt/pedigree /opt/pedigree
COPY --from=environment /srv/pedigree /srv/pedigree
WORKDIR /srv/pedigree
ENV PEDIGREE_CACHE=/var/cache/pedigree \
    PEDIGREE_WEIGHTS=/var/lib/pedigree-weights \
    TORCH_HOME=/var/cache/pedigree/torch
USER pedigree

FROM runtime AS worker
# Looks whether the settings can be read and the database takes a connection from here; not whether the worker's process
# takes jobs: a hung one is known by its lease, and the repair process queues its job again. Broker and store are not asked.
HEALTHCHECK --interval=60s --timeout=20s --start-period=30s \
    CMD ["python", "-c", "from store.db.session import make_engine; from store.settings import load_settings; make_engine(load_settings()).connect().close()"]
CMD ["python", "-m", "worker"]

FROM runtime AS api
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "api", "--host", "0.0.0.0", "--port", "8000"]
