# Filmroll in a container; docs/deploy.md says how to run it.
#
# The base is pinned by tag. To pin its content too, ask for the digest of that tag
# (docker buildx imagetools inspect python:3.11-slim-bookworm) and build with
# --build-arg BASE=python:3.11-slim-bookworm@sha256:…
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv --without-pip /opt/filmroll
COPY requirements-run.lock ./
RUN pip --python /opt/filmroll/bin/python install --quiet --require-hashes -r requirements-run.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip --python /opt/filmroll/bin/python install --quiet --no-deps .

FROM ${BASE}
# Debian's security fixes change versions within a release: a pinned one would soon be gone.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libjemalloc2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent filmroll \
    && install --directory --owner=filmroll --group=filmroll --mode=0750 /data
COPY --from=build /opt/filmroll /opt/filmroll
# jemalloc gives memory back to the system after a busy hour; glibc's malloc tends to keep it. The
# bare name is found on every architecture. The engines' processes do not inherit it.
ENV PATH=/opt/filmroll/bin:$PATH \
    LD_PRELOAD=libjemalloc.so.2 \
    FILMROLL_DATA=/data \
    FILMROLL_HOST=0.0.0.0
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /data
# Only /data and /tmp are written: the root file system may be read-only.
VOLUME /data
EXPOSE 8000 8001 8002 8003
# A role alone listens elsewhere: say FILMROLL_PORT, and it is looked at there.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('FILMROLL_PORT', '8000') + '/healthz', timeout=4)"]
ENTRYPOINT ["filmroll"]
CMD ["serve"]
