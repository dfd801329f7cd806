# The gateway as an image: user 10001, a root that may be read-only, nothing in it that compiles.
#
#   docker build -t turnkeeper .
#
# The base is named by its digest, so that the same text builds the same image. To move it, take the digest of
# today's tag (docker buildx imagetools inspect python:3.13-slim-trixie) and change it here, or build with
# --build-arg PYTHON_DIGEST=sha256:…
ARG PYTHON_TAG=3.13-slim-trixie
ARG PYTHON_DIGEST=sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285

# Both stages stand on one base: the environment's Python is a link to the base's.
FROM python:${PYTHON_TAG}@${PYTHON_DIGEST} AS environment
WORKDIR /source
RUN python -m venv --without-pip /opt/turnkeeper
COPY requirements.lock ./
# Wheels alone: a package that would have to be compiled is an error here, not a compiler in the image.
RUN python -m pip --python /opt/turnkeeper/bin/python install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY conversation conversation
COPY channels channels
COPY gateway gateway
# What built the package stays behind. The last line fails where something that runs was taken away with it.
RUN python -m pip --python /opt/turnkeeper/bin/python install --no-cache-dir --disable-pip-version-check \
        --no-deps --no-build-isolation --check-build-dependencies . \
    && python -m pip --python /opt/turnkeeper/bin/python uninstall -y \
        editables hatchling pathspec pluggy trove-classifiers \
    && /opt/turnkeeper/bin/python -m compileall -q /opt/turnkeeper/lib \
    && python -m pip --python /opt/turnkeeper/bin/python check

FROM python:${PYTHON_TAG}@${PYTHON_DIGEST}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Turnkeeper" \
      org.opencontainers.image.description="A chat-bot gateway for Slack and Lark/Feishu that keeps the turns of every conversation" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Only /var/lib/turnkeeper/data, where SQLite keeps its file, and /tmp need be writable.
RUN groupadd --gid 10001 turnkeeper \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin turnkeeper \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/turnkeeper/data \
    && install -d /etc/turnkeeper
COPY --from=environment /opt/turnkeeper /opt/turnkeeper
ENV PATH=/opt/turnkeeper/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TURNKEEPER_CONFIG=/etc/turnkeeper/turnkeeper.yaml
# The default store, sqlite:///./data/turnkeeper.db, begins here.
WORKDIR /var/lib/turnkeeper
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
# 8080 takes webhooks; 8081 is for admins and metrics, where the configuration has an admin.listen.
EXPOSE 8080 8081
# For Docker and compose; Kubernetes has probes of its own. Not by urllib, which would ask a proxy.
ENV TURNKEEPER_PORT=8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; gateway = http.client.HTTPConnection('127.0.0.1', int(os.environ['TURNKEEPER_PORT']), timeout=4); gateway.request('GET', '/livez'); sys.exit(gateway.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["turnkeeper"]
CMD ["serve"]
