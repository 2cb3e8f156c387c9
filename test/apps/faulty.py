"""Servers that do not serve, for the tests of the page: `faulty.py unattended|exhausted PORT`."""

import resource
import socket
import sys
import time

HOW, PORT = sys.argv[1], int(sys.argv[2])

listener = socket.create_server(("0.0.0.0", PORT), backlog=1024)
if HOW == "exhausted":
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
print("ready", flush=True)

kept = []
while True:
    if HOW == "unattended":
        time.sleep(60)
        continue
    try:
        kept.append(listener.accept()[0])
    except OSError:
        time.sleep(0.1)
