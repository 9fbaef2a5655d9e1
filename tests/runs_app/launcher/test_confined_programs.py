"""What scripts do all day goes on working while they are shut in: by a user of their own, and by Landlock alone."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.runs_app.launcher.confined import IS_ROOT, ORDINARY, PYTHON, STRONG, Place, opened
from tests.runs_app.launcher.harness import wait_for

POOL = """
from multiprocessing import Pool
with Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
"""
SHARED_MEMORY = """
from multiprocessing import Process
from multiprocessing.shared_memory import SharedMemory
def fill(name):
    same = SharedMemory(name)
    same.buf[:4] = b"full"
memory = SharedMemory(create=True, size=16)
child = Process(target=fill, args=(memory.name,))
child.start()
child.join()
print(bytes(memory.buf[:4]))
memory.close()
memory.unlink()
"""
MANAGER = """
from multiprocessing import Manager, Process
def add(numbers):
    numbers.append(7)
if __name__ == "__main__":
    with Manager() as manager:
        numbers = manager.list()
        child = Process(target=add, args=(numbers,))
        child.start()
        child.join()
        print(list(numbers))
"""
STARTED_AFRESH = """
import multiprocessing
if __name__ == "__main__":
    for way in ("spawn", "forkserver"):
        with multiprocessing.get_context(way).Pool(1) as pool:
            print(pool.map(abs, [-1]))
"""
EXECUTOR = """
import concurrent.futures
with concurrent.futures.ProcessPoolExecutor(2) as executor:
    print(sum(executor.map(abs, range(-3, 0))))
"""
CERTIFICATES = """
import ssl
context = ssl.create_default_context()
print(context.cert_store_stats()["x509_ca"], context.check_hostname)
"""
DATABASE = """
import sqlite3
with sqlite3.connect("kept.sqlite3") as database:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE IF NOT EXISTS t (x)")
    database.execute("INSERT INTO t VALUES (1)")
print(sqlite3.connect("kept.sqlite3").execute("SELECT max(x) FROM t").fetchone())
"""
SHELL = """
import subprocess
subprocess.run("cd /usr && ls bin > /dev/null && cat < /dev/null | wc -c && echo $HOME > home", shell=True, check=False)
print(subprocess.run(["sh", "-c", "echo from a shell | tr a-z A-Z"], capture_output=True, text=True).stdout, end="")
"""
TEMPORARY = """
import os, tempfile
with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile() as named:
    file.write(b"x")
    os.rename(named.name, folder + "/moved")
    os.link(folder + "/moved", named.name)
    print(tempfile.gettempdir() == os.environ["TMPDIR"], folder.startswith(os.environ["TMPDIR"]))
"""
DEVICES = """
import os
open("/dev/null", "w").write("x")
print(open("/dev/zero", "rb").read(2), len(open("/dev/urandom", "rb").read(3)), len(os.urandom(3)))
try:
    open("/dev/full", "w", buffering=1).write("x\\n")
except OSError as error:
    print(error.strerror)
"""
OWN_STREAMS = """
import subprocess
open("/dev/stdout", "w").write("one\\n")
open("/proc/self/fd/1", "w").write("two\\n")
subprocess.run("echo three > /dev/stdout; echo four > /dev/stderr; echo five | tee /dev/stderr", shell=True, check=True)
print(open("/dev/stdin").read() == "")
"""
TERMINAL = """
import os, pty
near, far = pty.openpty()
os.write(far, b"typed")
print(os.read(near, 5), os.isatty(far))
pty.spawn(["sh", "-c", "tty > /dev/null && echo on a terminal"])
"""
NO_TERMINAL = """
import pty
try:
    pty.openpty()
except OSError:
    print("no terminals")
"""
NAMES = """
import socket
print(sorted({found[4][0] for found in socket.getaddrinfo("localhost", 80)})[0], socket.getfqdn() != "")
print(len(open("/etc/resolv.conf").read()), len(open("/etc/hosts").read()))
"""
ZONES = """
import time, zoneinfo
print(len(zoneinfo.available_timezones()), time.tzname)
"""
LOCALE = """
import locale
print(locale.setlocale(locale.LC_ALL, ""), locale.getpreferredencoding())
"""
LOG_FILE = """
import logging, logging.handlers
handler = logging.handlers.RotatingFileHandler("script.log", maxBytes=50, backupCount=2)
logging.basicConfig(handlers=[handler], level="INFO")
for number in range(9):
    logging.info("a line that fills the file %s", number)
import os
print(sorted(name for name in os.listdir() if name.startswith("script.log")))
"""
HELPER = """
import importlib, sys
with open("helper.py", "w") as file:
    file.write("def hello(): return 'from the helper'")
importlib.invalidate_caches()
print(importlib.import_module("helper").hello())
"""
ASYNCIO = """
import asyncio, signal
async def main():
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, heard.set)
    await (await asyncio.create_subprocess_shell("kill -USR1 $PPID")).wait()
    await heard.wait()
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    sleeper.terminate()
    print(await sleeper.wait())
    server = await asyncio.start_unix_server(lambda reader, writer: writer.close(), "./socket")
    reader, writer = await asyncio.open_unix_connection("./socket")
    print(await reader.read())
asyncio.run(main())
"""
CHILDREN = """
import os, signal, subprocess, time
children = [subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"], start_new_session=True)]
os.kill(children[0].pid, signal.SIGKILL)
os.killpg(children[1].pid, signal.SIGTERM)
print([child.wait() for child in children])
outer = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait $!"], stdout=subprocess.PIPE, text=True)
os.kill(int(outer.stdout.readline()), signal.SIGTERM)
print(outer.wait())
"""
THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(40) as executor:
    print(sum(executor.map(abs, range(-100, 0))))
"""
NETWORK = """
import http.server, threading, urllib.request
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
open("index.html", "w").write("served")
print(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").read())
server.shutdown()
"""
ABSTRACT = """
import os, socket
server = socket.socket(socket.AF_UNIX)
server.bind("\\0of-this-script-%d" % os.getpid())
server.listen()
if os.fork() == 0:
    client = socket.socket(socket.AF_UNIX)
    client.connect(server.getsockname())
    client.send(b"from my child")
    os._exit(0)
print(server.accept()[0].recv(20))
"""
PROGRAM = """
import os, subprocess
with open("tool", "w") as file:
    file.write("#!/bin/sh\\necho a program of my own")
os.chmod("tool", 0o755)
print(subprocess.run(["./tool"], capture_output=True, text=True).stdout, end="")
"""
GIT = """
import subprocess
run = lambda *words: subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout
run("init", "-q", "repository")
print(run("-C", "repository", "status", "--porcelain=v1", "--branch").split("\\n")[0].startswith("## "))
"""
# What each has to print.
PROGRAMS = {
    "a pool of processes": (POOL, "[1, 2]\n"),
    "shared memory": (SHARED_MEMORY, "b'full'\n"),
    "a manager": (MANAGER, "[7]\n"),
    "processes started afresh": (STARTED_AFRESH, "[1]\n[1]\n"),
    "an executor": (EXECUTOR, "6\n"),
    "SQLite": (DATABASE, "(1,)\n"),
    "a shell": (SHELL, "0\nFROM A SHELL\n"),
    "temporary files": (TEMPORARY, "True True\n"),
    "devices": (DEVICES, "b'\\x00\\x00' 3 3\nNo space left on device\n"),
    "its own streams": (OWN_STREAMS, "one\ntwo\nthree\nfive\nTrue\n"),
    "a locale": (LOCALE, "C.UTF-8 UTF-8\n"),
    "a log that rotates": (LOG_FILE, "['script.log', 'script.log.1', 'script.log.2']\n"),
    "a module beside its data": (HELPER, "from the helper\n"),
    "asyncio": (ASYNCIO, "-15\nb''\n"),
    "signals to its children": (CHILDREN, "[-9, -15]\n143\n"),
    "threads": (THREADS, "5050\n"),
    "a server of its own": (NETWORK, "b'served'\n"),
    "abstract sockets of its own": (ABSTRACT, "b'from my child'\n"),
    "a program of its own": (PROGRAM, "a program of my own\n"),
}
SAME_AS_OUTSIDE = {"certificates": CERTIFICATES, "names of hosts": NAMES, "time zones": ZONES}


@pytest.fixture(
    scope="module", params=[STRONG, ORDINARY] if IS_ROOT else [ORDINARY], ids=lambda mode: mode.name
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from opened(request.param)


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_works(place: Place, program: str) -> None:
    code, expected = PROGRAMS[program]

    assert place.output(code, flags="") == expected


@pytest.mark.parametrize("program", SAME_AS_OUTSIDE)
def test_it_finds_what_it_would_find_outside(place: Place, program: str) -> None:
    code = SAME_AS_OUTSIDE[program]
    outside = subprocess.run(
        [PYTHON, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert place.output(code, flags="") == outside


@pytest.mark.parametrize("program", ["git"] if shutil.which("git") else [])
def test_tools_of_the_system_work(place: Place, program: str) -> None:
    assert place.output(GIT, flags="") == "True\n", program


def test_terminals_are_for_who_has_a_user_of_its_own(place: Place) -> None:
    if place.mode.uid is not None:
        assert place.output(TERMINAL, flags="") == "b'typed' True\non a terminal\r\n"
    else:
        assert place.output(NO_TERMINAL, flags="") == "no terminals\n"


def test_what_it_leaves_behind_can_be_used_by_the_next_run(place: Place) -> None:
    place.output(
        "import os; os.makedirs('a/b', exist_ok=True); open('a/b/kept', 'w').write('kept')"
    )

    assert place.output("print(open('a/b/kept').read())") == "kept\n"


def test_two_runs_of_one_script_reach_each_others_files(place: Place) -> None:
    code = """
import os, time
open(f"mine-{os.getpid()}", "w").close()
while len([name for name in os.listdir() if name.startswith("mine-")]) < 2: time.sleep(0.01)
"""
    folders = [place.start(code) for _ in range(2)]

    assert {place.launcher.exit_of(folder)["status"] for folder in folders} == {"succeeded"}
    wait_for(lambda: place.launcher.web.ask("ping")["runs"] == 0)
