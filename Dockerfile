# One image for every LPAR; `plexmesh run --lpar LPARn` is what a container does. Nothing in it is written at run time
# but below /data, and any uid with gid 0 may do that.
FROM python:3.11-slim AS build

WORKDIR /src
RUN python -m venv --without-pip /opt/plexmesh

# Dependencies first: they change seldom.
COPY constraints.txt pyproject.toml ./
RUN python -c "import tomllib; \
p = tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']; \
print('\n'.join(d for d in p if not d.startswith('plexmesh')))" > /tmp/needed.txt \
 && pip --python /opt/plexmesh/bin/python install --no-cache-dir -c constraints.txt -r /tmp/needed.txt

COPY README.md ./
COPY caching caching
COPY discovery discovery
COPY gateway gateway
COPY launcher launcher
COPY plexmesh plexmesh
COPY sample sample
COPY shared shared
RUN pip --python /opt/plexmesh/bin/python install --no-cache-dir -c constraints.txt ./plexmesh .


FROM python:3.11-slim

RUN mkdir -p /data/volume && chmod -R 2770 /data
COPY --from=build /opt/plexmesh /opt/plexmesh

USER 10001:0
WORKDIR /data
ENV PATH=/opt/plexmesh/bin:$PATH \
    PLEXMESH_DATA=/data PLEXMESH_BIND=0.0.0.0 PLEXMESH_LOG=json PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["plexmesh"]
