"""``python -m spinekit.labextension [--user]``: lay the extension where JupyterLab finds it."""

from __future__ import annotations

import argparse

from spinekit.labextension import install


def main() -> None:
    """Install the extension and say where it lies."""
    parser = argparse.ArgumentParser(prog="python -m spinekit.labextension", description=__doc__)
    parser.add_argument("--user", action="store_true", help="for this user, whatever environment JupyterLab runs in")
    print(f"The files of the 3-D viewer lie in {install(user=parser.parse_args().user)}; reload JupyterLab's page.")


if __name__ == "__main__":
    main()
