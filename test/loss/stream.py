"""Sends COUNT messages over one connection, each labelled with its own span, without waiting for answers; prints a line of JSON
for each (Range of test/support/loss.ts). usage: stream.py ADDRESS PORT COUNT
"""
import json
import os
import secrets
import socket
import sys

import wirespan_correlate
from written import written

label = None
wirespan_correlate.install(lambda: label)
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
local, peer = sock.getsockname()[1], sock.getpeername()[1]
for _ in range(int(sys.argv[3])):
    label = secrets.randbits(128) | 1, secrets.randbits(64) | 1, 1
    first = written(sock)
    sock.sendall(os.urandom(100 + secrets.randbelow(2000)))
    line = {"side": "client", "traceparent": "00-{:032x}-{:016x}-{:02x}".format(*label)}
    print(json.dumps(line | {"from": first, "to": written(sock), "port": local, "service": peer}))
label = None
sys.stdout.flush()
sock.shutdown(socket.SHUT_WR)
sock.recv(1)
