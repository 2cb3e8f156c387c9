"""The number of bytes of a TCP connection that this end has written, after any encryption: linux/tcp.h, struct tcp_info."""
import socket
import struct

NOTSENT, SENT, RETRANSMITTED = 144, 200, 208


def written(connection):
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    (waiting,) = struct.unpack_from("I", info, NOTSENT)
    sent, again = struct.unpack_from("QQ", info, SENT)
    return sent - again + waiting
