"""Changes of the table: under load, from a saved file to the route served, and from the start to the first answer."""

import pathlib
import re
import subprocess
import threading
import time
import urllib.request

import measure
import peers

VERSIONS = 8


def start_to_serving(proxy):
    """Seconds from the start of the process to the first 200 of a version."""
    begun = time.monotonic()
    with measure.running(proxy.command, log=proxy.log):
        measure.wait_until_served(proxy.port, f"version-1.{peers.DOMAIN}")
        return time.monotonic() - begun


def linkage(binary):
    said = subprocess.run(["ldd", binary], capture_output=True, text=True)
    return "static" if "statically" in said.stdout + said.stderr or "not a dynamic" in said.stderr else "dynamic (the image's is static)"


def generation(admin):
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=5) as answer:
        found = re.search(r"^synkronic_table_generation(?:\{[^}]*\})? (\d+)", answer.read().decode(), re.M)
        return int(found[1]) if found else 0


def write(path, text):
    """As editors and kubectl do it: a new file in the old one's place."""
    hidden = path.with_name(f".{path.name}.new")
    hidden.write_text(text)
    hidden.rename(path)


def change(folder, number, ports):
    """The active version moves, a version comes and goes, a rule comes and goes: in turn."""
    rules = '  rules: [{name: qa, match: [{headers: [{name: X-QA-Team, exact: blue}]}], send: version-3}]\n'
    extra = folder / "extra.yaml"
    match number % 4:
        case 0:
            write(folder / "router.yaml", peers.router("version-2"))
        case 1:
            write(extra, peers.version(VERSIONS + 1, ports[VERSIONS + 1]))
        case 2:
            write(folder / "router.yaml", peers.router("version-1", rules))
        case 3:
            extra.unlink()


def under_load(folder, binary, count, pause):
    """`count` changes of the files while wrk checks every answer; what it found, and how fast changes are seen."""
    ports = [measure.free_port() for _ in range(VERSIONS + 2)]
    place = pathlib.Path(folder) / "named"
    place.mkdir()
    upstream = measure.nginx_upstream(place, measure.free_port(), [], named=ports)
    proxy = peers.synkronic(folder, binary, ports, VERSIONS + 1, "swaps")
    manifests = pathlib.Path(proxy.command[2])
    with measure.running(upstream, core=measure.LOAD_CORE, log=f"{place}/out") as one, \
            measure.running(proxy.command, core=measure.PROXY_CORE, log=proxy.log) as other:
        measure.wait_for(ports[1], one, f"{place}/out")
        measure.wait_for(proxy.port, other, proxy.log)
        measure.wait_until_served(proxy.port, f"version-1.{peers.DOMAIN}")
        before = generation(proxy.admin)
        done = threading.Event()
        loads = []

        def press():
            while not done.is_set():
                loads.append(measure.wrk(proxy.port, 2, measure.ROOT / "bench" / "changes.lua", arguments=[VERSIONS]))

        load = threading.Thread(target=press)
        load.start()
        for number in range(count):
            change(manifests, number, ports)
            time.sleep(pause)
        done.set()
        load.join()
        tables = generation(proxy.admin) - before
        seen = [propagation(proxy.port, manifests, number) for number in range(20)]
    found = {"changes": count, "generations": tables, "first": ""}
    for name in ("checked", "failed", "misrouted", "broken"):
        found[name] = sum(int(re.search(rf"{name}=(\d+)", one.output)[1]) for one in loads)
    for one in loads:
        found["first"] = found["first"] or re.search(r"first=(.*)", one.output)[1]
    found["seen"] = (measure.median(seen) * 1000, max(seen) * 1000)
    return found


def propagation(port, manifests, number):
    """Seconds from saving another active version to the first answer by it."""
    wanted = f"version-{number % 2 + 3}"
    time.sleep(0.2)
    write(manifests / "router.yaml", peers.router(wanted))
    begun = time.monotonic()
    while time.monotonic() < begun + 5:
        if measure.get(port, peers.DOMAIN)[1] == wanted:
            return time.monotonic() - begun
        time.sleep(0.001)
    raise SystemExit(f"{wanted} is not active 5 s after the file was saved")
