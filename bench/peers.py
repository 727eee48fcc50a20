"""The proxies that are compared, configured alike: one worker, plain HTTP/1.1, a route by host for each version,
kept-alive connections to one upstream, forwarding headers, no access log. It refuses to tune one and not the other.
"""

import dataclasses
import pathlib

import measure

DOMAIN = "shop.example.com"


@dataclasses.dataclass
class Proxy:
    """A proxy that can be started: its name in the tables, its command, its port, and where it logs."""

    name: str
    command: list
    port: int
    log: str
    admin: int = 0


def synkronic(folder, binary, upstream_ports, versions, name="synkronic"):
    folder = pathlib.Path(folder) / name
    manifests(folder / "manifests", upstream_ports, versions)
    port, admin = measure.free_port(), measure.free_port()
    command = [binary, "local", folder / "manifests", "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}",
               "--access-log", "off"]
    return Proxy("synkronic", command, port, str(folder / "log"), admin)


def edge_alone(folder, binary, upstream, versions):
    """The edge without what `local` does besides, for tables of a size that no laptop's files have."""
    port = measure.free_port()
    program = pathlib.Path(binary).parent / "examples" / "edge_alone"
    if not program.is_file():
        raise measure.Missing(f"{program} is not there: leave out --binary, or build it with --examples")
    return Proxy("synkronic", [program, port, upstream, versions], port, f"{folder}/edge-alone-{versions}.log")


def manifests(folder, upstream_ports, versions):
    """What `synkronic local` reads: a base, its Service, a Router, and so many versions that run already."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base.yaml").write_text(f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop, namespace: shop}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata:
      labels: {{app: shop}}
      annotations: {{kyaninus.com/local-endpoint: "127.0.0.1:{upstream_ports[0]}"}}
    spec:
      containers: [{{name: web, image: shop, ports: [{{name: http, containerPort: 8080}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{name: http, port: 80, targetPort: http}}]
""")
    (folder / "router.yaml").write_text(router("version-1"))
    text = "".join(version(number, upstream_ports[number % len(upstream_ports)]) for number in range(versions))
    (folder / "versions.yaml").write_text(text)


def router(active, rules=""):
    return f"""apiVersion: kyaninus.com/v1
kind: Router
metadata: {{name: shop, namespace: shop}}
spec:
  base: shop
  hosts: [{DOMAIN}]
  versions: ["version-*"]
  path: "/{{version}}"
  active: {active}
{rules}"""


def version(number, port):
    return f"""apiVersion: kyaninus.com/v1
kind: DeploymentVersion
metadata: {{name: shop-version-{number}, namespace: shop}}
spec:
  deploymentSpec: {{template: {{metadata: {{annotations: {{kyaninus.com/local-endpoint: "127.0.0.1:{port}"}}}}}}}}
---
"""


def nginx(folder, upstream, versions):
    folder = pathlib.Path(folder) / f"nginx-{versions}"
    folder.mkdir(parents=True, exist_ok=True)
    port = measure.free_port()
    servers = "\n".join(f"""upstream v{number} {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port}; server_name version-{number}.{DOMAIN}; location / {{ proxy_pass http://v{number}; }} }}"""
                        for number in range(versions))
    configuration = folder / "nginx.conf"
    configuration.write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log error;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; tcp_nodelay on; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  server_names_hash_max_size 131072; server_names_hash_bucket_size 128;
  map $http_upgrade $towards {{ default upgrade; "" ""; }}
  proxy_http_version 1.1; proxy_request_buffering off; proxy_read_timeout 600s;
  proxy_set_header Connection $towards; proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Request-Id $request_id;
  {servers}
}}
""")
    return Proxy("nginx", [measure.need("nginx"), "-p", folder, "-c", configuration], port, str(folder / "log"))


HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
  maxconn 4000
"""


def haproxy(folder, upstream, versions):
    folder = pathlib.Path(folder) / f"haproxy-{versions}"
    folder.mkdir(parents=True, exist_ok=True)
    port = measure.free_port()
    (folder / "map").write_text("".join(f"version-{number}.{DOMAIN} v{number}\n" for number in range(versions)))
    backends = "\n".join(f"backend v{number}\n  server s 127.0.0.1:{upstream}" for number in range(versions))
    configuration = folder / "haproxy.cfg"
    configuration.write_text(f"""{HAPROXY}
  mode http
  http-reuse always
  option forwardfor
frontend all
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-Id %[uuid]
  use_backend %[req.hdr(host),lower,map_str({folder}/map)]
{backends}
""")
    return Proxy("HAProxy", [measure.need("haproxy"), "-db", "-f", configuration], port, str(folder / "log"))


def relay(folder, upstream):
    """HAProxy as a mere relay of TCP: the floor that no HTTP proxy is expected to go below."""
    folder = pathlib.Path(folder) / "relay"
    folder.mkdir(parents=True, exist_ok=True)
    port = measure.free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(f"""{HAPROXY}
  mode tcp
listen all
  bind 127.0.0.1:{port}
  server s 127.0.0.1:{upstream}
""")
    return Proxy("TCP relay", [measure.need("haproxy"), "-db", "-f", configuration], port, str(folder / "log"))
