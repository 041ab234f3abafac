# The farm in a container: everything but Blender's display, which it does not need.
#
#     docker build -t tshirt-farm .
#     docker run --shm-size=1g -v farm:/data -p 8000:8000 -e FARM_HTTP_HOSTS=localhost tshirt-farm
#
# With a GPU add --gpus all and -e FARM_RENDER_DEVICE=optix. The first run prints an API key and keeps it in /data/api-key.
FROM debian:bookworm-slim

RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends bash ca-certificates curl python3 python3-venv tini \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 farm && install -d -o farm -g farm -m 700 /data

WORKDIR /opt/tshirt-farm
# What set-up reads comes first: a change of the farm alone installs nothing anew.
COPY LICENSE NOTICE README.md pyproject.toml requirements.lock requirements-dev.lock requirements-uv.lock ./
COPY scripts/setup.sh scripts/
COPY farm farm
COPY serve_app serve_app
COPY blender blender
COPY templates templates
# What runs, without the tools of the tests. As root it brings Blender's system libraries too. A Python that it fetches must be readable by the farm's user.
RUN UV_PYTHON_INSTALL_DIR=/opt/python UV_NO_CACHE=1 scripts/setup.sh runtime && rm -rf /var/lib/apt/lists/*

USER farm
ENV PATH=/opt/tshirt-farm/.venv/bin:$PATH FARM_HOME=/data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["curl", "-fsS", "http://localhost:8000/readyz"]
# tini ends what outlives its parent; SIGTERM lets running jobs be given back, the next start takes them up.
ENTRYPOINT ["tini", "--"]
CMD ["farm", "serve", "--host", "0.0.0.0"]
