"""For each line of input, hands 5,000 requests to OpenSSL, which encrypts them into memory; prints CPU nanoseconds per request."""
import ssl
import sys
import time

CALLS = 5000
REQUEST = b"GET / HTTP/1.1\r\ntraceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\n\r\n"


def end(purpose, incoming, outgoing):
    context = ssl.SSLContext(purpose)
    # A cipher without certificates.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_bio(incoming, outgoing, server_side=purpose == ssl.PROTOCOL_TLS_SERVER)


there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
client, server = end(ssl.PROTOCOL_TLS_CLIENT, back, there), end(ssl.PROTOCOL_TLS_SERVER, there, back)
for _ in range(3):
    for one in (client, server):
        try:
            one.do_handshake()
        except ssl.SSLWantReadError:
            pass
for _ in sys.stdin:
    begin = time.process_time_ns()
    for _ in range(CALLS):
        client.write(REQUEST)
    taken = time.process_time_ns() - begin
    there.read()
    print(taken / CALLS, flush=True)
