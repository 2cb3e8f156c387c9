"""Prints each segment that leaves this network namespace for the second time, as JSON: `port`, `peer`, `at` (the offset of its
first byte in what this end sent), `sequence`, `bytes`, and `flags`. When its standard input is closed, prints how many packets it
has missed, and ends.
"""
import json
import select
import socket
import struct
import sys

ETH_P_ALL, PACKET_OUTGOING, SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 3, 4, 263, 6, 33
SYN, FIN = 2, 1

tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
# By connection: the sequence number of the first byte, and the number of bytes sent, counting the FIN as one.
first, sent = {}, {}
print(json.dumps({"ready": True}), flush=True)


def look(packet):
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return
    start = (packet[0] & 15) * 4
    port, peer, sequence, _, words, flags = struct.unpack_from("!HHIIBB", packet, start)
    count = struct.unpack_from("!H", packet, 2)[0] - start - (words >> 4) * 4
    key = packet[12:20], port, peer
    again = False
    if flags & SYN:
        again = first.get(key) == sequence + 1
        first[key] = sequence + 1
        if not again:
            sent[key] = 0
        at, count = -1, 0
    else:
        at = (sequence - first.get(key, sequence)) & 0xFFFFFFFF
        end = at + count + (flags & FIN)
        # Anything below are acknowledgements, keep-alives and the like.
        again = end > at and at < sent.get(key, 0)
        sent[key] = max(sent.get(key, 0), end)
    if again:
        print(json.dumps({"port": port, "peer": peer, "at": at, "sequence": sequence, "bytes": count, "flags": flags}))


ending = False
while True:
    ready, _, _ = select.select([tap] if ending else [tap, sys.stdin], [], [], 0.5 if ending else None)
    if ending and not ready:
        break
    if tap in ready:
        packet, (_, _, kind, *_) = tap.recvfrom(128)
        if kind == PACKET_OUTGOING:
            look(packet)
    elif sys.stdin in ready:
        ending = True
_, missed = struct.unpack("II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
print(json.dumps({"missed": missed}))
