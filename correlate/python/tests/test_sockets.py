"""Plain sockets: the context of each send, at the moment when the kernel would see it."""

import os
import socket
import struct
import threading
import unittest

from wirespan_correlate import announce, sockets, table

from .kernel import cookie_of
from .support import KERNEL, Case, active, new_context, pair


def send(sock, context, data=b"x"):
    with active(context):
        sock.sendall(data)
    return context


class Sends(Case):
    def setUp(self):
        KERNEL.reset()

    def pair(self, *args):
        ends = pair(*args)
        for end in ends:
            self.addCleanup(end.close)
        return ends

    def newest(self):
        """The context of each send, as the kernel sees it."""
        return [newest for _, _, newest in KERNEL.sends]

    def test_every_way_to_send(self):
        client, _ = self.pair()
        meant = []
        with active(new_context()) as context:
            client.send(b"x")
            meant.append(context)
        with active(new_context()) as context:
            client.sendmsg([b"x", b"y"])
            meant.append(context)
        with active(new_context()) as context, client.makefile("wb") as file:
            file.write(b"x")
            file.flush()
            meant.append(context)
        with active(new_context()) as context, open(__file__, "rb") as file:
            client.sendfile(file)
            meant.append(context)
        meant.append(send(client, new_context(flags=0)))
        self.same(KERNEL.labels(), {cookie_of(client): meant})
        self.assertEqual(self.newest()[-1], meant[-1])

    def test_bytes_outside_any_context_are_nobodys(self):
        client, server = self.pair()
        meant = [send(client, context) for context in (None, new_context(), None, None, new_context())]
        self.same(self.newest(), meant)
        send(server, None)
        self.assertEqual(KERNEL.sends[-1][1:], ([], None))

    def test_one_context_is_written_once(self):
        client, _ = self.pair()
        context = new_context()
        for _ in range(20):
            send(client, context)
        self.same(KERNEL.labels(), {cookie_of(client): [context]})

    def test_ipv6(self):
        try:
            client, _ = self.pair("::1", socket.AF_INET6)
        except OSError:
            self.skipTest("no IPv6 here")
        context = send(client, new_context())
        self.same(KERNEL.labels(), {cookie_of(client): [context]})

    def one_port_to_two_peers(self, distance):
        """Connections from one port to two peers, whose ports are `distance` apart."""
        peers = [socket.create_server(("127.0.0.2", 0))]
        port = peers[0].getsockname()[1]
        port += distance if port < 60000 else -distance
        peers.append(socket.create_server(("127.0.0.3", port)))
        ends = []
        for peer in peers:
            self.addCleanup(peer.close)
            end = socket.socket()
            self.addCleanup(end.close)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            end.bind(("127.0.0.1", ends[0].getsockname()[1] if ends else 0))
            end.connect(peer.getsockname())
            ends.append(end)
        meant = {cookie_of(end): [] for end in ends}
        for _ in range(200):
            for end in ends:
                meant[cookie_of(end)].append(send(end, new_context()))
        self.assertEqual(len({sockets.connection_of(end, False).slot for end in ends}), 1)
        self.same(KERNEL.labels(), meant)
        self.assertEqual(KERNEL.overrun, 0)

    def test_two_peers_on_one_local_port(self):
        self.one_port_to_two_peers(0)

    def test_sockets_that_share_a_slot_by_their_ports(self):
        self.one_port_to_two_peers(table.SLOTS)

    def test_threads_that_share_a_socket(self):
        client, _ = self.pair()
        meant, turn = [], [threading.Semaphore(1), threading.Semaphore(0), threading.Semaphore(0)]

        def run(me):
            for _ in range(100):
                turn[me].acquire()
                meant.append(send(client, new_context()))
                turn[(me + 1) % 3].release()

        threads = [threading.Thread(target=run, args=(me,)) for me in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.same(self.newest(), meant)
        self.assertEqual((len(meant), KERNEL.overrun), (300, 0))

    def test_threads_that_share_a_socket_in_the_same_contexts(self):
        client, _ = self.pair()
        some = [new_context(), None, new_context(), None]
        meant, turn = [], [threading.Semaphore(1), threading.Semaphore(0)]

        def run(me):
            for k in range(100):
                turn[me].acquire()
                meant.append(send(client, some[(k * (3 + me) // 5 + me) % 4]))
                turn[1 - me].release()

        threads = [threading.Thread(target=run, args=(me,)) for me in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.same(self.newest(), meant)

    def test_threads_that_end_leave_their_tables_to_others(self):
        client, _ = self.pair()
        meant = []
        for k in range(50):
            other, _ = self.pair()

            def run():
                meant.append(send(other, new_context()))
                meant.append(send(client, new_context() if k % 3 else None))

            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            meant.append(send(client, None))
        self.same(self.newest(), meant)
        self.assertLess(len(table._spare), 10)

    def test_a_second_connection_with_the_ports_of_the_first(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = 0
            for context in (new_context(), None, new_context(), None):
                with socket.socket() as client:
                    # Closed by a reset, so that its ports are free at once.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    client.bind(("127.0.0.1", port))
                    port = client.getsockname()[1]
                    client.connect(listener.getsockname())
                    server, _ = listener.accept()
                    with server:
                        send(client, context)
                        self.assertEqual(self.newest()[-1], context)
                        send(server, None)
                        self.assertEqual(self.newest()[-1], None)
                        send(server, context)
                        self.assertEqual(self.newest()[-1], context)

    def test_a_slot_is_empty_once_its_connection_is_closed(self):
        client, _ = self.pair()
        connection = None
        for _ in range(2):  # in two threads' tables
            thread = threading.Thread(target=send, args=(client, new_context()))
            thread.start()
            thread.join()
            send(client, new_context())
            connection = sockets.connection_of(client, False)
        memories = list(connection.memories)
        self.assertGreaterEqual(len(memories), 2)
        at = table.HEADER_SIZE + connection.slot * table.SLOT_SIZE
        before = [memory[at : at + 4] for memory in memories]
        client.close()
        for memory, number in zip(memories, before):
            self.assertEqual(memory[at + 4 : at + 236], bytes(232))
            self.assertGreater(memory[at : at + 4], number)
        self.assertNotIn(connection, sockets._connections.values())

    def test_a_socket_that_takes_another_ones_descriptor(self):
        first, _ = self.pair()
        send(first, new_context())
        fd = first.detach()
        again = socket.socket(fileno=fd)
        self.addCleanup(again.close)
        thread = threading.Thread(target=send, args=(again, None))
        thread.start()
        thread.join()
        context = send(again, new_context())
        self.same(self.newest()[1:], [None, context])
        fd = again.fileno()
        again.close()
        other, _ = self.pair()
        send(other, None)
        self.assertEqual(other.fileno(), fd)
        self.assertEqual(self.newest()[-1], None)

    def test_a_number_that_goes_round(self):
        client, _ = self.pair()
        send(client, new_context())
        connection = sockets.connection_of(client, False)
        start = (1 << 31) - 20
        connection.numbers = iter(range(start, start + 100))
        KERNEL._marks[cookie_of(client)] = 2 * start
        self.addCleanup(self.assertEqual, KERNEL.overrun, 0)
        meant = [send(client, new_context()) for _ in range(60)]
        self.same(self.newest()[1:], meant)

    def test_datagrams_and_local_sockets_are_left_alone(self):
        a, b = socket.socketpair()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.connect(("127.0.0.1", 9))
        lonely = socket.socket()
        with a, b, udp, lonely:
            send(a, new_context())
            with active(new_context()):
                udp.send(b"x")
                with self.assertRaises(OSError):
                    lonely.send(b"x")
        self.same(KERNEL.labels(), {})

    def test_connects(self):
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            meant = []
            for k in range(40):
                context = new_context() if k % 2 else None
                with socket.socket() as client, active(context):
                    if k % 3:
                        self.assertRaises(ConnectionRefusedError, client.connect, bound.getsockname())
                    else:
                        client.connect_ex(bound.getsockname())
                meant.append(context)
        self.same(KERNEL.connects[-39:], meant[1:])

    def test_a_fork(self):
        client, server = self.pair()
        send(client, new_context())
        KERNEL.reset()
        announced = KERNEL.announced
        child = os.fork()
        if child == 0:
            KERNEL.forget()
            mine, _ = pair()
            context, on_parents = send(mine, new_context()), send(server, new_context())
            right = KERNEL.labels() == {cookie_of(mine): [context], cookie_of(server): [on_parents]}
            os._exit(0 if right and KERNEL.announced == announced + 1 else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        context = send(client, new_context())
        self.same(KERNEL.labels(), {cookie_of(client): [context]})
        self.assertEqual(KERNEL.announced, announced)


class Announcements(Case):
    def setUp(self):
        KERNEL.reset()
        self.client, self.server = pair()
        self.addCleanup(self.client.close)
        self.addCleanup(self.server.close)
        send(self.client, new_context())

    def test_an_agent_that_starts_later(self):
        KERNEL.forget()
        KERNEL.reset()
        send(self.client, new_context())
        self.same(KERNEL.labels(), {})
        table.own_table().announced -= announce.INTERVAL
        context = send(self.client, new_context())
        self.same(KERNEL.labels(), {cookie_of(self.client): [context]})

    def test_a_thousand_announcements(self):
        before = KERNEL.announced
        loop = announce._loop
        for _ in range(1000):
            table.own_table().announced -= announce.INTERVAL
            send(self.client, new_context())
        self.assertEqual(KERNEL.announced - before, 1000)
        self.assertIs(announce._loop, loop)

    def test_descriptors_that_the_program_closed_and_uses_for_its_own(self):
        ends = announce._loop._out.fileno(), announce._loop._in.fileno()
        one, other = socket.socketpair()
        for end, fd in zip((one, other), ends):
            os.dup2(end.fileno(), fd)
        other.sendall(b"the application's")
        table.own_table().announced -= announce.INTERVAL
        send(self.client, new_context())
        one.setblocking(False)
        other.setblocking(False)
        self.assertEqual(one.recv(100), b"the application's")
        with self.assertRaises(BlockingIOError):
            other.recv(100)
        # The announcement used a new connection, and the others are unchanged.
        for end, fd in zip((one, other), ends):
            self.assertEqual(os.fstat(fd).st_ino, os.fstat(end.fileno()).st_ino)
        self.assertEqual(KERNEL.labels()[cookie_of(self.client)], [newest for _, _, newest in KERNEL.sends])
        for fd in ends:
            os.close(fd)
        one.close()
        other.close()


class Guards(Case):
    def test_a_current_that_is_of_no_use(self):
        client, server = pair()
        before = sockets._current
        self.addCleanup(sockets.use, before)
        with client, server:
            KERNEL.reset()
            ids = (0, 1), (1, 0), (-1, 1), (1 << 128, 1), (1, 1 << 64), ("a", "b"), (1.5, 1)
            answers = [0, "x", (1, 2), *((*pair, 1) for pair in ids), (1, 1, None)]
            for current in (*((lambda answer=answer: answer) for answer in answers), lambda: 1 // 0):
                sockets.use(before)
                send(client, new_context())
                sockets.use(current)
                client.sendall(b"x")
            newest = [newest for _, _, newest in KERNEL.sends]
            self.assertNotIn(None, newest[::2])
            self.assertEqual(newest[1::2], [None] * (len(answers) + 1))
            self.assertEqual(len(server.recv(len(newest), socket.MSG_WAITALL)), len(newest))

    def test_no_descriptors_left(self):
        import resource

        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        client, server = pair()
        announce._close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            table.own_table().announced = None
            send(client, new_context())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        with client, server:
            self.assertEqual(server.recv(9), b"x")


if __name__ == "__main__":
    unittest.main()
