"""``python -m spinekit.labextension.build``: make the extension's files anew from their npm packages.

Needs ``npm`` and access to a registry; what it makes is committed, so that users need neither.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spinekit.labextension import LIST, shipped_folder
from spinekit.provenance import hash_file

__all__ = ["PACKAGES", "Package", "build", "edited_page"]

BY_HAND = ("package.json", "static/remoteEntry.js", "static/vue-window-absent.js", "static/dot.svg")
UI_ADDRESS = "https://cdn.jsdelivr.net/npm/itk-viewer-bootstrap-ui@0.30.0/dist/bootstrapUIMachineOptions.js.es.js"


@dataclass(frozen=True)
class Package:
    """An npm package and the files taken from it: name inside the package -> name under ``static/``."""

    name: str
    version: str
    licence: str
    files: dict[str, str]
    licence_files: tuple[str, ...] = ("LICENSE",)


PACKAGES = (
    Package(
        "itk-vtk-viewer", "14.51.0", "BSD-3-Clause",
        {
            f"dist/{name}": f"viewer/{name}"
            for name in (
                "index.html", "favicon-32x32.png", "itkVtkViewer.js", "124.itkVtkViewer.js", "e70d53d395877c115376.js",
                "itk/pipeline/BloscZarr.js", "itk/pipeline/BloscZarr.umd.js", "itk/pipeline/BloscZarr.wasm",
                "itk/web-workers/min-bundles/pipeline.worker.js",
            )
        },
        ("LICENSE", "Copyright.txt", "dist/itkVtkViewer.js.LICENSE.txt", "dist/itkVtkViewer.worker.js.LICENSE.txt"),
    ),
    Package(
        "itk-viewer-bootstrap-ui", "0.30.0", "Apache-2.0",
        {"dist/bootstrapUIMachineOptions.js.es.js": "viewer/bootstrapUIMachineOptions.js.es.js"},
    ),
    Package(
        "imjoy-core", "0.14.5", "MIT",
        {f"dist/{name}": name for name in ("imjoy-core.min.js", "imjoy-loader.min.js", "imjoy-rpc.min.js")},
    ),
    Package("vue", "2.6.10", "MIT", {"dist/vue.min.js": "vue.min.js"}),
    Package(
        "vue-js-modal", "1.3.35", "MIT",
        {"dist/index.js": "vue-js-modal.js", "dist/styles.css": "vue-js-modal.css"},
        ("LICENSE.md",),
    ),
)  # fmt: skip


def edited_page(page: str) -> str:
    """Return the viewer's page with its two addresses outside replaced by the files beside it.

    Raises
    ------
    ValueError
        If a line to be replaced is not there exactly once; the package is then another one.
    """
    imports = json.dumps({"imports": {UI_ADDRESS: "./bootstrapUIMachineOptions.js.es.js"}})
    edits = (
        ('<link rel="manifest" href="manifest.json">', ""),
        ('<link rel="apple-touch-icon" type="image/png" sizes="50x50" href="/itk-vtk-viewer/logo.png">', ""),
        ('<link rel="icon" type="image/png" sizes="50x50"\n    href="/itk-vtk-viewer/logo.png">', ""),
        (
            '<script type="text/javascript" src="https://lib.imjoy.io/imjoy-loader.js"></script>',
            f'<script type="importmap">{imports}</script>\n    <script src="../imjoy-loader.min.js"></script>',
        ),
        ("api_version: '0.2.3'", "base_url: new URL('../', window.location.href).href"),
    )
    for old, fresh in edits:
        if page.count(old) != 1:
            raise ValueError(f"The page of itk-vtk-viewer holds {page.count(old)} times: {old}")
        page = page.replace(old, fresh)
    return page


def _unpacked(package: Package, folder: Path) -> Path:
    """Fetch a package with npm and return the folder of its files."""
    asked = f"{package.name}@{package.version}"
    done = subprocess.run(
        ["npm", "pack", asked, "--silent", "--pack-destination", str(folder)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    target = folder / package.name
    with tarfile.open(folder / done.stdout.split()[-1]) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def _take(package: Package, source: Path, extension: Path) -> None:
    for name, place in package.files.items():
        target = extension / "static" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)
    licences = extension / "licences"
    licences.mkdir(exist_ok=True)
    for name in package.licence_files:
        shutil.copyfile(source / name, licences / f"{package.name}-{package.version}-{PurePosixPath(name).name}")


def _overview() -> str:
    lines = ["Files of other projects in this extension, with the licence of each; the texts lie beside this file.", ""]
    lines += [f"{p.name} {p.version}  {p.licence}" for p in PACKAGES]
    lines += [
        "",
        "Everything else (package.json, remoteEntry.js, vue-window-absent.js, dot.svg) is spinekit's own.",
        "",
    ]
    return "\n".join(lines)


def build(extension: Path | None = None) -> dict[str, str]:
    """Make the extension's files from npm and write the list of their hashes; return the list.

    Parameters
    ----------
    extension : Path, optional
        Folder that already holds the files written by hand; the one of this package if not given.
    """
    extension = extension or shipped_folder()
    for old in ("licences", "static/viewer"):
        shutil.rmtree(extension / old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="spinekit-npm-") as folder:
        for package in PACKAGES:
            _take(package, _unpacked(package, Path(folder)), extension)
    page = extension / "static" / "viewer" / "index.html"
    page.write_text(edited_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    (extension / "licences" / "OVERVIEW.txt").write_text(_overview(), encoding="utf-8")
    taken = {f"static/{place}" for p in PACKAGES for place in p.files.values()}
    licences = {f.relative_to(extension).as_posix() for f in (extension / "licences").rglob("*") if f.is_file()}
    hashes = {name: hash_file(extension / name) for name in sorted({*BY_HAND, *taken, *licences})}
    packages = {p.name: {"version": p.version, "licence": p.licence} for p in PACKAGES}
    text = json.dumps({"packages": packages, "sha256": hashes}, indent=2)
    (extension / LIST).write_text(text + "\n", encoding="utf-8")
    return hashes


if __name__ == "__main__":
    print(f"{len(build())} files in {shipped_folder()}")
