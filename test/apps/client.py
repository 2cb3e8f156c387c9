"""One HTTP request: client.py ADDRESS PORT."""

import sys
import time
from http.client import HTTPConnection

from counted import Counted

connection = HTTPConnection(sys.argv[1], int(sys.argv[2]))
connection.connect()
connection.sock = Counted.of(connection.sock, "client")
connection.request("POST", "/", b"q" * 1000, {"connection": "close"})
connection.getresponse().read()
connection.close()
# Lives as long as a small program does, so that an agent on a busy machine can still read its identity.
time.sleep(0.2)
