import selectors
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from math import inf
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from fraud.serving.logs import GunicornLogger
from fraud.serving.workers import SPARE_THREADS, STAYING_THREADS, PatientWorker, admit_no_more


class Queue:
    """A pool of threads that only remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[TConn] = []

    def submit(self, _handle: object, connection: TConn) -> Any:
        self.given.append(connection)
        return self

    def add_done_callback(self, _callback: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.fixture
def worker(listener: socket.socket) -> Iterator[PatientWorker]:
    config = Config()
    config.set("threads", SPARE_THREADS + STAYING_THREADS + 1)
    config.set("timeout", 1)
    config.set("keepalive", 75)
    made = PatientWorker(1, 1, [listener], None, 1, config, GunicornLogger(config))
    made.tpool, made.poller = Queue(), selectors.DefaultSelector()
    yield made
    made.poller.close()
    made.tmp.close()
    for connection in made.pending_conns:
        connection.close()


def connect(listener: socket.socket, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(listener.getsockname())
    client.sendall(sent)
    return client


def reset(client: socket.socket) -> None:
    """Go away as a program that crashed does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def accepted(worker: PatientWorker, listener: socket.socket) -> TConn:
    """Return the next connection, once it has come."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(listener, selectors.EVENT_READ)
        assert waiting.select(30)
    assert worker.accept(listener)
    return worker.pending_conns[-1]


def until_readable(connection: TConn) -> None:
    assert connection.wait_for_data(30)


def test_a_connection_that_says_nothing_takes_no_thread(worker: PatientWorker, listener: socket.socket) -> None:
    """Who connects waits in the poller, and gets a thread with its first byte."""
    with connect(listener) as client:
        connection = accepted(worker, listener)
        without = list(worker.tpool.given)
        client.sendall(b"GET")
        until_readable(connection)
        worker.wait_for_and_dispatch_events(0)

        assert without == []
        assert worker.tpool.given == [connection]
        connection.close()


def test_who_is_gone_already_is_let_go(worker: PatientWorker, listener: socket.socket) -> None:
    """Hanging up on a client that has reset its connection harms nobody: the worker lives."""
    client = connect(listener)
    connection = accepted(worker, listener)
    reset(client)
    until_readable(connection)
    connection.sock.settimeout(None)
    with pytest.raises(ConnectionResetError):
        connection.sock.recv(1)
    worker._deadlines[connection.sock] = (time.monotonic() - 1, socket.SHUT_RD)

    worker.notify()
    connection.sock.close()
    worker.notify()


@pytest.mark.parametrize(
    ("seconds", "is_hung_up"), [pytest.param(-1, True, id="too late"), pytest.param(inf, False, id="in time")]
)
def test_who_is_late_is_hung_up_on(
    worker: PatientWorker, listener: socket.socket, seconds: float, is_hung_up: bool
) -> None:
    """Past its deadline a connection reads as ended, whatever its client does; before it nothing happens."""
    with connect(listener):
        connection = accepted(worker, listener)
        worker._deadlines[connection.sock] = (time.monotonic() + seconds, socket.SHUT_RD)

        worker.notify()

        connection.sock.settimeout(0)
        if is_hung_up:
            assert connection.sock.recv(1) == b""
        else:
            with pytest.raises(BlockingIOError):
                connection.sock.recv(1)


def crowd(worker: PatientWorker) -> None:
    """Let all threads but the spare ones be taken by clients that dawdle."""
    for number in range(2):
        worker._deadlines[number] = (inf, socket.SHUT_RD)


@pytest.mark.parametrize(
    ("sent", "is_given"),
    [
        pytest.param(b"GET /ping HTTP/1.1\r\nHost: x\r\n", False, id="half the headers"),
        pytest.param(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n", True, id="all of them"),
    ],
)
def test_the_last_threads_are_for_whole_requests(
    worker: PatientWorker, listener: socket.socket, sent: bytes, is_given: bool
) -> None:
    """Where few threads are left, who has not sent whole headers is hung up on, and /ping gets one (S15)."""
    crowd(worker)
    with connect(listener, sent):
        connection = accepted(worker, listener)
        until_readable(connection)

        worker.wait_for_and_dispatch_events(0)

        assert worker.tpool.given == ([connection] if is_given else [])
        assert (connection.sock.fileno() < 0) != is_given
        assert worker.nr_conns == int(is_given)
        connection.close()


def test_who_is_connected_is_taken_in_at_the_end(worker: PatientWorker, listener: socket.socket) -> None:
    """Stopping, a worker takes in all that the system has accepted for it, and only then closes the door (S5)."""
    address = listener.getsockname()
    clients = [connect(listener) for _ in range(20)]
    worker.set_accept_enabled(True)
    worker.alive = False

    worker.set_accept_enabled(False)

    assert len(worker.pending_conns) == worker.nr_conns == 20
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    for client in clients:
        client.close()


def test_a_pause_closes_no_door(worker: PatientWorker, listener: socket.socket) -> None:
    """A worker that is full stops accepting for a while, and accepts again."""
    worker.set_accept_enabled(True)
    worker.set_accept_enabled(False)
    with connect(listener):
        worker.set_accept_enabled(True)
        worker.wait_for_and_dispatch_events(30)

        assert worker.nr_conns == 1


def test_an_end_waits_for_no_silent_client(worker: PatientWorker, listener: socket.socket) -> None:
    """Stopping, a worker closes connections that never sent a byte as soon as idle ones, and not after 75 s (S5)."""
    with connect(listener):
        accepted(worker, listener)

        worker._cap_keepalive(time.monotonic() - 1)
        worker.murder_pending()

        assert worker.nr_conns == 0
        assert not worker.pending_conns


def test_a_close_waits_for_nobody(worker: PatientWorker, listener: socket.socket) -> None:
    """The main loop closes a connection at once, though its client keeps its side open."""
    with connect(listener) as client, closing(accepted(worker, listener)) as connection:
        started = time.monotonic()

        connection.close(graceful=True)

        assert time.monotonic() - started < 1
        assert client.recv(1) == b""


def test_a_door_is_closed_in_two_steps(listener: socket.socket) -> None:
    """First nobody else is let in, while those who are in can be taken; then there is no door, and no reset (S5)."""
    address = listener.getsockname()
    before = connect(listener, b"x")
    admit_no_more(listener)
    with pytest.raises(TimeoutError):
        socket.create_connection(address, timeout=0.1)
    client, _ = listener.accept()
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()

    assert client.recv(1) == b"x"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    before.close()
    client.close()
