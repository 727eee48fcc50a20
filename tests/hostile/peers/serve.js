// Node's HTTP server on the socket that is named: tells each request back in `x-echo`, as the upstream behind the other
// peers does: method, host, SHA-1 of the target, SHA-1 of the body.
"use strict";
const crypto = require("node:crypto");
const http = require("node:http");

const sha1 = (...pieces) => pieces.reduce((hash, piece) => hash.update(piece), crypto.createHash("sha1")).digest("hex");

const server = http.createServer({ maxHeaderSize: 256 << 10, keepAliveTimeout: 60000 }, (request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const target = Buffer.from(request.url, "latin1");
    const told = [request.method, request.headers.host || "-", sha1(target), sha1(...pieces)].join(" ");
    response.writeHead(200, { "x-echo": told, "content-length": 0 });
    response.end();
  });
});
server.maxHeadersCount = 0;
server.listen(process.argv[2]);
