"""The wheel: installed, it labels what an application with OpenTelemetry's API sends, unless switched off."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

HERE = pathlib.Path(__file__).resolve().parent.parent

# Reads afterwards what is in the table of the thread that sent.
APPLICATION = """
import socket, sys
early = [name for name in sys.modules if name.startswith("wirespan_correlate")]
from opentelemetry import trace
import ssl, asyncio
hooked = [hasattr(f, "__wrapped__") for f in (
    socket.socket.send, ssl.SSLSocket.write, asyncio.selector_events._SelectorSocketTransport.write)]
listener = socket.create_server(("127.0.0.1", 0))
context = trace.SpanContext(0xabc, 0xdef, False, trace.TraceFlags(1))
with trace.use_span(trace.NonRecordingSpan(context)):
    client = socket.create_connection(listener.getsockname())
    client.send(b"x")
labels = 0
if hooked[0]:
    from wirespan_correlate.table import own_table, record
    labels = own_table().memory[:].count(record((0xabc, 0xdef, 1)))
client.close()
listener.close()
print("wirespan_correlate.hooks" in early, *hooked, labels)
"""


def module_folder(name):
    """The folder from which Python imports a package; None if it cannot."""
    for folder in (None, os.environ.get("WIRESPAN_TEST_PYTHON")):
        if folder:
            spec = importlib.machinery.PathFinder.find_spec(name, [folder])
        else:
            spec = importlib.util.find_spec(name)
        if spec is not None:
            return str(pathlib.Path(next(iter(spec.submodule_search_locations))).parent)
    return None


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        made = cls.run_python("-B", str(HERE / "build_wheel.py"), str(cls.folder))
        # An installer unpacks a wheel into a folder in which Python looks for .pth files.
        cls.environment = {"PYTHONUSERBASE": str(cls.folder / "user")}
        where = "import site; print(site.getusersitepackages())"
        cls.site = pathlib.Path(cls.run_python("-c", where, **cls.environment).strip())
        with zipfile.ZipFile(cls.folder / made.strip()) as wheel:
            wheel.extractall(cls.site)

    @staticmethod
    def run_python(*arguments, **environment):
        # The interpreter itself: a virtual environment has no user site folder.
        program = getattr(sys, "_base_executable", sys.executable)
        given = {k: v for k, v in os.environ.items() if k not in ("PYTHONNOUSERSITE", "WIRESPAN_CORRELATE")}
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, env={**given, **environment}, cwd="/"
        )
        if done.returncode != 0 or done.stderr:
            raise AssertionError(f"status {done.returncode}: {done.stderr}")
        return done.stdout

    def application(self, **environment):
        api = module_folder("opentelemetry")
        if api is None:
            self.skipTest("no OpenTelemetry API for Python here")
        environment = {**self.environment, "PYTHONPATH": api, **environment}
        return self.run_python("-X", "dev", "-W", "error", "-c", APPLICATION, **environment).split()

    def test_an_application_with_opentelemetry(self):
        self.assertEqual(self.application(), ["False", "True", "True", "True", "1"])

    def test_the_off_switch(self):
        for word in ("off", "OFF "):
            self.assertEqual(
                self.application(WIRESPAN_CORRELATE=word), ["False", "False", "False", "False", "0"]
            )

    def test_without_opentelemetry_nothing_is_loaded_or_hooked(self):
        program = (
            "import sys; print('socket' in sys.modules, 'wirespan_correlate.hooks' in sys.modules); "
            "import socket; print(hasattr(socket.socket.send, '__wrapped__'))"
        )
        self.assertEqual(self.run_python("-c", program, **self.environment).split(), ["False"] * 3)

    def test_an_import_of_opentelemetry_that_fails_still_fails(self):
        program = (
            "import sys\ntry:\n import opentelemetry.trace\nexcept ModuleNotFoundError as e: print(e.name)\n"
            "import ssl; print(hasattr(ssl.SSLSocket.write, '__wrapped__'))"
        )
        # Without site, no other package is found.
        start = "import sys; sys.path.append(sys.argv[1]); import wirespan_correlate.startup\n"
        said = self.run_python("-S", "-c", start + program, str(self.site))
        self.assertEqual(said.split(), ["opentelemetry", "False"])

    def test_a_call_of_install(self):
        program = (
            "import socket, sys, wirespan_correlate\n"
            "wirespan_correlate.install(lambda: (1, 2, 1))\n"
            "with socket.create_server(('127.0.0.1', 0)) as listener:\n"
            "  with socket.create_connection(listener.getsockname()) as client:\n"
            "    client.send(b'x')\n"
            "    table = sys.modules.get('wirespan_correlate.table')\n"
            "    print(table and table.own_table().memory[:].count(table.record((1, 2, 1))))"
        )
        run = ("-X", "dev", "-W", "error", "-c", program)
        self.assertEqual(self.run_python(*run, **self.environment), "1\n")
        off = {"WIRESPAN_CORRELATE": "off", **self.environment}
        self.assertEqual(self.run_python(*run, **off), "None\n")

    def test_the_wheel_is_what_its_record_says(self):
        info = next(self.site.glob("*.dist-info"))
        rows = [row.split(",") for row in (info / "RECORD").read_text().splitlines()]
        paths = [path for path in self.site.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        files = sorted(str(path.relative_to(self.site)) for path in paths)
        self.assertEqual(sorted(row[0] for row in rows), files)
        self.assertIn("wirespan_correlate.pth", files)


if __name__ == "__main__":
    unittest.main()
