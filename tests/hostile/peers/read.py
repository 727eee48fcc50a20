"""Reads messages as h11 or llhttp reads them.

On standard input each message is four bytes of length, then that many bytes; on standard output each is one line of
JSON: its requests as [method, target, host, SHA-1 of the body], and how the reading ended ("done", "partial", or
"refused" and why).
"""

import hashlib
import json
import struct
import sys


class H11:
    def __init__(self):
        import h11

        self.h11 = h11

    def read(self, message):
        h11 = self.h11
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        requests, request, body = [], None, hashlib.sha1()
        try:
            connection.receive_data(message)
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    return requests, "partial" if request or connection.trailing_data[0] else "done"
                if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return requests, "done"
                if isinstance(event, h11.Request):
                    hosts = [value for name, value in event.headers if name == b"host"]
                    request, body = (event.method, event.target, b",".join(hosts)), hashlib.sha1()
                elif isinstance(event, h11.Data):
                    body.update(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    requests.append([part.decode("latin-1") for part in request] + [body.hexdigest()])
                    request = None
                    # Nothing that a request asks for is granted: what follows is the next request.
                    connection.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
                    connection.send(h11.EndOfMessage())
                    if connection.our_state is h11.MUST_CLOSE:
                        return requests, "done"
                    connection.start_next_cycle()
        except h11.RemoteProtocolError as error:
            return requests, f"refused: {error}"


class LlHttp:
    def __init__(self):
        import llhttp

        self.llhttp = llhttp

        class Parser(llhttp.Request):
            def on_message_begin(self):
                self.url, self.name, self.value, self.hosts = b"", b"", b"", []
                self.within, self.trailers, self.body = True, False, hashlib.sha1()

            def on_url(self, piece):
                self.url += piece

            def on_header_field(self, piece):
                self.name += piece

            def on_header_value(self, piece):
                self.value += piece

            def on_header_value_complete(self):
                if self.name.lower() == b"host" and not self.trailers:
                    # It leaves the blanks behind a value to whoever uses it.
                    self.hosts.append(self.value.strip(b" \t"))
                self.name, self.value = b"", b""

            def on_headers_complete(self):
                self.trailers = True

            def on_body(self, piece):
                self.body.update(piece)

            def on_message_complete(self):
                self.within = False
                parts = [self.method.encode() if isinstance(self.method, str) else self.method, self.url]
                parts.append(b",".join(self.hosts))
                self.requests.append([bytes(part).decode("latin-1") for part in parts] + [self.body.hexdigest()])

        self.parser = Parser

    def read(self, message):
        requests, parser = [], None
        try:
            while message:
                parser = self.parser()
                parser.requests, parser.within = requests, False
                message = message[parser.execute(message) :]
                # Whoever asks for an upgrade is not obeyed: what follows is the next request.
                if not parser.is_upgrading:
                    break
        except self.llhttp.Error as error:
            return requests, f"refused: {type(error).__name__} {error}"
        return requests, "partial" if parser and parser.within else "done"


def main():
    reader = {"h11": H11, "llhttp": LlHttp}[sys.argv[1]]()
    while header := sys.stdin.buffer.read(4):
        (length,) = struct.unpack(">I", header)
        requests, end = reader.read(sys.stdin.buffer.read(length))
        sys.stdout.write(json.dumps({"requests": requests, "end": end}) + "\n")
        sys.stdout.flush()


main()
