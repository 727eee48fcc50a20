"""An upstream for uploads: reads a request's whole body, throws it away, answers `ok`. One thread, Content-Length only.

nginx's `return` answers before the body has come, which is another test. Usage: sink.py PORT
"""

import re
import selectors
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUFFER = bytearray(1 << 18)


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    left = {}
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                one, _ = listener.accept()
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                waiting.register(one, selectors.EVENT_READ)
                left[one] = None
            elif not read(key.fileobj, left):
                waiting.unregister(key.fileobj)
                del left[key.fileobj]
                key.fileobj.close()


def read(one, left):
    """Takes what has come; false where the connection has ended. A head comes whole, or nearly."""
    try:
        count = one.recv_into(BUFFER)
        if count == 0:
            return False
        if left[one] is None:
            head = bytes(BUFFER[:count])
            while b"\r\n\r\n" not in head:
                head += one.recv(65536)
            fields, _, body = head.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", fields.lower())
            left[one] = (int(length[1]) if length else 0) - len(body)
        else:
            left[one] -= count
        if left[one] <= 0:
            left[one] = None
            one.sendall(ANSWER)
        return True
    except ConnectionError:
        return False


if __name__ == "__main__":
    main()
