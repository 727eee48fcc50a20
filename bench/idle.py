"""What an idle connection costs a proxy: resident memory with many of them less that with few, over the number."""

import base64
import os
import socket
import time

import measure

FEW, MANY = 500, 2000
WAIT = 5.5


def http(pid, port):
    """KiB per kept-alive HTTP/1.1 connection, WAIT seconds after its one request."""
    return slope(pid, lambda count: measure.exchange(port, measure.version_host, count, count))


def websocket(pid, port):
    """KiB per WebSocket, WAIT seconds after the handshake and one frame each way."""
    return slope(pid, lambda count: [opened(port, number) for number in range(count)])


def slope(pid, connect):
    sockets = connect(FEW)
    time.sleep(WAIT)
    before = measure.resident_kib(pid)
    sockets += connect(MANY)
    time.sleep(WAIT)
    each = (measure.resident_kib(pid) - before) / MANY
    for one in sockets:
        one.close()
    return each


def opened(port, number):
    one = socket.create_connection(("127.0.0.1", port), 30)
    key = base64.b64encode(os.urandom(16)).decode()
    one.sendall(f"GET / HTTP/1.1\r\nHost: {measure.version_host(number)}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = one.recv(4096)
        if not piece:
            raise SystemExit(f"no WebSocket: {head[:300]!r}")
        head += piece
    if b" 101 " not in head.split(b"\r\n")[0]:
        raise SystemExit(f"no WebSocket: {head[:300]!r}")
    echoed(one)
    return one


def echoed(one):
    """One text frame there (masked with zeros) and back."""
    one.sendall(b"\x81\x85\0\0\0\0hello")
    back = b""
    while len(back) < 7:
        piece = one.recv(7 - len(back))
        if not piece:
            raise SystemExit(f"the WebSocket broke off after {back!r}")
        back += piece
    if back != b"\x81\x05hello":
        raise SystemExit(f"the WebSocket answered {back!r}")
