"""What a server loses while it is shot at: wrk with 64 connections, and signals to its processes meanwhile.

`python benchmarks/chaos.py [--seconds 30]` needs wrk (Debian: `apt-get install wrk`). It trains on the sample rows,
serves with four workers and prints, for each trial, the requests answered, those answered with another status than
200, those that broke, and the connections that the killed workers held: no more may break.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.processes import ROOT, Server, serving, train

CONNECTIONS = 64
WORKERS = 4
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/csv"
wrk.body = io.open("{payload}"):read("*a")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30, help="of load in each trial")
    told = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not on the PATH; install it, on Debian: apt-get install wrk")
    print("| while | requests | other statuses | broken | held by killed workers |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        shutil.copytree(ROOT / "test_dir" / "input", base / "input")
        train(base)
        (base / "load.lua").write_text(LUA.format(payload=ROOT / "local_test" / "payload.csv"))
        for trial, shoot in TRIALS.items():
            print(f"| {trial} | {' | '.join(map(str, measured(base, told.seconds, shoot)))} |", flush=True)


def measured(base: Path, seconds: int, shoot: Callable[[Server, threading.Event], int]) -> tuple[int, int, int, int]:
    """Return the requests answered, those with another status than 200, those that broke, and how many may have."""
    with serving(base, base / "log", MODEL_SERVER_WORKERS=str(WORKERS)) as server, ThreadPoolExecutor(1) as pool:
        ended = threading.Event()
        shooting = pool.submit(shoot, server, ended)
        command = ["wrk", f"-c{CONNECTIONS}", "-t2", f"-d{seconds}", "-s", str(base / "load.lua")]
        said = subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}/invocations"], capture_output=True, text=True, check=True
        ).stdout
        ended.set()
        hit = shooting.result()
    requests, others = _number(r"(\d+) requests in", said), _number(r"Non-2xx or 3xx responses: (\d+)", said)
    return requests, others, _broken(said), hit


def nothing(_server: Server, ended: threading.Event) -> int:
    ended.wait()
    return 0


def kill_workers(server: Server, ended: threading.Event) -> int:
    """End a worker each second, as the kernel does where memory is short; return how many connections they held.

    Of its sockets one is the listener.
    """
    held = 0
    while not ended.wait(1):
        victim = Path("/proc") / _children(server)[0]
        held += sum(str(link.readlink()).startswith("socket:") for link in (victim / "fd").iterdir()) - 1
        os.kill(int(victim.name), signal.SIGKILL)
    return held


def reload(server: Server, ended: threading.Event) -> int:
    """Replace all workers, every five seconds."""
    while not ended.wait(5):
        server.process.send_signal(signal.SIGHUP)
    return 0


def _children(server: Server) -> list[str]:
    while True:
        found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        if found:
            return found
        time.sleep(0.01)


def _broken(said: str) -> int:
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return sum(map(int, errors.groups())) if errors else 0


def _number(pattern: str, said: str) -> int:
    found = re.search(pattern, said)
    return int(found[1]) if found else 0


TRIALS: dict[str, Callable[[Server, threading.Event], int]] = {
    "nothing happens": nothing,
    "a worker is killed each second": kill_workers,
    "SIGHUP every five seconds": reload,
}

if __name__ == "__main__":
    main()
