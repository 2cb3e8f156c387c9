"""The build backend (PEP 517): makes a wheel with the package and wirespan_correlate.pth.

The usual backends need custom code to put a .pth file into a wheel, and would have to be downloaded
first. usage: python3 build_wheel.py FOLDER prints the name of the wheel that it made there.
"""

import base64
import hashlib
import pathlib
import re
import sys
import zipfile

_HERE = pathlib.Path(__file__).resolve().parent


def _project(field):
    # Python 3.9 and 3.10 cannot read TOML.
    return re.search(rf'^{field} = "(.*)"$', (_HERE / "pyproject.toml").read_text(), re.MULTILINE)[1]


def _metadata():
    return (
        "Metadata-Version: 2.1\n"
        f"Name: {_project('name')}\n"
        f"Version: {_project('version')}\n"
        f"Summary: {_project('description')}\n"
        f"License: {_project('license')}\n"
        f"Requires-Python: {_project('requires-python')}\n"
        "Description-Content-Type: text/markdown\n\n" + (_HERE / "README.md").read_text()
    )


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    distribution = f"{_project('name').replace('-', '_')}-{_project('version')}"
    name = f"{distribution}-py3-none-any.whl"
    info = f"{distribution}.dist-info"
    files = {
        path.relative_to(_HERE).as_posix(): path.read_bytes()
        for path in (*sorted(_HERE.glob("wirespan_correlate/*.py")), _HERE / "wirespan_correlate.pth")
    }
    licence = _HERE.parents[1] / "LICENSE"
    if licence.exists():
        files[f"{info}/licenses/LICENSE"] = licence.read_bytes()
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: wirespan\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    rows = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            # One timestamp for all files, so that the same sources produce the same wheel.
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return name


def _digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    print(build_wheel(*sys.argv[1:]))
