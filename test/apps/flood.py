"""Keeps a CPU busy with receiving packets: `flood.py HOST CPU`."""

import os
import socket
import sys
import time

HOST, CPU = sys.argv[1], int(sys.argv[2])

# A packet over a veth device is received on the CPU that sends it. Other work on that CPU gets only a tenth of its time.
os.sched_setaffinity(0, {CPU})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)

while True:
    until = time.monotonic() + 0.018
    while time.monotonic() < until:
        flood.sendto(b"x", (HOST, 9))
    time.sleep(0.002)
