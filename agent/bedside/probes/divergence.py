"""How far two predictions of one thing are apart: teacher-forced and free-running, student and teacher, policy and reference.

Everything is computed in float64 from log-softmaxes, on scheduled steps only, over as many rows as a screen's number needs. The probe
judges nothing: whether a divergence is wanted is a rule's business.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.probes.intake import Refused, is_no_real_step, numbers
from bedside.probes.probe import Probe, schedule_of
from bedside.schedule import Schedule
from bedside_protocol.records import Snapshot

_MOST_ELEMENTS = 1 << 18
_FEWEST_ROWS = 32
"""Logits of one observation that are read: 12 ms of one core; of a large vocabulary 32 rows all the same. Rows beyond are thinned."""
_MOST_OBSERVATIONS = 64
"""Of one scheduled step; a step that makes more of them keeps the latest."""


class Divergence(Probe):
    """The divergence of the classes predicted by q from those predicted by p.

    A snapshot has the scalars `kl` (Σ p ln(p / q), Kullback and Leibler 1951, in nats, mean over rows: 0 where both agree), `entropy_p`
    and `entropy_q` (−Σ p ln p in nats, 0 … ln classes, mean over rows), `agreement` (share of rows with the same most likely class),
    `rows` (rows these are taken over), `infinite` (rows in which q excludes with a logit of −inf what p allows: their divergence is
    infinite, and `kl` is the mean of the others unless all are) and `nonfinite` (rows left out because they hold NaN or +inf, or allow
    no class).
    """

    kind = "divergence"
    lead = 1

    def __init__(self, name: str, *, every: int | Schedule = 50) -> None:
        super().__init__(name, schedule_of(every))
        self._observed: deque[NDArray[np.float64]] = deque(maxlen=_MOST_OBSERVATIONS)
        self._nonfinite = 0

    def observe(self, p_logits: Any, q_logits: Any) -> None:
        """Take logits of equal shape with the classes on the last axis: (classes), (n, classes), (n, frames, classes) …

        Logits of −inf are classes that cannot be chosen. Never raises. Returns at once on steps that are not scheduled; on those that are,
        the device is waited for.
        """
        if self.idle:
            return
        with self.taking("logits"):
            if is_no_real_step(p_logits) or is_no_real_step(q_logits):
                return
            if np.shape(p_logits) != np.shape(q_logits):
                raise Refused("p_logits and q_logits must have the same shape")
            p, q = _rows(p_logits), _rows(q_logits)
            valid = _is_distribution(p) & _is_distribution(q)
            self._nonfinite += int(valid.size - valid.sum())
            self._observed.append(compared(p[valid], q[valid]))

    def measure(self, step: int) -> Snapshot | None:
        if not self._observed:
            return None
        kl, entropy_p, entropy_q, agree = np.concatenate(self._observed, axis=1)
        nonfinite, self._nonfinite = self._nonfinite, 0
        self._observed.clear()
        finite = np.isfinite(kl)
        scalars = {
            "kl": _mean(kl[finite]) if finite.any() else _mean(kl),
            "entropy_p": _mean(entropy_p),
            "entropy_q": _mean(entropy_q),
            "agreement": _mean(agree),
            "rows": float(kl.size),
            "infinite": float(kl.size - finite.sum()),
            "nonfinite": float(nonfinite),
        }
        return Snapshot(self.name, self.kind, step, scalars)


def compared(p_logits: NDArray[np.float64], q_logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, n) for two (n, classes): of each row KL(p‖q), the entropy of p and of q in nats, and 1 where the largest logits agree.

    A class of probability 0 under p adds nothing, as lim x ln x = 0 demands.
    """
    log_p, log_q = _log_softmax(p_logits), _log_softmax(q_logits)
    p, q = np.exp(log_p), np.exp(log_q)
    apart = np.where(p > 0, log_p, 0.0) - np.where(p > 0, log_q, 0.0)
    kl = np.maximum(np.sum(p * apart, axis=1), 0.0)  # rounding may leave −1e-17
    entropy_p, entropy_q = (-np.sum(share * np.where(share > 0, log, 0.0), axis=1) for share, log in ((p, log_p), (q, log_q)))
    agree = np.argmax(p_logits, axis=1) == np.argmax(q_logits, axis=1)
    return np.stack([kl, entropy_p, entropy_q, agree.astype(np.float64)])


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted: NDArray[np.float64] = logits - logits.max(axis=1, keepdims=True)
    normaliser: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted - normaliser


def _is_distribution(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The rows whose softmax exists: a largest logit that is finite. NaN is the largest of whatever holds it."""
    finite: NDArray[np.bool_] = np.isfinite(rows.max(axis=1))
    return finite


def _rows(logits: Any) -> NDArray[np.float64]:
    """(n, classes) in float64, thinned evenly. Waits for the device."""
    values = logits if hasattr(logits, "reshape") else np.asarray(logits)
    if values.ndim == 0 or 0 in values.shape:
        raise Refused("logits must have classes on the last axis, and at least one row")
    rows = values.reshape(-1, values.shape[-1])
    most = max(_FEWEST_ROWS, _MOST_ELEMENTS // rows.shape[1])
    return numbers(rows[:: -(-rows.shape[0] // most)])


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
