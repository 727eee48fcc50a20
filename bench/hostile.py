#!/usr/bin/env python3
"""Upstreams that behave badly, each in its own manner: what `bench/faults` puts behind a version.

    hostile.py FOLDER VERSION=MANNER:PORT...     one process, a listener on 127.0.0.1 each
    hostile.py --pair FOLDER VERSION=MANNER:PORT one of two replicas: the first to come behaves well

Whatever request it has read whole, so that an application would have acted on it, it writes down: one line in
FOLDER/executed.VERSION. Standard library only; loopback only; it ends with its parent's signal.
"""

import os
import pathlib
import random
import socket
import struct
import sys
import threading
import time

LARGE = 256 << 10


class Upstream:
    """One listener, and how it treats what comes."""

    def __init__(self, folder, version, manner, port):
        self.folder, self.version, self.manner = pathlib.Path(folder), version, manner
        self.answer = globals()[f"answer_{manner.replace('-', '_')}"]
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(1024)
        self.log = os.open(self.folder / f"executed.{version}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def executed(self, request):
        os.write(self.log, f"{request.method} {request.id}\n".encode())

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.answer(self, client)
        except OSError:
            pass
        client.close()

    def respond(self, client, body=b"ok", length=None, close=False):
        head = (f"HTTP/1.1 200 OK\r\nx-echo-version: {self.version}\r\ncontent-length: "
                f"{len(body) if length is None else length}\r\n{'connection: close' if close else ''}")
        client.sendall(head.rstrip().encode() + b"\r\n\r\n" + body)


class Request:
    """A request that has been read whole; nothing where the connection ends before."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.body = lines[0].split(" ")[0], body
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        self.id = fields.get("x-id", "none")

    @staticmethod
    def read(client):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = client.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                       if line.startswith(b"content-length:")), 0)
        while len(body) < length:
            piece = client.recv(65536)
            if not piece:
                return None
            body += piece
        return Request(head, body)


def reset(client):
    """Close with a reset, whatever lies unread or unsent."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def answer_well(upstream, client):
    while request := Request.read(client):
        upstream.executed(request)
        upstream.respond(client)


def answer_mute(upstream, client):
    while request := Request.read(client):
        upstream.executed(request)


def answer_reset_accept(_, client):
    reset(client)


def answer_reset_head(upstream, client):
    if request := Request.read(client):
        upstream.executed(request)
    reset(client)


def answer_reset_body(upstream, client):
    if request := Request.read(client):
        upstream.executed(request)
        upstream.respond(client, b"x" * (LARGE // 2), LARGE)
        time.sleep(0.005)
    reset(client)


def answer_cut_body(upstream, client):
    """Not a reset: a clean end of the connection, half way."""
    if request := Request.read(client):
        upstream.executed(request)
        upstream.respond(client, b"x" * (LARGE // 2), LARGE)


def answer_race(upstream, client):
    """Every eighth request meets a connection that is closed just as it arrives, unread."""
    for _ in range(7):
        request = Request.read(client)
        if not request:
            return
        upstream.executed(request)
        upstream.respond(client)
    client.recv(1, socket.MSG_PEEK)


def answer_impatient(upstream, client):
    """Closes after an idle time that is now shorter, now longer than the next request takes to come."""
    while request := Request.read(client):
        upstream.executed(request)
        upstream.respond(client)
        client.settimeout(random.uniform(0.0005, 0.02))


def never_accepts(port):
    """The queue of the listener is full: who connects now gets no answer to its SYN."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(0)
    held = []
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
        held.append(filler)
    while True:
        time.sleep(3600)


def main():
    arguments = sys.argv[1:]
    paired = arguments[0] == "--pair"
    folder, *wanted = arguments[1:] if paired else arguments
    threads = []
    for one in wanted:
        version, _, rest = one.partition("=")
        manner, _, port = rest.partition(":")
        if paired:
            try:
                os.close(os.open(f"{folder}/first.{version}", os.O_CREAT | os.O_EXCL))
                manner = "well"
            except FileExistsError:
                pass
        if manner == "full":
            threads.append(threading.Thread(target=never_accepts, args=[int(port)]))
        else:
            threads.append(threading.Thread(target=Upstream(folder, version, manner, int(port)).run))
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
