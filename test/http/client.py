"""Sends COUNT requests with different contexts over one connection; prints each `traceparent`."""
import http.client
import os
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connection = http.client.HTTPConnection(host, port)
for i in range(count):
    context = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
    body = None if i % 2 else b"x" * (i * 37 % 3000)
    connection.request("GET" if i % 2 else "POST", "/", body, {"Traceparent": context})
    answer = connection.getresponse()
    answer.read()
    print(context)
