"""Where `faults` plays: a generated folder that `synkronic local` serves, and the processes behind its versions.

The versions are real pods of `synkronic echo`, or of `hostile.py`. It refuses to judge anything.
"""

import contextlib
import json
import os
import pathlib
import signal
import sys
import time
import urllib.request

import changes
import measure
import pressing

HOSTILE = measure.ROOT / "bench" / "hostile.py"
NEVER_ASKED = '{exec: {command: ["true"]}, periodSeconds: 3600}'

BASE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: web
        image: shop
        command: [synkronic, echo]
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: http}]
"""


def router(active, response):
    return f"""apiVersion: kyaninus.com/v1
kind: Router
metadata: {{name: shop, namespace: shop}}
spec: {{base: shop, hosts: [{pressing.DOMAIN}], active: {active}, timeouts: {{response: {response}s}}}}
"""


def version(name, spec):
    return f"""apiVersion: kyaninus.com/v1
kind: DeploymentVersion
metadata: {{name: shop-{name}, namespace: shop}}
spec: {{deploymentSpec: {{{spec}}}}}
"""


def echo(replicas=1, **variables):
    """Pods of `synkronic echo`; another value of a variable is another template."""
    env = ", ".join(f'{{name: {name}, value: "{value}"}}' for name, value in variables.items())
    return f"replicas: {replicas}, template: {{spec: {{containers: [{{name: web, env: [{env}]}}]}}}}"


def elsewhere(port):
    """Somebody else's process."""
    return f'template: {{metadata: {{annotations: {{kyaninus.com/local-endpoint: "127.0.0.1:{port}"}}}}}}'


class Stage:
    """One running `synkronic local`, with its folder."""

    def __init__(self, folder, binary, response=2):
        self.folder, self.binary, self.response = pathlib.Path(folder), binary, response
        self.manifests = self.folder / "manifests"
        self.manifests.mkdir()
        self.port, self.log = measure.free_port(), f"{folder}/log"
        self.admin = measure.free_port()
        self.write("base.yaml", BASE)
        self.activate("base")

    def write(self, name, text):
        changes.write(self.manifests / name, text)

    def activate(self, active):
        self.write("router.yaml", router(active, self.response))

    def wait_until_active(self, name, seconds=10):
        """Seconds until the plain host gets a version."""
        begun = time.monotonic()
        while measure.get(self.port, pressing.DOMAIN)[1] != name:
            if time.monotonic() > begun + seconds:
                raise SystemExit(f"{name} is not active after {seconds} s")
            time.sleep(0.001)
        return time.monotonic() - begun

    def put(self, name, spec):
        self.write(f"{name}.yaml", version(name, spec))

    def delete(self, name):
        (self.manifests / f"{name}.yaml").unlink()

    def pods_of_hostile(self, name, manner, replicas, pair):
        """Pods that `hostile.py` plays, ready from the start, whatever their ports do."""
        pair = "--pair " if pair else ""
        line = f"{sys.executable} {HOSTILE} {pair}{self.folder} {name}={manner}:$(PORT)"
        self.put(name, f"replicas: {replicas}, template: {{metadata: {{annotations: {{kyaninus.com/local-command: "
                       f"'{line}'}}}}, spec: {{containers: [{{name: web, readinessProbe: {NEVER_ASKED}}}]}}}}")

    @contextlib.contextmanager
    def running(self, *hostile):
        """Serves for as long as the block lasts; `hostile`: name=manner, each behind a local endpoint."""
        with contextlib.ExitStack() as stack:
            if hostile:
                pairs = [(one, measure.free_port()) for one in hostile]
                command = [sys.executable, HOSTILE, self.folder, *(f"{one}:{port}" for one, port in pairs)]
                process = stack.enter_context(measure.running(command, log=f"{self.folder}/hostile"))
                for one, port in pairs:
                    self.put(one.split("=")[0], elsewhere(port))
                measure.wait_for(pairs[-1][1], process, f"{self.folder}/hostile")
            command = [self.binary, "local", self.manifests, "--listen", f"127.0.0.1:{self.port}",
                       "--admin", f"127.0.0.1:{self.admin}"]
            self.process = stack.enter_context(measure.running(command, log=self.log))
            measure.wait_for(self.port, self.process, self.log)
            yield self

    def wait_for(self, name, replicas=1, seconds=30):
        """Until a version answers, with so many endpoints."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.endpoints(name) == replicas:
                return
            time.sleep(0.01)
        raise SystemExit(f"{name} has {self.endpoints(name)} of {replicas} endpoints after {seconds} s\n"
                         f"{pathlib.Path(self.log).read_text(errors='replace')[-3000:]}")

    def endpoints(self, name):
        """How many endpoints the table has for a version."""
        with contextlib.suppress(OSError, KeyError), \
                urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/table", timeout=5) as answer:
            return len(json.load(answer)["routers"]["shop/shop"]["versions"][name]["endpoints"])
        return 0

    def processes(self, name):
        """The processes that a version's pods run, without those that watch over them."""
        found = []
        for pid in descendants(self.process.pid):
            with contextlib.suppress(OSError):
                place = pathlib.Path(f"/proc/{pid}")
                words = (place / "cmdline").read_bytes().split(b"\0")
                environment = (place / "environ").read_bytes().split(b"\0")
                if f"SYNKRONIC_VERSION={name}".encode() in environment and b"local-pod" not in words:
                    found.append(pid)
        return sorted(found)

    def resident(self):
        return measure.resident_kib(self.process.pid) / 1024

    def executed(self, name):
        """What a hostile upstream has read whole: method and id, once for each time."""
        return [tuple(line.split()) for line in (self.folder / f"executed.{name}").read_text().splitlines()]


def descendants(pid):
    """All processes below one."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
