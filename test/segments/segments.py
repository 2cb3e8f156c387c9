"""Sends segments that ordinary programs do not send, and acts like unusual programs: python3 segments.py WHAT [key=value ...]"""
import ctypes, os, select, socket, struct, sys, time

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_TIMESTAMP, TCP_MD5SIG, SO_ATTACH_FILTER = 19, 20, 21, 24, 14, 26
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) // 2 * 2])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, payload, ident=0, fragment=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, fragment, 64, 6, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(source, destination, sport, dport, seq, ack, flags, data=b"", stamp=None):
    options = b"" if stamp is None else struct.pack("!BBBBII", 1, 1, 8, 10, stamp & 0xFFFFFFFF, 0)
    words = 5 + len(options) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4, flags, 1000, 0, 0) + options
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", 6, len(head) + len(data))
    return head[:16] + struct.pack("!H", checksum(pseudo + head + data)) + head[18:] + data


def raw():
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def send(source, destination, *segment):
    raw().sendto(ipv4(source, destination, tcp(source, destination, *segment)), (destination, 0))


def numbers(sock):
    """Sequence numbers: what it sends next, and what it expects."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    found = []
    for queue in (2, 1):
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
        found.append(struct.unpack("I", sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, 4))[0])
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)
    return found


def listen(address="127.0.0.1", port=0, backlog=8, set=()):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for level, name, value in set:
        listener.setsockopt(level, name, value)
    listener.bind((address, int(port)))
    listener.listen(int(backlog))
    return listener


def say(**what):
    print(*(f"{key}={value}" for key, value in what.items()), flush=True)


def inject(kind):
    """A loopback connection that has carried 100 bytes, and one more segment that its client did not send."""
    listener = listen()
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.sendall(b"x" * 100)
    server.recv(100, socket.MSG_WAITALL)
    time.sleep(0.1)
    here, there = client.getsockname()[1], listener.getsockname()[1]
    seq, ack = numbers(client)
    past = struct.unpack("I", client.getsockopt(socket.IPPROTO_TCP, TCP_TIMESTAMP, 4))[0] - 100000
    say(port=here)
    segment = {
        "old": (seq - 50, ack, ACK, b"y" * 50),
        "overlapping": (seq - 50, ack, ACK, b"x" * 50),
        "keepalive": (seq - 1, ack, ACK),
        "handshake": (seq - 101, ack, SYN | ACK),
        "early": (seq + 10, ack, ACK, b"y" * 10),
        "beyond": (seq + (1 << 30), ack, ACK, b"y" * 10),
        "reset": (seq, ack, RST),
        "false-reset": (seq + 5, ack, RST),
        "false-syn": (seq + 5, ack, SYN),
        "old-stamp": (seq - 50, ack, ACK, b"x" * 50, past),
        "false-stamp": (seq, ack, ACK, b"y" * 10, past),
        "false-ack": (seq, ack + 100000, ACK, b"y" * 10),
    }[kind]
    send("127.0.0.1", "127.0.0.1", here, there, *segment)
    time.sleep(0.2)
    if kind == "reset":  # the client does not know about it: its FIN would be lost
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif kind != "early":
        client.sendall(b"z")
        assert server.recv(10) == b"z"
    client.close()
    server.close()


def one(source, destination, sport, dport, flags, count="1", seq="1000"):
    for _ in range(int(count)):
        send(source, destination, int(sport), int(dport), int(seq), 0, int(flags))
        time.sleep(0.02)


def flood(source, destination, dport, count):
    """SYNs from that many ports of a client that does not answer."""
    for i in range(int(count)):
        send(source, destination, 50000 + i, int(dport), 1000 + i, 0, SYN)


def unreachable(source, destination, dport):
    """A SYN, and an ICMP error about the SYN-ACK that it causes."""
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    os.system("nft add table ip mute; nft 'add chain ip mute out { type filter hook output priority 0; }'; "
              "nft add rule ip mute out tcp flags rst drop")
    send(source, destination, 45000, int(dport), 1000, 0, SYN)
    while True:
        answer = sniffer.recv(2048)
        if answer[9] == 6 and answer[33] == SYN | ACK:
            break
    body = struct.pack("!BBHI", 3, 1, 0, 0) + answer[:28]
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    icmp.sendto(body, (destination, 0))
    time.sleep(0.1)
    os.system("nft delete table ip mute")


def fragments(source, destination, count):
    """The first and the last fragment of that many datagrams, through a raw socket."""
    whole = tcp(source, destination, 41234, 9009, 1, 1, ACK | PSH, b"A" * 12)
    for ident in range(1, int(count) + 1):
        raw().sendto(ipv4(source, destination, whole, ident, 0x2000), (destination, 0))
        raw().sendto(ipv4(source, destination, struct.pack("!HH", 4660, 22136) + b"\x50\x02" * 14, ident, 4), (destination, 0))


def firsts(source, destination, count):
    """The first and the second fragment of datagrams whose last fragment never arrives."""
    whole = tcp(source, destination, 41235, 9009, 1, 1, ACK | PSH, b"A" * 12)
    for ident in range(100, int(count) + 100):
        raw().sendto(ipv4(source, destination, whole, ident, 0x2000), (destination, 0))
        raw().sendto(ipv4(source, destination, b"B" * 32, ident, 0x2004), (destination, 0))


def health(address, port, count):
    """A load balancer's health check: SYN, then RST when the SYN-ACK has arrived, without an ACK."""
    for _ in range(int(count)):
        check = socket.socket()
        check.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        check.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        check.connect((address, int(port)))
        check.close()


def sniff(device, pause="0"):
    """Every kind of socket that gets copies, unread and with small buffers; closed at the end of standard input."""
    taken = []
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        taken.append(socket.socket(socket.AF_PACKET, kind, socket.htons(3)))
    for _ in range(2):
        member = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        member.bind((device, 3))
        member.setsockopt(263, 18, 7)  # SOL_PACKET, PACKET_FANOUT: group 7, by hash
        taken.append(member)
    for version, request in ((1, struct.pack("IIII", 8192, 1, 4096, 2)), (2, struct.pack("IIIIIII", 8192, 2, 4096, 4, 10, 0, 0))):
        ring = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        ring.setsockopt(263, 10, version)  # PACKET_VERSION
        ring.setsockopt(263, 5, request)  # PACKET_RX_RING
        ring.bind((device, 3))
        taken.append(ring)
    taken.append(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP))
    taken.append(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_TCP))
    for one in taken:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    say(ready=len(taken))
    sys.stdin.read()


def tap(device):
    """A tun device: on request its owner writes five SYNs into it, and ends with four unread packets that were sent over it."""
    import fcntl
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", device.encode(), 0x1001))
    os.system(f"sysctl -qw net.ipv6.conf.{device}.disable_ipv6=1; ip addr add 10.216.0.1/24 dev {device}; ip link set {device} up")
    say(ready=1)
    sys.stdin.read()
    for i in range(5):
        os.write(tun, ipv4("10.216.0.2", "10.216.0.1", tcp("10.216.0.2", "10.216.0.1", 43000 + i, 9, 1, 0, SYN)))
    for i in range(4):
        send("10.216.0.1", "10.216.0.2", 44000 + i, 9, 1, 0, SYN)
    time.sleep(0.2)


def served(**options):
    """A listener on 10.213.0.2 that lives until standard input ends; `options` make it unusual."""
    sets = []
    if "defer" in options:
        sets.append((socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(options["defer"])))
    listener = listen(options.get("address", "10.213.0.2"), options.get("port", 7000), options.get("backlog", 8), sets)
    if "filter" in options:  # drops all: BPF_RET 0
        program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
    if "md5" in options:  # its peers must sign segments
        peer = struct.pack("!HH4s120x", socket.AF_INET, 0, socket.inet_aton(options["md5"]))
        peer = struct.pack("H", socket.AF_INET) + peer[2:]
        listener.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, peer + struct.pack("BBHI", 0, 0, 6, 0) + b"secret".ljust(80, b"\0"))
    say(ready=1)
    held = []
    if "accept" in options:
        for _ in range(int(options["accept"])):
            held.append(listener.accept())
        say(accepted=len(held))
    sys.stdin.readline()


def bound(device, address, port):
    """A socket that is bound to a device, an address and a port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    scope = (0, socket.if_nametoindex(device)) if ":" in address else ()
    one.bind((address, int(port)) + scope)
    return one, scope


def accepted(device, address, port):
    """Accepts connections on this device, and keeps them until standard input ends."""
    listener, _ = bound(device, address, port)
    listener.listen()
    say(listening=1)
    kept = []
    while not select.select([sys.stdin], [], [], 0)[0]:
        if select.select([listener], [], [], 0.02)[0]:
            kept.append(listener.accept()[0])


def opened(device, address, port, peer, to):
    """Opens a connection over this device, sends ten bytes for each line of standard input, and closes it at the end."""
    one, scope = bound(device, address, port)
    one.connect((peer, int(to)) + scope)
    one.sendall(b"x" * 100)
    say(opened=1)
    for _ in sys.stdin:
        one.sendall(b"y" * 10)
    one.close()


def quiet(address, port="7000", silence="0.3", count="1"):
    """Opens that many connections, is silent for a while, then sends over each."""
    clients = [socket.create_connection((address, int(port)), 5) for _ in range(int(count))]
    time.sleep(float(silence))
    for client in clients:
        client.sendall(b"x")
        client.close()


def offload(device, **features):
    """Turns tso, gso, sg and gro of a device on (1) or off (0)."""
    import array, fcntl
    commands = {"sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}
    for name, value in features.items():
        wish = array.array("I", [commands[name], int(value)])
        fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sP", device.encode(), wish.buffer_info()[0]))  # SIOCETHTOOL


def lingering():
    """A peer that sends its last data with its FIN, and retransmits it to a socket in TIME_WAIT because the ACK is lost."""
    listener = listen()
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.shutdown(socket.SHUT_WR)
    server.recv(1)
    seq, ack = numbers(server)
    here, there = listener.getsockname()[1], client.getsockname()[1]
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    server.send(b"d" * 20)
    server.close()
    client.recv(100)
    client.close()
    time.sleep(0.1)
    say(to=there)
    send("127.0.0.1", "127.0.0.1", here, there, seq, ack, FIN | ACK | PSH, b"d" * 20)
    time.sleep(0.1)
    send("127.0.0.1", "127.0.0.1", here, there, seq + 21, ack, ACK | PSH, b"n" * 20)
    time.sleep(0.1)


def probing():
    """Keep-alive probes for 2.5 s, and a window that is closed for the same time."""
    listener = listen()
    ends = []
    for _ in range(2):
        client = socket.create_connection(listener.getsockname())
        ends.append((client, listener.accept()[0]))
    kept, full = ends
    for name, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1)):
        kept[0].setsockopt(socket.IPPROTO_TCP, name, value)
    kept[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    full[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    full[0].setblocking(False)
    try:
        while True:
            full[0].send(b"x" * 65536)
    except BlockingIOError:
        pass
    time.sleep(2.5)
    say(done=1)
    for client, server in ends:
        client.close()
        server.close()


if __name__ == "__main__":
    words = dict(word.split("=", 1) for word in sys.argv[2:])
    globals()[sys.argv[1]](**words)
