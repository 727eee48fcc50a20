"""Clients that count what they see: a paced, kept-alive load that judges every answer, and clients that are slow.

Standard library only. It refuses to know which fault is being tried: `faults` does.
"""

import collections
import itertools
import os
import socket
import threading
import time

DOMAIN = "shop.example.com"
PATIENCE = 15


class Gone(Exception):
    """The connection ended: before an answer, or in the middle of one."""


class Answer:
    """One whole answer."""

    def __init__(self, status, fields, size):
        self.status, self.fields, self.size = status, fields, size


class Client:
    """One kept-alive connection; opened when needed."""

    def __init__(self, port):
        self.port, self.socket, self.data = port, None, b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.data = None, b""

    def ask(self, method, host, path, number, body=b""):
        if not self.socket:
            self.socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        length = f"content-length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nx-id: {number}\r\naccept: */*\r\n{length}\r\n"
        self.socket.sendall(head.encode() + body)
        return self.answer()

    def more(self, what):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise Gone(what)
        self.data += piece

    def answer(self):
        while b"\r\n\r\n" not in self.data:
            self.more("cut" if self.data else "no answer")
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        try:
            size = self.chunked() if "chunked" in fields.get("transfer-encoding", "") else self.sized(fields)
        except OSError:
            raise Gone("cut") from None
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(lines[0].split(" ")[1]), fields, size)

    def sized(self, fields):
        left = size = int(fields.get("content-length", "0"))
        while len(self.data) < left:
            left -= len(self.data)
            self.data = b""
            self.more("cut")
        self.data = self.data[left:]
        return size

    def chunked(self):
        size = 0
        while True:
            while b"\r\n" not in self.data:
                self.more("cut")
            line, _, self.data = self.data.partition(b"\r\n")
            length = int(line.split(b";")[0], 16)
            while len(self.data) < length + 2:
                self.more("cut")
            self.data = self.data[length + 2:]
            size += length
            if length == 0:
                return size


class Tally:
    """What was seen: when, how it ended, how long it took."""

    def __init__(self, seen):
        self.seen = seen
        self.outcomes = collections.Counter(outcome for _, outcome, _ in seen)

    def __len__(self):
        return len(self.seen)

    def count(self, *outcomes):
        return sum(self.outcomes[one] for one in outcomes)

    def others(self, *outcomes):
        return len(self) - self.count(*outcomes)

    def between(self, begin, end):
        return Tally([one for one in self.seen if begin <= one[0] < end])

    def percentile(self, share, *outcomes):
        """Milliseconds."""
        times = sorted(took for _, outcome, took in self.seen if not outcomes or outcome in outcomes)
        return times[min(int(len(times) * share), len(times) - 1)] * 1000 if times else 0.0

    def __str__(self):
        return ", ".join(f"{count:,} × {outcome}" for outcome, count in sorted(self.outcomes.items())) or "nothing"


numbers = itertools.count(1)


class Press:
    """A load on one version (or, without one, on the plain host) until it is stopped, or `count` requests long.

    An answer of status 200 must name the version in both headers: the edge's, and the upstream's own.
    """

    def __init__(self, port, version, methods=("GET",), connections=4, pause=0.004, path="/", count=None, fresh=False):
        self.port, self.version, self.methods, self.pause, self.path = port, version, methods, pause, path
        self.host = f"{version}.{DOMAIN}" if isinstance(version, str) else DOMAIN
        self.allowed = {version} if isinstance(version, str) else set(version)
        self.left = itertools.repeat(None) if count is None else iter(range(count))
        self.fresh = fresh
        self.seen, self.sent, self.examples, self.over = [], collections.Counter(), [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=[at], daemon=True) for at in range(connections)]
        for thread in self.threads:
            thread.start()

    def run(self, at):
        client = Client(self.port)
        for turn in itertools.count(at):
            if self.over.is_set():
                break
            try:
                next(self.left)
            except StopIteration:
                break
            method = self.methods[turn % len(self.methods)]
            number = f"{os.getpid()}-{next(numbers)}"
            begun = time.monotonic()
            outcome = self.judge(client, method, number)
            took = time.monotonic() - begun
            self.seen.append((begun, f"{method} {outcome}" if len(self.methods) > 1 else outcome, took))
            if self.fresh:
                client.close()
            time.sleep(max(0.0, self.pause - took))
        client.close()

    def judge(self, client, method, number):
        body = b"" if method == "GET" else b"b" * 100
        try:
            answer = client.ask(method, self.host, self.path, number, body)
        except Gone as gone:
            client.close()
            return str(gone)
        except TimeoutError:
            client.close()
            return "timeout"
        except OSError:
            client.close()
            return "no answer"
        if answer.status != 200:
            return str(answer.status)
        told, by = answer.fields.get("x-synkronic-version"), answer.fields.get("x-echo-version")
        if told != by or told not in self.allowed:
            self.examples.append(f"asked {self.host}, told {told}, answered by {by}")
            return "wrong version"
        self.last = told
        return "200" if len(self.allowed) == 1 else f"200 {told}"

    def tally(self):
        return Tally(list(self.seen))

    def stop(self):
        self.over.set()
        return self.wait()

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                raise SystemExit(f"the load on {self.host} does not end")
        return self.tally()


class Slow:
    """Clients that take their time, all in one thread: heads that come byte by byte, bodies that are hardly read."""

    def __init__(self, port, heads, readers, path):
        self.port, self.over = port, threading.Event()
        self.outcomes, self.read = collections.Counter(), 0
        self.heads = [self.open(f"GET / HTTP/1.1\r\nhost: good.{DOMAIN}\r\n") for _ in range(heads)]
        request = f"GET {path} HTTP/1.1\r\nhost: good.{DOMAIN}\r\n\r\n"
        self.readers = [self.open(request, 4096) for _ in range(readers)]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def open(self, text, buffer=None):
        one = socket.socket()
        if buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        one.connect(("127.0.0.1", self.port))
        one.sendall(text.encode())
        one.setblocking(False)
        return one

    def run(self):
        while not self.over.is_set():
            self.heads = [one for one in self.heads if self.drip(one)]
            self.readers = [one for one in self.readers if self.sip(one)]
            time.sleep(0.25)

    def drip(self, one):
        try:
            one.send(b"x")
            said = one.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            said = b""
        self.outcomes[f"head: {said.split(b' ')[1].decode()}" if b" " in said else "head: closed"] += 1
        one.close()
        return False

    def sip(self, one):
        try:
            said = one.recv(2048)
        except BlockingIOError:
            return True
        except OSError:
            said = b""
        self.read += len(said)
        if said:
            return True
        self.outcomes["reader: closed"] += 1
        one.close()
        return False

    def stop(self):
        self.over.set()
        self.thread.join()
        self.outcomes["head: still open"] += len(self.heads)
        self.outcomes["reader: still reading"] += len(self.readers)
        for one in self.heads + self.readers:
            one.close()
        return +self.outcomes
