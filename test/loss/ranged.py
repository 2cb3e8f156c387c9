"""Runs the program named by its first argument; appends to the file `RANGES` a line of JSON for each answer of its HTTP server,
with the answer's bytes of the connection (Range of test/support/loss.ts).
"""
import http.server
import json
import os
import runpy
import sys

from written import written

Handler = http.server.BaseHTTPRequestHandler
parse, handle = Handler.parse_request, Handler.handle_one_request
out = open(os.environ["RANGES"], "a", buffering=1)


def parse_request(self):
    parsed = parse(self)
    self.began = written(self.connection)
    return parsed


def handle_one_request(self):
    self.began = None
    handle(self)
    if self.began is None or self.connection.fileno() < 0:
        return
    line = {"side": "server", "traceparent": self.headers["traceparent"], "from": self.began}
    line |= {"to": written(self.connection), "port": self.client_address[1], "service": self.server.server_address[1]}
    out.write(json.dumps(line) + "\n")


Handler.parse_request, Handler.handle_one_request = parse_request, handle_one_request
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
