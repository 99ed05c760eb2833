"""Drawing a rejected reply for every exchange, by swaps that keep the use of replies balanced."""

from collections.abc import Callable, Hashable

import numpy as np

from ..logs import progress

_ROUNDS = 30


def draw_rejected(
    exchanges: np.ndarray,
    groups: list[Hashable],
    allowed: Callable[[int, int], bool],
    generator: np.random.Generator,
) -> np.ndarray:
    """For each of `exchanges` the index of the reply that is its rejected one, -1 where none was found.

    Within a group (equal length, terminator, age band ...) the replies are permuted; an exchange whose
    reply from the permutation is not allowed swaps with random others of its group until both are served.
    Every reply is thus a rejected one at most once, as it is a chosen one once: a classifier that sees the
    reply alone learns nothing.

    Args:
        exchanges: indices into groups of those that draw from one another.
        groups: what must be equal.
        allowed: whether for the exchange of the first index the true reply of the second may be rejected.

    Returns:
        int64, in the order of `exchanges`. Those with an index are closed under it: their chosen and rejected
        replies are the same multiset.
    """
    members: dict[Hashable, list[int]] = {}
    for index in exchanges.tolist():
        members.setdefault(groups[index], []).append(index)
    drawn: dict[int, int] = {}
    for indices in progress(members.values(), description="drawing rejected replies", unit="group"):
        taken = generator.permutation(indices)
        at = dict(zip(indices, taken.tolist(), strict=True))
        bad = [index for index in indices if not allowed(index, at[index])]
        for _ in range(_ROUNDS):
            if not bad:
                break
            partners = generator.choice(indices, size=len(bad)).tolist()
            for index, other in zip(bad, partners, strict=True):
                if allowed(index, at[other]) and (allowed(other, at[index]) or not allowed(other, at[other])):
                    at[index], at[other] = at[other], at[index]
            # No swap takes from one that is served.
            bad = [index for index in bad if not allowed(index, at[index])]
        _take_out(at, bad, lambda index, at=at: allowed(index, at[index]))
        drawn.update(at)
    return np.array([drawn.get(index, -1) for index in exchanges.tolist()], dtype=np.int64)


def _take_out(at: dict[int, int], unserved: list[int], served: Callable[[int], bool]) -> None:
    """Take unserved exchanges out of a permutation, so that what remains is one.

    The exchange that had the reply of the one taken out inherits its rejected reply; if it may not have
    that, it goes too.
    """
    before = {chosen: index for index, chosen in at.items()}
    while unserved:
        index = unserved.pop()
        chosen, heir = at.pop(index), before.pop(index)
        if heir == index:
            continue
        at[heir], before[chosen] = chosen, heir
        if not served(heir) and heir not in unserved:
            unserved.append(heir)
