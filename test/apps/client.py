"""One HTTP request: client.py ADDRESS PORT."""

import sys
from http.client import HTTPConnection

from counted import Counted

connection = HTTPConnection(sys.argv[1], int(sys.argv[2]))
connection.connect()
connection.sock = Counted.of(connection.sock, "client")
connection.request("POST", "/", b"q" * 1000, {"connection": "close"})
connection.getresponse().read()
connection.close()
