"""What the load suite's commands share: processes pinned to cores, CPU time, wrk, callgrind, peers' configuration.

Standard library only. It refuses to know what is measured: `run`, `instructions` and `decide` do.
"""

import contextlib
import http.client
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOSTS = 100
PROXY_CORE, LOAD_CORE = "0", "1"


class Missing(Exception):
    """Something the machine lacks; the sentence says what, and how to get it."""


def need(program, package=None):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not found:
        raise Missing(f"{program} is not installed: `apt-get install {package or program}`")
    return found


def cores():
    if os.cpu_count() < 2:
        raise Missing("the load suite needs two cores: the proxy on one, load and upstream on the other")


def raise_file_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def build():
    """The release binary; the experiments' programs beside it, in one go, so that their common parts are built once."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", "--bins", "--examples"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR") or ROOT / "target"
    return pathlib.Path(target) / "release" / "synkronic"


def settle(seconds=3):
    """Lets a process that has just started come to rest."""
    time.sleep(seconds)


_given = set()


def free_port():
    """A port that nobody holds now, another one each time: the kernel may give one twice that was let go."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


@contextlib.contextmanager
def running(command, core=None, log=None, environment=None):
    """A process of ours for as long as the block lasts; ended by SIGTERM, then by force."""
    if core is not None:
        command = [need("taskset", "util-linux"), "-c", core, *map(str, command)]
    out = open(log, "wb") if log else subprocess.DEVNULL
    process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                               env={**os.environ, **(environment or {})})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if log:
            out.close()


def wait_for(port, process, log=None, seconds=60):
    """Until 127.0.0.1:port accepts."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            words = pathlib.Path(log).read_text(errors="replace")[-2000:] if log else ""
            sys.exit(f"{process.args} ended with {process.returncode}: {words}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.005)
    sys.exit(f"{process.args} does not accept on port {port} after {seconds} s")


def get(port, host, path="/"):
    """Status and version of one answer; nothing where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("x-synkronic-version")
    return None, None


def wait_until_served(port, host, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status, _ = get(port, host)
        if status == 200:
            return
        time.sleep(0.001)
    raise SystemExit(f"{host} is not served after {seconds} s; last status {status}")


def cpu_seconds(pid):
    """User and system time of every thread of a process so far, by the scheduler's own count."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_kib(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Rss:\s+(\d+)", rollup, re.M)[1])


class Load:
    """One run of wrk: how many answers, how many of them wrong, and what it printed."""

    def __init__(self, output):
        self.output = output
        found = re.search(r"(\d+) requests in", output)
        if not found:
            sys.exit(f"wrk printed no count of requests:\n{output}")
        self.requests = int(found[1])
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
        self.failed = sum(map(int, errors.groups())) if errors else 0
        self.failed += int(bad[1]) if bad else 0

    def percentile(self, name):
        value, unit = re.search(rf"^\s+{name}%\s+([\d.]+)(us|ms|s)", self.output, re.M).groups()
        return float(value) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def wrk(port, seconds, script, connections=64, core=LOAD_CORE, arguments=()):
    command = [need("taskset", "util-linux"), "-c", core, need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
               "-s", str(script), f"http://127.0.0.1:{port}", "--", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    return Load(done.stdout + done.stderr)


def paced(program, port, rate, seconds, connections=64, path="/"):
    """One run of the load at a fixed pace: its percentiles and counts, in microseconds."""
    command = [need("taskset", "util-linux"), "-c", LOAD_CORE, program, port, rate, seconds, connections, HOSTS, path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds + 60)
    found = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", done.stdout)}
    if done.returncode or "p99" not in found:
        sys.exit(f"{program} failed:\n{done.stdout}{done.stderr}")
    return found


def exchange(port, host, count, connections, path="/"):
    """Sends exactly `count` GETs over kept-alive connections, all busy at once; every answer must be a 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {{}}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
    sockets = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(connections)]
    sent = 0
    while sent < count:
        batch = sockets[:count - sent]
        for one in batch:
            one.sendall(request.format(host(sent)).encode())
            sent += 1
        for one in batch:
            answer(one)
    return sockets


def answer(one):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = one.recv(65536)
        if not piece:
            sys.exit(f"the proxy closed a connection after {data[:200]!r}")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"not a 200: {head[:300]!r}")
    length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
    while len(body) < length:
        body += one.recv(1 << 20)


def callgrind_instructions(command, port, host, load):
    """User instructions that `command` executes from its start to its end, with `load()` in between."""
    with tempfile.TemporaryDirectory() as folder:
        log = f"{folder}/log"
        valgrind = [need("valgrind"), "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                    "--dump-instr=no", f"--log-file={folder}/valgrind", "--", *command]
        with running(valgrind, core=PROXY_CORE, log=log) as process:
            wait_for(port, process, log, seconds=120)
            for number in range(HOSTS):
                wait_until_served(port, host(number), seconds=120)
            load()
            time.sleep(0.5)
        words = pathlib.Path(f"{folder}/valgrind").read_text()
        found = re.search(r"Collected : (\d+)", words) or re.search(r"refs:\s+([\d,]+)", words)
        if not found:
            sys.exit(f"callgrind printed no total:\n{words}\n{pathlib.Path(log).read_text()[-2000:]}")
        return int(found[1].replace(",", ""))


def instructions_per_request(command, port, host, count=3000, connections=64, path="/"):
    """The difference between a run with twice the requests and one with them, over the requests."""
    totals = []
    for requests in (count, 2 * count):
        def load():
            for one in exchange(port, host, requests, connections, path):
                one.close()
        totals.append(callgrind_instructions(command, port, host, load))
    return (totals[1] - totals[0]) / count


def version_host(number):
    return f"version-{number % HOSTS}.shop.example.com"


def nginx_upstream(folder, port, sizes, named=()):
    """An upstream that is never the bottleneck: nginx with an answer of fixed size for each path.
    The ports of `named` answer as version-0, version-1, ... and say whom they were asked for."""
    listens = "".join(f"listen 127.0.0.1:{one} backlog=4096; " for one in named)
    speaks = "".join(f"{one} version-{number}; " for number, one in enumerate(named))
    naming = f"""map $server_port $version {{ {speaks} }}
  server {{ {listens} location / {{ add_header X-Echo-Version $version; add_header X-Asked $http_host; return 200 "ok"; }} }}"""
    folder = pathlib.Path(folder)
    (folder / "files").mkdir(exist_ok=True)
    for size in sizes:
        (folder / "files" / str(size)).write_bytes(b"x" * size)
    configuration = folder / "upstream.conf"
    configuration.write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/upstream.pid; error_log {folder}/upstream.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; tcp_nodelay on; 
  sendfile on; open_file_cache max=16; types {{}} default_type text/plain; etag off;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = / {{ return 200 "{'x' * 1024}"; }}
    location /bytes/ {{ alias {folder}/files/; }}
  }}
  {naming if named else ""}
}}
""")
    return [need("nginx"), "-p", str(folder), "-c", str(configuration)]


def median(values):
    return statistics.median(values)
