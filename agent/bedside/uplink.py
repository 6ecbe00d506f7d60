"""The thread that carries what the run says to its hub, and the hub's orders back.

It owns the socket, and nothing else does. Everything it sends is numbered; what is not acknowledged is kept (bounded) and sent again to a
hub that started anew. It wakes by time, twenty times a second, never by item. It knows no tensor and never touches the device.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import zmq

from bedside_protocol.codec import CodecError, decode_message, encode_message, encode_record
from bedside_protocol.messages import VERSION, Ack, Batch, Beat, Hello, Order, Refusal, Welcome
from bedside_protocol.records import Body, Lost, Problem, Record

from .left_over import leave_frames
from .notice import Problems
from .runtime import endpoint
from .send_queue import SendQueue
from .spawn import CannotSpawn, HubSpawner

WAKE: Final = 0.05
"""Seconds between two looks at the queue: a 1 ms drain cost a training 3–11 %, this 0.4 %."""
BEAT: Final = 0.5
MAX_UNACKED: Final = 4 << 20
"""Bytes kept for sending again; beyond, rows wait in the queue, whose oldest go first."""
RESEND_AFTER: Final = 1.0
LOST_AFTER: Final = 1.0
"""Seconds of silence after which the hub's lock is tried: free means it is gone."""
DRAIN_DEADLINE: Final = 0.45
"""Seconds the end of the training waits for the last records to be written."""
HUB_STARTS_WITHIN: Final = 3.0
"""Seconds a first hub may take to speak; a training that ends sooner waits for it until then, because many crash in their first step."""
_LEAVING: Final = 0.1
"""Seconds beyond that for what no hub took to be left beside the recording."""
_BATCH_BYTES: Final = 256 << 10
_PACKING: Final = 4 * WAKE
"""Seconds of packing in one wake at most, so that beats and orders are never behind a flood of rows."""


class Uplink:
    """One rank's way to its hub. `start` it once; `close` says goodbye within `DRAIN_DEADLINE`."""

    def __init__(
        self,
        queue: SendQueue,
        spawner: HubSpawner,
        problems: Problems,
        receive: Callable[[Order], None],
        step: Callable[[], int],
        vitals: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._spawner = spawner
        self._problems = problems
        self._receive = receive
        self._step = step
        self._vitals = vitals
        self._counter = 0
        self._acked = 0
        self._unacked: deque[tuple[int, bytes]] = deque()
        self._unacked_bytes = 0
        self._sent = 0
        self._lost_said = 0
        self._heard = time.monotonic()
        self._progress = self._heard
        self._began = self._spawned = self._heard
        self._broken = False
        self._welcomed = False
        self._met = False
        self._patience = DRAIN_DEADLINE
        self._deadline = float("inf")
        self._given_up = False
        self._closing = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._main, name="bedside-uplink", daemon=True)

    def __repr__(self) -> str:
        return f"<Uplink {self._acked} acknowledged, {len(self._unacked)} in flight, {len(self._queue)} queued>"

    def start(self, first: Body) -> None:
        """Begin, with `first` as the run's first word: it never waits in the queue, where a flood of rows could push it out."""
        self._keep(Record(0.0, first))
        self._began = time.monotonic()
        self._thread.start()

    def silence(self) -> float:
        """Seconds since the hub was last heard."""
        return time.monotonic() - self._heard

    def settle(self, seconds: float) -> None:
        """Wait until all that was said is written, `seconds` at most."""
        deadline = time.monotonic() + seconds
        while (len(self._queue) or self._unacked or not self._met) and not self._done.wait(WAKE) and time.monotonic() < deadline:
            pass

    def close(self) -> None:
        """Send what is left, wait for it to be written: at most `DRAIN_DEADLINE` seconds, or until `HUB_STARTS_WITHIN` for a first hub."""
        if not self._met:
            self._patience = max(DRAIN_DEADLINE, self._began + HUB_STARTS_WITHIN - time.monotonic())
        self._deadline = time.monotonic() + self._patience
        self._closing.set()
        self._done.wait(self._patience + _LEAVING)

    # --- the thread

    def _main(self) -> None:
        try:
            self._serve()
        except Exception as error:  # a dead uplink must not be silent, and must not disturb
            self._problems(f"monitoring stopped: {type(error).__name__}: {error}")
        finally:
            self._done.set()

    def _serve(self) -> None:
        context = zmq.Context()
        socket = self._connected(context)
        watch = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED, addr=f"inproc://bedside-{id(self)}")
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(watch, zmq.POLLIN)
        next_beat = next_second = 0.0
        deadline = float("inf")
        try:
            while True:
                if self._closing.is_set() and deadline == float("inf"):
                    deadline = self._deadline  # counted from the call: starting a hub may have taken a while
                poller.poll(int((0.005 if deadline < float("inf") else WAKE) * 1000))
                self._notice(watch)
                self._hear(socket)
                now = time.monotonic()
                self._revive(now)
                if now >= next_second and deadline == float("inf"):
                    next_second = now + 1.0
                    self._look_at_vitals()
                    self._say_problems()
                self._pack()
                if now >= next_beat:
                    next_beat = now + (BEAT if self._welcomed else WAKE)
                    self._send(socket, self._greeting(now))
                if self._unacked and now - self._progress > RESEND_AFTER:
                    self._progress = now
                    self._sent = self._acked
                self._flush(socket)
                if now >= deadline or (deadline < float("inf") and not self._unacked and not len(self._queue)):
                    return
        finally:
            self._leave_the_rest()
            socket.disable_monitor()
            socket.close(linger=0)
            context.destroy(linger=0)

    def _connected(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        keys = self._spawner.plan.keys
        socket = context.socket(zmq.DEALER)
        socket.curve_serverkey = keys.server_public.encode()
        socket.curve_publickey = keys.agent_public.encode()
        socket.curve_secretkey = keys.agent_secret.encode()
        socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is queued for a hub that is not there: it is kept here, and numbered
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, 64)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        socket.connect(endpoint(Path(self._spawner.plan.runtime)))
        return socket

    def _notice(self, watch: zmq.Socket[bytes]) -> None:
        """A connection that broke is told at once; silence takes a second longer."""
        while True:
            try:
                watch.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._welcomed = False
            self._broken = True

    def _hear(self, socket: zmq.Socket[bytes]) -> None:
        while True:
            try:
                message = decode_message(socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                return
            except CodecError as error:
                self._problems(f"the hub said something this agent does not understand: {error}")
                continue
            self._heard = time.monotonic()
            if isinstance(message, Ack):
                self._acknowledged(message.counter)
            elif isinstance(message, Welcome):
                self._met = True
                self._welcomed = message.counter >= self._acked  # else it must hear from where on there is something to send
                self._acknowledged(message.counter)
                self._sent = self._acked
            elif isinstance(message, Order):
                self._receive(message)
            elif isinstance(message, Refusal):
                self._problems(f"the hub refuses this agent: {message.why}")

    def _acknowledged(self, counter: int) -> None:
        if counter <= self._acked:
            return
        self._acked = min(counter, self._counter)
        self._sent = max(self._sent, self._acked)
        self._progress = self._heard
        while self._unacked and self._unacked[0][0] <= self._acked:
            self._unacked_bytes -= len(self._unacked.popleft()[1])

    def _look_at_vitals(self) -> None:
        try:
            self._vitals()
        except Exception as error:  # no descriptor left for a file in /proc, for one: the next second may have it
            self._problems(f"the vitals of this machine cannot be read: {type(error).__name__}: {error}")

    def _pack(self) -> None:
        """Number and encode what waits in the queue, as far as there is room to keep it."""
        self._say_losses()
        until = time.monotonic() + _PACKING
        while len(self._queue) and self._unacked_bytes < MAX_UNACKED and time.monotonic() < until:
            try:
                for record in self._queue.drain():
                    self._keep(record)
            except Exception as error:  # one value nobody foresaw must cost a pack, not the monitoring
                self._problems(f"some rows could not be packed: {type(error).__name__}: {error}")
            time.sleep(0)  # let the training thread in between two packs

    def _keep(self, record: Record) -> None:
        try:
            frame = encode_record(replace(record, counter=self._counter + 1))
        except CodecError as error:
            self._problems(f"a {type(record.body).__name__.lower()} could not be recorded: {error}")
            return
        self._counter += 1
        self._unacked.append((self._counter, frame))
        self._unacked_bytes += len(frame)

    def _flush(self, socket: zmq.Socket[bytes]) -> None:
        while self._sent < self._counter:
            first = self._unacked[0][0]
            frames: list[bytes] = []
            size = 0
            place = self._sent + 1 - first
            while place < len(self._unacked) and size < _BATCH_BYTES:
                frames.append(self._unacked[place][1])
                size += len(frames[-1])
                place += 1
            if not self._send(socket, encode_message(Batch(0, tuple(frames)))):
                return
            self._sent += len(frames)

    def _send(self, socket: zmq.Socket[bytes], frame: bytes) -> bool:
        try:
            socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _greeting(self, now: float) -> bytes:
        """A beat to a hub that answers; a hello to one that has not yet, or not for a while."""
        if self._welcomed and now - self._heard < LOST_AFTER:
            return encode_message(Beat(0, self._step(), len(self._unacked)))
        plan = self._spawner.plan
        return encode_message(Hello(plan.run, 0, VERSION, plan.pid, plan.pid_start, self._acked))

    def _leave_the_rest(self) -> None:
        """What no hub has taken waits beside the recording for one that wakes, or is being started."""
        if self._given_up:
            return  # nobody will ever come for it
        until = time.monotonic() + _LEAVING / 2
        while len(self._queue) and time.monotonic() < until:
            for record in self._queue.drain():
                self._keep(record)
        if rows := len(self._queue):
            self._say(Lost(rows, "the training ended before they could be packed"))
        self._say_losses(at_once=True)
        if self._unacked:
            try:
                leave_frames(Path(self._spawner.plan.directory), [frame for _, frame in self._unacked])
            except OSError as error:
                self._problems(f"the last {len(self._unacked)} records are lost: {error.strerror}")

    def _say_losses(self, at_once: bool = False) -> None:
        dropped = self._queue.dropped
        if dropped > self._lost_said and (at_once or self._unacked_bytes < MAX_UNACKED):
            self._say(Lost(dropped - self._lost_said, "the hub was away or too slow: the oldest waiting rows were dropped"))
            self._lost_said = dropped

    def _say_problems(self) -> None:
        for text, count in self._problems.news():
            self._say(Problem(text, count))

    def _say(self, body: Body) -> None:
        self._keep(Record(time.monotonic() - self._spawner.plan.monotonic_start, body))

    def _revive(self, now: float) -> None:
        """Start the hub again where the old one is gone. A stopped one still holds its lock, and is waited for."""
        silent = now - self._heard > LOST_AFTER and now - self._spawned > HUB_STARTS_WITHIN
        if not (self._broken or silent) or self._given_up or not self._spawner.hub_is_gone():
            return
        self._broken, self._spawned = False, now
        if not self._spawner.may_start(now):
            self._given_up = True
            self._problems("the hub died too often: this run goes on unmonitored")
            return
        if self._closing.is_set():
            self._leave_the_rest()  # first: starting a hub may take longer than the training stays
        try:
            self._spawner.start(now)
        except CannotSpawn as error:
            self._problems(f"no hub could be started: {error}")
