"""Packs a Go module as a zip in the form that `go mod` reads (https://go.dev/ref/mod#zip-files).

usage: python3 go_module.py FOLDER LICENSE VERSION OUT
"""

import pathlib
import re
import sys
import zipfile

folder, licence, version, out = sys.argv[1:]
root = pathlib.Path(folder)
module = re.search(r"^module (.*)$", (root / "go.mod").read_text(), re.MULTILINE)[1]
files = {
    path.relative_to(root).as_posix(): path
    for path in root.rglob("*")
    if path.suffix in (".go", ".md") or path.name == "go.mod"
}
files["LICENSE"] = pathlib.Path(licence)
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
    for name in sorted(files):
        # One timestamp for all files, so that the same sources produce the same zip.
        entry = zipfile.ZipInfo(f"{module}@v{version}/{name}")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, files[name].read_bytes(), zipfile.ZIP_DEFLATED)
