"""Splits and folds of whole groups that resemble each other: in size, in the classes they show, in views."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


def join_groups(keys: Sequence[Sequence[Hashable]], pairs: Sequence[tuple[int, int]] = ()) -> list[int]:
    """Groups of cases that must not be parted: those that share a key, or stand in a pair, directly or by others.

    Args:
        keys: of each case, for instance ("patient", "A") and ("clip", "7").
        pairs: positions of cases that belong together.

    Returns:
        The group of each case, named by its first member.
    """
    parent = list(range(len(keys)))

    def root(case: int) -> int:
        while parent[case] != case:
            parent[case] = parent[parent[case]]
            case = parent[case]
        return case

    def join(one: int, other: int) -> None:
        low, high = sorted((root(one), root(other)))
        parent[high] = low

    first_with: dict[Hashable, int] = {}
    for case, names in enumerate(keys):
        for name in names:
            join(first_with.setdefault(name, case), case)
    for one, other in pairs:
        join(one, other)
    return [root(case) for case in range(len(keys))]


def stratify(
    groups: Sequence[int], traits: Sequence[Sequence[str]], shares: Mapping[str, float], *, seed: int
) -> list[str]:
    """Gives each group a part so that every part holds its share of all cases and of all cases with each trait.

    Groups are placed one by one, the ones with the rarest traits first, where they are missed most; then single
    groups move as long as that makes the parts more alike (after Sechidis et al. 2011, "On the stratification of
    multi-label data").

    Args:
        groups: of each case.
        traits: of each case: classes shown, view, device.
        shares: of all cases, by part; they sum to 1.
        seed: of the order among equals.

    Returns:
        The part of each case.
    """
    names = sorted(set(groups))
    columns = {trait: column for column, trait in enumerate(sorted({t for case in traits for t in case}), start=1)}
    counts_GF = np.zeros((len(names), len(columns) + 1))
    row_of = {name: row for row, name in enumerate(names)}
    for group, case in zip(groups, traits, strict=True):
        counts_GF[row_of[group], [0, *(columns[trait] for trait in case)]] += 1
    share_P = np.array(list(shares.values()))
    part_G = _improved(counts_GF, _placed(counts_GF, share_P, seed), share_P)
    parts = list(shares)
    return [parts[part_G[row_of[group]]] for group in groups]


def _placed(counts_GF: Counts, share_P: Counts, seed: int) -> npt.NDArray[np.intp]:
    weight_F = 1 / counts_GF.sum(axis=0)
    rarity_G = (counts_GF * weight_F).max(axis=1)
    order = np.lexsort((np.random.default_rng(seed).permutation(len(counts_GF)), -rarity_G))
    held_PF = np.zeros((len(share_P), counts_GF.shape[1]))
    part_G = np.zeros(len(counts_GF), np.intp)
    for group in order:
        missing_PF = share_P[:, None] - held_PF * weight_F
        part_G[group] = int((missing_PF @ (counts_GF[group] * weight_F)).argmax())
        held_PF[part_G[group]] += counts_GF[group]
    return part_G


def _improved(counts_GF: Counts, part_G: npt.NDArray[np.intp], share_P: Counts) -> npt.NDArray[np.intp]:
    """Moves single groups while that brings the parts nearer to their shares; ends after ten rounds at the latest."""
    shares_GF = counts_GF / counts_GF.sum(axis=0)
    held_PF = np.stack([shares_GF[part_G == part].sum(axis=0) for part in range(len(share_P))])
    for _ in range(10):
        moved = False
        for group, share_F in enumerate(shares_GF):
            lack_PF = held_PF - share_P[:, None]
            lack_PF[part_G[group]] -= share_F
            # Squared distance with the group in a part, less what is the same for all parts.
            best = int((2 * lack_PF @ share_F).argmin())
            if best != part_G[group] and 2 * (lack_PF[part_G[group]] - lack_PF[best]) @ share_F > 1e-9:
                held_PF[part_G[group]] -= share_F
                held_PF[best] += share_F
                part_G[group], moved = best, True
        if not moved:
            break
    return part_G
