# Botyard's images, a target for each:
#   operator     the control plane
#   runtime      what bots' pods and the gateway run; also the command line
#   git-server   repositories of a folder over HTTP, for the demo and the tests
#   redis        Redis, for clusters that cannot pull one
#
# Dependencies come from the committed lock files and lie in layers below the code, so that a change of code builds
# and loads in seconds. Code is compiled here, because pods run with a read-only root.
ARG BASE_IMAGE=python:3.11-slim
ARG DEBIAN_IMAGE=debian:bookworm-slim

# --- Tools that build wheels, and an empty environment at the place where the images have theirs. ---
FROM ${BASE_IMAGE} AS tools
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
COPY cluster/images/build-requirements.lock /build/
RUN python3 -m venv /build/tools \
 && /build/tools/bin/pip install --quiet --require-hashes --requirement /build/build-requirements.lock \
 && python3 -m venv --without-pip /opt/botyard

# --- Shared by the two Python images. git and ssh look the user up, so that it must have a name. ---
FROM ${BASE_IMAGE} AS python-base
RUN groupadd --gid 65532 botyard \
 && useradd --uid 65532 --gid 65532 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin botyard
ENV PATH=/opt/botyard/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# --- Dependencies: rebuilt when a lock file changes. ---
FROM python-base AS runtime-dependencies
COPY runtime-image/requirements.lock /opt/botyard/
# With uv: build Jobs install the dependencies of bundles.
RUN python3 -m venv /opt/botyard \
 && /opt/botyard/bin/pip install --quiet --no-compile --require-hashes \
    --requirement /opt/botyard/requirements.lock \
 && /opt/botyard/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/botyard/lib

FROM python-base AS operator-dependencies
# OpenPGP and SSH verify signatures of commits; git fetches through SSH too.
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends git gpg gpg-agent openssh-client \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY operator/requirements.lock /opt/botyard/
RUN python3 -m venv /opt/botyard \
 && /opt/botyard/bin/pip install --quiet --no-compile --require-hashes \
    --requirement /opt/botyard/requirements.lock \
 && /opt/botyard/bin/pip uninstall --quiet --yes pip setuptools \
 && /opt/botyard/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/botyard/lib

# --- Code: rebuilt when it changes; one command a stage, because each costs a layer. ---
FROM tools AS runtime-code
COPY runtime-image /build/runtime-image
RUN (cd /build/runtime-image && /build/tools/bin/hatchling build -t wheel >/dev/null) \
 && /build/tools/bin/pip --python /opt/botyard/bin/python install --quiet --no-compile --no-deps --no-index \
    --prefix /build/code /build/runtime-image/dist/*.whl \
 && /opt/botyard/bin/python -m compileall -q --invalidation-mode unchecked-hash /build/code/lib

FROM tools AS operator-code
COPY runtime-image /build/runtime-image
COPY operator /build/operator
RUN (cd /build/runtime-image && /build/tools/bin/hatchling build -t wheel >/dev/null) \
 && (cd /build/operator && /build/tools/bin/hatchling build -t wheel >/dev/null) \
 && /build/tools/bin/pip --python /opt/botyard/bin/python install --quiet --no-compile --no-deps --no-index \
    --prefix /build/code /build/*/dist/*.whl \
 && /opt/botyard/bin/python -m compileall -q --invalidation-mode unchecked-hash /build/code/lib

# --- The images. ---
FROM operator-dependencies AS operator
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["botyard-operator"]
CMD ["run"]
COPY --from=operator-code /build/code /opt/botyard

FROM runtime-dependencies AS runtime
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["botyard"]
COPY --from=runtime-code /build/code /opt/botyard

FROM ${DEBIAN_IMAGE} AS git-server
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends git lighttpd \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /var/www \
 && groupadd --gid 65532 git \
 && useradd --uid 65532 --gid 65532 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin git \
 && install --directory --owner 65532 --group 65532 /srv/git
COPY cluster/git-server/lighttpd.conf /etc/git-server/lighttpd.conf
COPY cluster/git-server/healthz /etc/git-server/healthz
COPY cluster/git-server/gitconfig /etc/gitconfig
COPY cluster/git-server/entrypoint /usr/local/bin/git-server
USER 65532:65532
WORKDIR /srv/git
EXPOSE 8080
ENTRYPOINT ["git-server"]

FROM ${DEBIAN_IMAGE} AS redis
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && install --directory --owner 65532 --group 65532 /data
USER 65532:65532
WORKDIR /data
EXPOSE 6379
# No protected mode: a pod is reached by other pods, and who may is for its password and its NetworkPolicy to say.
CMD ["redis-server", "--bind", "*", "--protected-mode", "no", "--dir", "/data"]
