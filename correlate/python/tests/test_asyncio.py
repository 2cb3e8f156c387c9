"""asyncio: what its transports send at once, what they send later, and TLS on top of them."""

import asyncio
import socket
import ssl
import tempfile
import unittest

from .kernel import cookie_of
from .support import KERNEL, Case, active, new_context
from .test_http import certificate

CLIENTS, EACH = 8, 50


def cookie(writer):
    return cookie_of(writer.get_extra_info("socket"))


class Requests(Case, unittest.IsolatedAsyncioTestCase):
    async def exchange(self, serving=None, trust=None):
        KERNEL.reset()
        meant = {}

        async def serve(reader, writer):
            mine = meant.setdefault(cookie(writer), [])
            while await reader.read(100):
                with active(new_context()) as context:
                    mine.append(context)
                    writer.write(b"ok")
            writer.close()

        async def ask(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
            mine = meant.setdefault(cookie(writer), [])
            for _ in range(EACH):
                with active(new_context()) as context:
                    mine.append(context)
                    writer.write(b"ping")
                    await asyncio.sleep(0)
                    self.assertEqual(await reader.read(100), b"ok")
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await asyncio.gather(*(ask(port) for _ in range(CLIENTS)))
        self.assertEqual([len(mine) for mine in meant.values()], [EACH] * 2 * CLIENTS)
        self.same(KERNEL.labels(), meant)

    async def test_plain(self):
        await self.exchange()

    async def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate(folder)
            serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            serving.load_cert_chain(cert, key)
            trust = ssl.create_default_context(cafile=cert)
        await self.exchange(serving, trust)

    async def test_a_refused_connection(self):
        KERNEL.reset()
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            meant = []
            for _ in range(20):
                with active(new_context()) as context, self.assertRaises(ConnectionRefusedError):
                    meant.append(context)
                    await asyncio.open_connection(*bound.getsockname())
        self.same(KERNEL.connects, meant)


class Buffered(Case, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        _, self.writer = await asyncio.open_connection(*self.listener.getsockname())
        self.peer, _ = self.listener.accept()
        self.peer.setblocking(False)
        self.addCleanup(self.peer.close)
        KERNEL.reset()

    async def asyncTearDown(self):
        self.writer.close()

    def write(self, context, data, lines=False):
        with active(context):
            self.writer.writelines([data, data]) if lines else self.writer.write(data)
        return context

    async def drained(self):
        """Reads until everything has been sent; returns the number of bytes."""
        loop, size = asyncio.get_running_loop(), 0
        while self.writer.transport.get_write_buffer_size():
            size += len(await loop.sock_recv(self.peer, 1 << 20))
            await asyncio.sleep(0)
        return size

    async def test_each_write_that_had_to_wait_is_named(self):
        contexts = [self.write(new_context(), bytes(1 << 24))]
        self.assertGreater(self.writer.transport.get_write_buffer_size(), 0)
        contexts += [self.write(new_context(), b"x" * 1000) for _ in range(4)]
        self.same(KERNEL.labels(), {cookie(self.writer): contexts[:1]})
        await self.drained()
        self.same(KERNEL.labels(), {cookie(self.writer): contexts})
        contexts.append(self.write(new_context(), b"y"))
        self.same(KERNEL.labels(), {cookie(self.writer): contexts})
        self.assertEqual(KERNEL.overrun, 0)

    async def test_a_write_outside_any_context_that_had_to_wait(self):
        first = self.write(new_context(), bytes(1 << 24))
        self.write(None, b"x" * 1000)
        await self.drained()
        self.assertEqual({newest for _, _, newest in KERNEL.sends}, {first, None})
        self.assertEqual(KERNEL.sends[-1][2], None)

    async def test_a_write_that_had_to_wait_after_one_outside_any_context(self):
        self.write(None, bytes(1 << 24))
        context = self.write(new_context(), b"x", lines=True)
        await self.drained()
        self.assertEqual(KERNEL.sends[0][2], None)
        self.assertEqual(KERNEL.sends[-1][2], context)

    async def test_more_writes_than_the_table_has_records(self):
        contexts = [self.write(new_context(), bytes(1 << 24))]
        contexts += [self.write(new_context(), b"x" * 1000) for _ in range(20)]
        await self.drained()
        self.same(KERNEL.labels(), {cookie(self.writer): contexts[:1] + contexts[-7:]})
        self.assertEqual(KERNEL.overrun, 13)


if __name__ == "__main__":
    unittest.main()
