"""How long to wait before a lost source is opened again."""

from __future__ import annotations


class Backoff:
    """Pauses that double up to a longest one: a source soon back is soon found, one that is gone is not hammered.

    Args:
        first_s, longest_s: the pauses' bounds.
        give_up_after_s: since the loss; after that there is no further attempt.
    """

    def __init__(self, first_s: float, longest_s: float, give_up_after_s: float) -> None:
        self._first_s, self._longest_s, self._give_up_after_s = first_s, longest_s, give_up_after_s
        self._attempts = 0

    def next_pause_s(self, since_loss_s: float) -> float | None:
        """Seconds to wait before the next attempt; None when it is time to give up."""
        left_s = self._give_up_after_s - since_loss_s
        if left_s <= 0:
            return None
        # Beyond some sixty doublings a float would overflow; the longest pause is reached long before.
        pause_s = min(self._first_s * 2.0 ** min(self._attempts, 60), self._longest_s, left_s)
        self._attempts += 1
        return pause_s
