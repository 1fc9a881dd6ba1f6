"""Finds or fetches the 32-bit MicroPython 1.25 that the firmware is tested on.

Order: the copy under .cache, a `micropython` on PATH that is 32 bit and new enough, else Debian's
package (release 13, architecture i386) with the libraries it needs. The packages come from the
mirror that this machine's own apt uses, through a private apt directory: nothing on the system
changes, and apt checks the signatures.

    python tools/fetch_micropython.py          prints the command (fetches it first where needed)
    python tools/fetch_micropython.py --check  exits 1 and says why where it can't be had
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "micropython"
WRAPPER = CACHE / "micropython32"
RELEASE = "trixie"
OLDEST = (1, 25)
_PROBE = "import sys; print(sys.implementation[1][0], sys.implementation[1][1], sys.maxsize)"
_KEYRING_PLACES = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-trixie-stable.gpg",
)


class MicroPythonMissing(Exception):
    """MicroPython can't be had here; the text says why and what to do."""


def _usable(command):
    """True where `command` starts a 32-bit MicroPython that is new enough."""
    try:
        out = subprocess.run([command, "-c", _PROBE], capture_output=True, text=True, timeout=20)
        major, minor, maxsize = (int(word) for word in out.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return (major, minor) >= OLDEST and maxsize == 0x7FFFFFFF


def _mirror():
    """Address of the Debian mirror that this machine's apt uses."""
    if not shutil.which("apt-get"):
        raise MicroPythonMissing(
            "A 32-bit MicroPython 1.25 is not on PATH, and this system has no apt to fetch it "
            "with: install one (unix port, 32 bit) and put it on PATH."
        )
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)"],
        capture_output=True,
        text=True,
    ).stdout
    for line in listing.splitlines():
        site, release, component = (line.split() + ["", "", ""])[:3]
        if component == "main" and "security" not in site and "security" not in release:
            if "debian" in site:
                return site
    raise MicroPythonMissing(
        "A 32-bit MicroPython 1.25 is not on PATH, and apt on this system knows no Debian mirror "
        "to fetch it from: install one (unix port, 32 bit) and put it on PATH."
    )


def _run(arguments, env, what):
    done = subprocess.run(arguments, env=env, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no message"]
        raise MicroPythonMissing(
            "MicroPython could not be fetched (%s): %s. Check the network, or put a 32-bit "
            "micropython 1.25 on PATH." % (what, last[0])
        )


def _fetch():
    """Downloads and unpacks the packages into .cache/micropython."""
    keyring = next((k for k in _KEYRING_PLACES if os.path.exists(k)), None)
    if keyring is None:
        raise MicroPythonMissing(
            "MicroPython could not be fetched: Debian's archive keys are missing. Install the "
            "package debian-archive-keyring, or put a 32-bit micropython 1.25 on PATH."
        )
    apt = CACHE / "apt"
    for part in ("lists/partial", "archives/partial", "etc"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(
        "deb [arch=i386 signed-by=%s] %s %s main\n" % (keyring, _mirror(), RELEASE)
    )
    (apt / "apt.conf").write_text(
        'Dir::State "%(a)s"; Dir::State::status "%(a)s/status"; Dir::Cache "%(a)s";\n'
        'Dir::Etc::sourcelist "%(a)s/sources.list"; Dir::Etc::sourceparts "-";\n'
        'APT::Architecture "i386"; APT::Architectures { "i386"; }; APT::Sandbox::User "";\n'
        'Acquire::Retries "3"; Acquire::Languages "none";\n' % {"a": apt}
    )
    env = dict(os.environ, APT_CONFIG=str(apt / "apt.conf"), LC_ALL="C")
    print("Fetching MicroPython 1.25 (32 bit) ...", file=sys.stderr, flush=True)
    _run(["apt-get", "update", "-q"], env, "package list")
    _run(
        [
            "apt-get",
            "install",
            "-q",
            "-y",
            "--download-only",
            "--no-install-recommends",
            "micropython",
        ],
        env,
        "packages",
    )
    tree = CACHE / "root"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for package in sorted((apt / "archives").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(tree)], env, package.name)
    # Some machines have lib -> usr/lib: loader and libraries are found wherever they are.
    loader = next(p for p in sorted(tree.rglob("ld-linux.so.2")) if p.is_file())
    libraries = sorted({str(p.parent.relative_to(CACHE)) for p in tree.rglob("lib*.so.*")})
    WRAPPER.write_text(
        '#!/bin/sh\nhere=$(cd "$(dirname "$0")" && pwd)\n'
        'exec "$here/%s" --library-path "%s" "$here/root/usr/bin/micropython" "$@"\n'
        % (loader.relative_to(CACHE), ":".join("$here/" + folder for folder in libraries))
    )
    WRAPPER.chmod(0o755)
    shutil.rmtree(apt, ignore_errors=True)


def find():
    """Path of a command that starts the 32-bit MicroPython; raises MicroPythonMissing."""
    if WRAPPER.exists() and _usable(str(WRAPPER)):
        return str(WRAPPER)
    on_path = shutil.which("micropython")
    if on_path and _usable(on_path):
        return on_path
    _fetch()
    if not _usable(str(WRAPPER)):
        raise MicroPythonMissing(
            "The fetched MicroPython does not start here: this kernel may not run 32-bit "
            "programs. Put a 32-bit micropython 1.25 on PATH."
        )
    return str(WRAPPER)


def main():
    try:
        print(find())
    except MicroPythonMissing as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
