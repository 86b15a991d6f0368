"""The proxies side by side: each as it comes, and tuned for two or three instances as its documentation advises.

All have one route, connections upstream that are kept, one worker on one core, no access log.

    nginx           as it comes: `max_fails` 1, `fail_timeout` 10 s, the next server after an error or time-out
    HAProxy         with the time-outs of Debian's file (it wants some); no checks, three retries on the same server
    HAProxy tuned   health checks and observed errors, redispatch, retries of GET on errors and time-outs
    Envoy           round robin, no retries, no outlier detection
    Envoy tuned     least requests, retries of GET on another host, retry budget, health checks, outliers up to 100 %
    plexmesh        its defaults; "adaptive" with a service that says `plexmesh.adaptive` and has no queue

Envoy's retry budget is wide, since what a smaller one refuses is lost here; it pays for that in tries where all
instances fail.

Sources: nginx, ngx_http_upstream_module; HAProxy 2.6 configuration manual, 4.2 (retry-on, observe, option redispatch);
Envoy, "Retries", "Outlier detection", "Health checking" and the best practices for an edge proxy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateway import peers
from bench.gateway.cores import Cores
from bench.gateway.peers import Place, at
from bench.gateway.process import Process
from bench.gateway.upstream import nginx_user

Address = tuple[str, int]
SERVICE = "orders"
LANES = 3
HEALTH = "/application/health"


@dataclass(frozen=True)
class Lane(Place):
    """Where a trial is. When one starts, calls of the one before may still wait, so they take turns on three lanes."""

    lane: int

    def host(self, third: int) -> str:
        return f"127.0.{third + 70 + 5 * self.lane}.{self.number}"

    @property
    def front(self) -> Address:
        return self.host(47), 8000

    def instance(self, index: int) -> Address:
        return self.host(45), 9000 + index


# --- nginx

NGINX = """
daemon off; worker_processes 1; {user} pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  upstream all {{ {servers} keepalive 64; }}
  proxy_http_version 1.1; proxy_set_header Connection "";
  server {{
    listen {host}:{port} backlog=4096;
    keepalive_requests 1000000000;
    location / {{ proxy_pass http://all; }}
  }}
}}
"""


def nginx(lane: Lane, servers: Sequence[Address]) -> Process:
    host, port = lane.front
    conf = lane.folder / "nginx.conf"
    listed = " ".join(f"server {at[0]}:{at[1]};" for at in servers)
    conf.write_text(NGINX.format(folder=lane.folder, user=nginx_user(), host=host, port=port, servers=listed))
    return lane.process("nginx", lane.front, peers.found_nginx(), "-p", str(lane.folder), "-c", str(conf))


# --- HAProxy

HAPROXY = """
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout client 50s
frontend front
  bind {host}:{port} backlog 4096
  default_backend all
backend all
{settings}
{servers}
"""
HAPROXY_STOCK = """
  timeout connect 5s
  timeout server 50s
"""
HAPROXY_TUNED = """
  balance leastconn
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response response-timeout 503
  http-request disable-l7-retry unless METH_GET
  timeout connect 250ms
  timeout server 2s
  timeout check 250ms
  option httpchk GET /application/health
  default-server check inter 500ms fall 2 rise 2 observe layer7 error-limit 5 on-error mark-down
"""


def haproxy(lane: Lane, servers: Sequence[Address], name: str, settings: str) -> Process:
    host, port = lane.front
    conf = lane.folder / "haproxy.cfg"
    listed = "\n".join(f"  server s{index} {at[0]}:{at[1]}" for index, at in enumerate(servers))
    conf.write_text(HAPROXY.format(host=host, port=port, settings=settings, servers=listed))
    return lane.process(name, lane.front, peers.found_haproxy(), "-db", "-f", str(conf))


def haproxy_stock(lane: Lane, servers: Sequence[Address]) -> Process:
    return haproxy(lane, servers, "HAProxy", HAPROXY_STOCK)


def haproxy_tuned(lane: Lane, servers: Sequence[Address]) -> Process:
    return haproxy(lane, servers, "HAProxy tuned", HAPROXY_TUNED)


# --- Envoy

Json = dict[str, Any]

EVERYTHING = {"prefix": "/"}
ENVOY_STOCK_ROUTES = [{"match": EVERYTHING, "route": {"cluster": "all"}}]

PREVIOUS_HOSTS = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    },
}
ELSEWHERE = {
    "num_retries": 2,
    "retry_host_predicate": [PREVIOUS_HOSTS],
    "host_selection_retry_max_attempts": 5,
    "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
}
GET_AGAIN = ELSEWHERE | {
    "retry_on": "connect-failure,refused-stream,reset,retriable-status-codes",
    "retriable_status_codes": [503],
    "per_try_timeout": "1s",
}
POST_AGAIN = ELSEWHERE | {"retry_on": "connect-failure,refused-stream"}
GET_ONLY = EVERYTHING | {"headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}
ENVOY_TUNED_ROUTES = [
    {"match": GET_ONLY, "route": {"cluster": "all", "retry_policy": GET_AGAIN}},
    {"match": EVERYTHING, "route": {"cluster": "all", "retry_policy": POST_AGAIN}},
]
ENVOY_TUNED_CLUSTER = {
    "connect_timeout": "0.25s",
    "lb_policy": "LEAST_REQUEST",
    "circuit_breakers": {
        "thresholds": [{"retry_budget": {"budget_percent": {"value": 100}, "min_retry_concurrency": 100}}]
    },
    "outlier_detection": {
        "interval": "0.5s",
        "consecutive_5xx": 5,
        "consecutive_gateway_failure": 5,
        "enforcing_consecutive_gateway_failure": 100,
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "max_ejection_percent": 100,
    },
    "health_checks": [
        {
            "interval": "0.5s",
            "timeout": "0.25s",
            "unhealthy_threshold": 2,
            "healthy_threshold": 1,
            "http_health_check": {"path": HEALTH},
        }
    ],
}


def envoy(lane: Lane, servers: Sequence[Address], name: str, routes: list[Json], cluster: Json) -> Process:
    manager = {
        "@type": peers.HTTP,
        "stat_prefix": "front",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": peers.ROUTER}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    listener = {
        "name": "front",
        "address": at(lane.front),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
        "tcp_backlog_size": 4096,
    }
    endpoints = [{"endpoint": {"address": at(each)}} for each in servers]
    group = {
        "name": "all",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "all", "endpoints": [{"lb_endpoints": endpoints}]},
        **cluster,
    }
    conf = lane.folder / "envoy.json"
    conf.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [group]}}))
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    return lane.process(name, lane.front, peers.found_envoy(), "-c", str(conf), *options)


def envoy_stock(lane: Lane, servers: Sequence[Address]) -> Process:
    return envoy(lane, servers, "Envoy", ENVOY_STOCK_ROUTES, {})


def envoy_tuned(lane: Lane, servers: Sequence[Address]) -> Process:
    return envoy(lane, servers, "Envoy tuned", ENVOY_TUNED_ROUTES, ENVOY_TUNED_CLUSTER)


# --- ours


def plexmesh(lane: Lane, servers: Sequence[Address]) -> Process:
    return peers.plexmesh(lane)


def registry(lane: Lane, servers: Sequence[Address], *metadata: str) -> Process:
    host, port = lane.host(46), 7553
    listed = (f"{SERVICE}={at[0]}:{at[1]}" for at in servers)
    command = [sys.executable, "-P", "-m", "bench.failover.registry", host, str(port), *listed, *metadata]
    return Process("registry", (host, port), command, lane.cores.rest, lane.folder)


def adaptive_registry(lane: Lane, servers: Sequence[Address]) -> Process:
    return registry(lane, servers, "plexmesh.adaptive:true", "plexmesh.maxQueue:0")


# --- which there are

Make = Callable[[Lane, Sequence[Address]], Process]


@dataclass(frozen=True)
class Proxy:
    """`helper` is a process it needs beside the instances."""

    make: Make
    found: Callable[[], str]
    how: str = ""
    helper: Make | None = None


PROXIES = {
    "plexmesh": Proxy(plexmesh, lambda: sys.executable, helper=registry),
    "plexmesh adaptive": Proxy(plexmesh, lambda: sys.executable, helper=adaptive_registry),
    "nginx": Proxy(nginx, peers.found_nginx, peers.PEERS["nginx"].how),
    "HAProxy": Proxy(haproxy_stock, peers.found_haproxy, peers.PEERS["HAProxy"].how),
    "HAProxy tuned": Proxy(haproxy_tuned, peers.found_haproxy, peers.PEERS["HAProxy"].how),
    "Envoy": Proxy(envoy_stock, peers.found_envoy, peers.PEERS["Envoy"].how),
    "Envoy tuned": Proxy(envoy_tuned, peers.found_envoy, peers.PEERS["Envoy"].how),
}


def instance(name: str, address: Address, cores: Cores, folder: Path, behaviour: str) -> Process:
    host, port = address
    command = (sys.executable, "-P", "-m", "bench.failover.instance")
    return Process(name, address, [*command, name, host, str(port), str(folder), behaviour], cores, folder)
