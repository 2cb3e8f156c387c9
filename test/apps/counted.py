"""A socket that counts its bytes and prints them when it closes, for http.server and http.client alike."""

import json
import os
import socket


def say(role, **line):
    print(json.dumps({"app": "python", "role": role, "pid": os.getpid(), **line}), flush=True)


class Counted(socket.socket):
    role = "client"
    sent = received = 0
    ends = None

    @classmethod
    def of(cls, plain, role):
        counted = cls(fileno=plain.detach())
        counted.role = role
        local, remote = counted.getsockname(), counted.getpeername()
        counted.ends = {"local": local[0], "localPort": local[1], "remote": remote[0], "remotePort": remote[1]}
        return counted

    def sendall(self, data, *flags):
        super().sendall(data, *flags)
        self.sent += memoryview(data).nbytes

    def recv_into(self, *into):
        part = super().recv_into(*into)
        self.received += part
        return part

    def _real_close(self):
        super()._real_close()
        if self.ends:
            say(self.role, event="end", **self.ends, sent=self.sent, received=self.received)
            self.ends = None
