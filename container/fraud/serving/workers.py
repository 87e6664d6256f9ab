"""gunicorn's threaded worker, held up by no client that sends, reads or leaves slowly."""

import ctypes
import select
import selectors
import signal
import socket
import struct
from contextlib import suppress
from functools import partial
from math import inf
from threading import Semaphore
from time import monotonic
from typing import Any

from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

# Threads that no client which dawdles gets, so that /ping finds one (S15).
SPARE_THREADS = 8
# How long a thread stays with a connection after an answer, and how many do at once.
STAY_MILLISECONDS = 50
STAYING_THREADS = 16
# How long a client that was answered early may go on sending, and how much of it is read at once.
DRAIN_SECONDS = 5
PIECE_BYTES = 1024 * 1024
# Linux's numbers, which Python does not name: an option of a socket, and the filter that returns.
SO_ATTACH_FILTER, BPF_RETURN = 26, 6


class PatientConnection(TConn):  # type: ignore[misc] # gunicorn has no types
    """A connection that closes at once: the main loop closes it, and every other client would wait with it."""

    def close(self, graceful: bool = False) -> None:  # noqa: ARG002 - as gunicorn calls it
        util.close(self.sock)


class PatientWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """A worker that gives a thread to a connection once bytes are there, and takes it back if the rest never comes.

    A request has `timeout` seconds to arrive, and its answer as many to be taken. The application calls what it
    finds in its environment under "fraud.body_is_read" once it has the body; until it answers it has as long as it
    needs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Until when each connection may hold its thread, and which of its sides is shut then.
        self._deadlines: dict[Any, tuple[float, int]] = {}
        self._stays = Semaphore(STAYING_THREADS)
        self.wsgi: Any = None

    def init_signals(self) -> None:
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)  # those that came since the fork

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application: Any = self.wsgi

        def watched(environ: dict[str, Any], start_response: Any) -> Any:
            client = environ["gunicorn.socket"]
            environ["fraud.body_is_read"] = partial(self._allow, client, inf)
            answer = application(environ, start_response)
            self._allow(client, self.cfg.timeout, socket.SHUT_RDWR)
            return answer

        self.wsgi = watched

    def accept(self, listener: Any) -> bool:
        """Wait for a connection's first bytes in the poller, where the original waits in a thread."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        connection = PatientConnection(self.cfg, client, address, listener.getsockname())
        self.nr_conns += 1
        connection.timeout = monotonic() + self.cfg.keepalive
        self.pending_conns.append(connection)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection))
        return True

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept or not; before the worker ends, take in who is connected and waits to be accepted."""
        super().set_accept_enabled(enabled)
        if not (enabled or self.alive):
            for listener in self.sockets:
                while self.accept(listener):
                    pass
                listener.close()

    def enqueue_req(self, conn: TConn) -> None:
        """Give a connection a thread; where few are left, only if its headers are all there."""
        has_more = conn.parser and conn.parser.unreader.buf.getvalue()
        if self._is_crowded() and not has_more and not _has_headers(conn.sock):
            self.nr_conns -= 1
            conn.close()
            return
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """Serve a connection, and stay with it for a moment: who asks again at once waits for no other thread."""
        is_kept = self._handle_one(conn)
        while is_kept is True and self._is_asked_again(conn):
            is_kept = self._handle_one(conn)
        return is_kept

    def _is_asked_again(self, conn: TConn) -> bool:
        if not self.alive or conn.parser.unreader.buf.getvalue() or not self._stays.acquire(blocking=False):
            return False
        try:
            waiting = select.poll()
            waiting.register(conn.sock, select.POLLIN)
            return bool(waiting.poll(STAY_MILLISECONDS)) and self.alive
        finally:
            self._stays.release()

    def _handle_one(self, conn: TConn) -> Any:
        self._allow(conn.sock, self.cfg.timeout)
        try:
            is_kept = super().handle(conn)
            if not is_kept:
                util.close_graceful(conn.sock, 0 if self._is_crowded() else 2)
            return is_kept
        finally:
            self._deadlines.pop(conn.sock, None)

    def notify(self) -> None:
        """Tell the master that this worker lives, as it does each second, and hang up on who is too slow."""
        super().notify()
        now = monotonic()
        for client, (deadline, side) in list(self._deadlines.items()):
            if now > deadline:
                with suppress(OSError):  # it may have gone by itself
                    client.shutdown(side)  # its thread reads the end of the stream, or can write no more

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Read what the application left of a body: who is still sending sees no answer before the end."""
        if self._is_crowded():
            return bool(keepalive and conn.parser.finish_body(deadline=monotonic() + 0.01))
        self._allow(conn.sock, DRAIN_SECONDS)
        with suppress(OSError, ParseException):
            while conn.parser.mesg.body.read(PIECE_BYTES):
                pass
        return bool(super()._keepalive_after(conn, keepalive))

    def _cap_keepalive(self, deadline: float) -> None:
        """Close idle connections by a time, those too that never sent a byte."""
        super()._cap_keepalive(deadline)
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, deadline)

    def _allow(self, client: Any, seconds: float, side: int = socket.SHUT_RD) -> None:
        self._deadlines[client] = (monotonic() + seconds, side)

    def _is_crowded(self) -> bool:
        return bool(len(self._deadlines) > self.cfg.threads - STAYING_THREADS - SPARE_THREADS)


def admit_no_more(listener: Any) -> None:
    """Let the system accept no more clients on a listener; those that it has accepted wait to be taken in.

    The system resets who connects between the last look for clients and the close. A filter that keeps nothing drops
    who is late instead, and it finds the door closed when it knocks again.
    """
    keep_nothing = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
    with suppress(OSError):  # without a filter the moment is only short
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(keep_nothing)))


def _has_headers(client: socket.socket) -> bool:
    try:
        return b"\r\n\r\n" in client.recv(65536, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return False
