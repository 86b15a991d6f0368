# One image for every LPAR; `plexmesh run --lpar LPARn` is what a container does.
FROM python:3.11-slim

RUN useradd --create-home --uid 10001 plexmesh
WORKDIR /opt/plexmesh

# Dependencies first: they change seldom.
COPY constraints.txt pyproject.toml README.md ./
COPY plexmesh/pyproject.toml plexmesh/README.md plexmesh/
RUN python -c "import tomllib; \
p = tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']; \
print('\n'.join(d for d in p if not d.startswith('plexmesh')))" > /tmp/needed.txt \
 && pip install --no-cache-dir -c constraints.txt -r /tmp/needed.txt

COPY . .
RUN pip install --no-cache-dir -c constraints.txt ./plexmesh . \
 && mkdir -p /data/volume && chown -R plexmesh:plexmesh /data

USER plexmesh
WORKDIR /data
ENV PLEXMESH_DATA=/data PLEXMESH_LOG=json PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["plexmesh"]
