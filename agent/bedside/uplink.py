"""The thread that carries what the run says to its hub, and the hub's orders back.

It owns the socket, and nothing else does. Everything it sends is numbered; what is not acknowledged is kept (bounded) and sent again to a
hub that started anew. It wakes by time, twenty times a second, never by item. It knows no tensor and never touches the device.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import zmq

from bedside_protocol.codec import CodecError, decode_message, encode_message
from bedside_protocol.messages import VERSION, Ack, Arm, Armed, Beat, Hello, Message, Order, Refusal, Settled, Welcome
from bedside_protocol.records import Body, Lost, Problem, Record, Tick

from .left_over import leave_frames
from .notice import Problems
from .ranks import Guest
from .runtime import endpoint
from .send_queue import SendQueue
from .spawn import CannotSpawn, HubSpawner
from .unacked import Unacked

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
_PACKING: Final = 4 * WAKE
"""Seconds of packing in one wake at most, so that beats and orders are never behind a flood of rows."""


class Uplink:
    """One rank's way to its hub. `start` it once; `close` says goodbye within `DRAIN_DEADLINE`."""

    def __init__(
        self,
        queue: SendQueue,
        host: HubSpawner | Guest,
        problems: Problems,
        receive: Callable[[Order | Arm | Settled], Armed | None],
        reminders: Callable[[], list[Armed]],
        step: Callable[[], int],
        vitals: Callable[[], None],
        rank: int = 0,
    ) -> None:
        self._queue = queue
        self._host = host
        self._problems = problems
        self._receive = receive
        self._reminders = reminders
        self._step = step
        self._vitals = vitals
        self._unacked = Unacked(rank, problems)
        self._first: Body = Tick(0)
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
        return f"<Uplink {self._unacked.acked} acknowledged, {len(self._unacked)} in flight, {len(self._queue)} queued>"

    def start(self, first: Body) -> None:
        """Begin, with `first` as the run's first word: it never waits in the queue, where a flood of rows could push it out."""
        self._began = time.monotonic()
        self._first = first
        if not isinstance(self._host, Guest):
            self._unacked.keep(Record(0.0, first))
        self._thread.start()

    def silence(self) -> float:
        """Seconds since the hub was last heard."""
        return time.monotonic() - self._heard

    def settle(self, seconds: float) -> None:
        """Wait until all that was said is written, `seconds` at most."""
        deadline = time.monotonic() + seconds
        while (len(self._queue) or len(self._unacked) or not self._met) and not self._done.wait(WAKE) and time.monotonic() < deadline:
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
            if self._invited():
                self._serve()
        except Exception as error:  # a dead uplink must not be silent, and must not disturb
            self._problems(f"monitoring stopped: {type(error).__name__}: {error}")
        finally:
            self._done.set()

    def _invited(self) -> bool:
        """Whether there is a hub to speak to: that of another rank may be a while in coming."""
        if isinstance(self._host, Guest):
            if why := self._host.await_invitation(self._closing, lambda: self._deadline):
                self._problems(why)
                self._given_up = True
                return False
            self._unacked.origin = self._host.plan.monotonic_start
            self._unacked.keep(Record(self._began, self._first))
        return True

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
                    for reminder in self._reminders():
                        self._send(socket, reminder)
                if len(self._unacked) and now - self._progress > RESEND_AFTER:
                    self._progress = now
                    self._unacked.sent = self._unacked.acked
                self._flush(socket)
                if now >= deadline or (deadline < float("inf") and not len(self._unacked) and not len(self._queue)):
                    return
        finally:
            self._leave_the_rest()
            socket.disable_monitor()
            socket.close(linger=0)
            context.destroy(linger=0)

    def _connected(self, context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
        keys = self._host.plan.keys
        socket = context.socket(zmq.DEALER)
        socket.curve_serverkey = keys.server_public.encode()
        socket.curve_publickey = keys.agent_public.encode()
        socket.curve_secretkey = keys.agent_secret.encode()
        socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is queued for a hub that is not there: it is kept here, and numbered
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, 64)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        socket.connect(endpoint(Path(self._host.plan.runtime)))
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
                self._welcomed = message.counter >= self._unacked.acked  # else it must hear from where on there is something to send
                self._acknowledged(message.counter)
                self._unacked.sent = self._unacked.acked
            elif isinstance(message, (Order, Arm, Settled)):
                if (answer := self._receive(message)) is not None:
                    self._send(socket, answer)
            elif isinstance(message, Refusal):
                self._problems(f"the hub refuses this agent: {message.why}")

    def _acknowledged(self, counter: int) -> None:
        if self._unacked.acknowledged(counter):
            self._progress = self._heard

    def _look_at_vitals(self) -> None:
        try:
            self._vitals()
        except Exception as error:  # no descriptor left for a file in /proc, for one: the next second may have it
            self._problems(f"the vitals of this machine cannot be read: {type(error).__name__}: {error}")

    def _pack(self) -> None:
        """Number and encode what waits in the queue, as far as there is room to keep it."""
        self._say_losses()
        until = time.monotonic() + _PACKING
        while len(self._queue) and self._unacked.bytes < MAX_UNACKED and time.monotonic() < until:
            try:
                for record in self._queue.drain():
                    self._unacked.keep(record)
            except Exception as error:  # one value nobody foresaw must cost a pack, not the monitoring
                self._problems(f"some rows could not be packed: {type(error).__name__}: {error}")
            time.sleep(0)  # let the training thread in between two packs

    def _flush(self, socket: zmq.Socket[bytes]) -> None:
        while (batch := self._unacked.next_batch()) is not None:
            count, frame = batch
            if not self._send_frame(socket, frame):
                return
            self._unacked.sent += count

    def _send(self, socket: zmq.Socket[bytes], message: Message) -> bool:
        return self._send_frame(socket, encode_message(message))

    def _send_frame(self, socket: zmq.Socket[bytes], frame: bytes) -> bool:
        try:
            socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _greeting(self, now: float) -> Beat | Hello:
        """A beat to a hub that answers; a hello to one that has not yet, or not for a while."""
        if self._welcomed and now - self._heard < LOST_AFTER:
            return Beat(self._unacked.rank, self._step(), len(self._unacked))
        plan = self._host.plan
        return Hello(plan.run, self._unacked.rank, VERSION, plan.pid, plan.pid_start, self._unacked.acked)

    def _leave_the_rest(self) -> None:
        """What no hub has taken waits beside the recording for one that wakes, or is being started."""
        if self._given_up:
            return  # nobody will ever come for it
        until = time.monotonic() + _LEAVING / 2
        while len(self._queue) and time.monotonic() < until:
            for record in self._queue.drain():
                self._unacked.keep(record)
        if rows := len(self._queue):
            self._say(Lost(rows, "the training ended before they could be packed"))
        self._say_losses(at_once=True)
        if len(self._unacked):
            try:
                leave_frames(Path(self._host.plan.directory), self._unacked.frames, self._unacked.rank)
            except OSError as error:
                self._problems(f"the last {len(self._unacked)} records are lost: {error.strerror}")

    def _say_losses(self, at_once: bool = False) -> None:
        dropped = self._queue.dropped
        if dropped > self._lost_said and (at_once or self._unacked.bytes < MAX_UNACKED):
            self._say(Lost(dropped - self._lost_said, "the hub was away or too slow: the oldest waiting rows were dropped"))
            self._lost_said = dropped

    def _say_problems(self) -> None:
        for text, count in self._problems.news():
            self._say(Problem(text, count))

    def _say(self, body: Body) -> None:
        now = time.monotonic()
        self._unacked.keep(Record(now if self._unacked.origin else now - self._host.plan.monotonic_start, body))

    def _revive(self, now: float) -> None:
        """Start the hub again where the old one is gone. A stopped one still holds its lock, and is waited for."""
        if isinstance(self._host, Guest):
            return
        silent = now - self._heard > LOST_AFTER and now - self._spawned > HUB_STARTS_WITHIN
        if not (self._broken or silent) or self._given_up or not self._host.hub_is_gone(now):
            return
        self._broken, self._spawned = False, now
        if not self._host.may_start(now):
            self._given_up = True
            self._problems("the hub died too often: this run goes on unmonitored")
            return
        if self._closing.is_set():
            self._leave_the_rest()  # first: starting a hub may take longer than the training stays
        try:
            self._host.start(now)
        except CannotSpawn as error:
            self._problems(f"no hub could be started: {error}")
