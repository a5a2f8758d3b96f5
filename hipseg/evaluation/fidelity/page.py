"""The fidelity benchmark as a page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.evaluation.fidelity.attention import most_telling, occlusion_map, overlaid
from hipseg.evaluation.fidelity.benchmark import Fidelity, Test
from hipseg.evaluation.fidelity.comparison import TABLES, Row
from hipseg.evaluation.fidelity.pictures import Picture, at_scale, trimmed
from hipseg.evaluation.plots import GREY, Look, new_panels, to_svg
from hipseg.pages import Page, Section

TARGET_AUC = {"patches": 0.80, "whole pictures": 0.90}
_PAIR_MM_PER_PX = 0.15
_PAIRS, _MAPS = 8, 6


def fidelity_page(found: Fidelity, command: str) -> Page:
    """The page: what tells them apart, every figure, pairs, what the classifiers see, speed."""
    page = Page("Simulated against real ultrasound", f"{len(found.real)} real pictures", command)
    _tests(page.section("Can they be told apart?", _TESTS_INTRO), found.tests)
    for table in TABLES:
        _table(page.section(table), [row for row in found.rows if row.table == table])
    _histograms(page.section("Grey levels and brightness by depth"), found)
    _pairs(page.section("Pairs", "A real picture and its simulated partner of the same framing."), found)
    _what_is_seen(page.section("What the network still sees", _SEEN_INTRO), found.tests)
    _speed(page.section("Speed and memory"), found)
    return page


_TESTS_INTRO = (
    "Area under the curve of held-out images: 0.5 when nothing tells simulated from real, 1 when everything does. "
    "Folds keep a person's pictures together. Framing and content of the simulated pictures follow the real ones."
)
_SEEN_INTRO = (
    "The simulated images that were recognised with the most certainty. Red: detail whose removal makes the image more "
    "real to the network; blue: detail that made it look real."
)


def _tests(section: Section, tests: Sequence[Test]) -> None:
    rows = []
    for test in tests:
        figures = test.to_dict()
        target = next(value for key, value in TARGET_AUC.items() if test.name.startswith(key))
        spread = f"{min(figures['auc_of_folds']):.2f}-{max(figures['auc_of_folds']):.2f}"
        counts = f"{figures['num_real']} ({figures['num_real_groups']} groups) / {figures['num_simulated']}"
        verdict = "reached" if figures["auc"] <= target else "not reached"
        rows.append((test.name, test.classifier, f"{figures['auc']:.3f}", spread, counts, f"{target:.2f}", verdict))
    section.table(("images", "classifier", "AUC", "folds", "real / simulated", "aim", ""), rows)
    for test in tests:
        if test.reliance is not None:
            lost = ", ".join(f"{name} {value:.3f}" for name, value in test.reliance.items() if value > 0.001)
            section.text(f"Hand features, {test.name}: AUC lost when shuffled: {lost or 'nothing'}.")


def _table(section: Section, rows: Sequence[Row]) -> None:
    decided = [row for row in rows if row.inside is not None]
    section.text(f"{sum(bool(row.inside) for row in decided)} of {len(decided)} medians within the real p10-p90.")
    columns = ("figure", "real p10", "p50", "p90", "n", "simulated p10", "p50", "p90", "n", "published", "")
    section.table(columns, [_cells(row) for row in rows])


def _cells(row: Row) -> tuple[object, ...]:
    verdict = {True: "inside", False: "outside", None: "too few"}[row.inside]
    published = None if row.published is None else f"{row.published[1]:g} to {row.published[2]:g}"
    real, simulated = _shown(row.real), _shown(row.simulated)
    return (row.name.replace("_", " "), *real, row.num_real, *simulated, row.num_simulated, published, verdict)


def _shown(spread: tuple[float, float, float] | None) -> tuple[object, object, object]:
    if spread is None:
        return None, None, None
    low, middle, high = (f"{value:.3g}" for value in spread)
    return low, middle, high


def _histograms(section: Section, found: Fidelity) -> None:
    figure, (levels, depth) = new_panels(1, 2, width_mm=170, height_mm=70)
    for number, (name, pictures) in enumerate((("real", found.real), ("simulated", found.simulated))):
        look = Look.of(number)
        shares = np.median([_histogram(picture) for picture in pictures], axis=0)
        levels.plot(np.arange(4, 256, 8), shares, color=look.colour, linestyle=look.line, label=name)
        middle, low, high = _by_depth(pictures)
        places = np.arange(len(middle)) + 0.5
        depth.plot(places, middle, color=look.colour, linestyle=look.line, label=name)
        depth.fill_between(places, low, high, color=look.colour if number == 0 else GREY, alpha=0.15, linewidth=0)
    levels.set(xlabel="grey", ylabel="share of pixels, median picture")
    depth.set(xlabel="depth, mm", ylabel="mean grey, median and p10-p90")
    levels.legend()
    section.svg(to_svg(figure))


def _histogram(picture: Picture) -> npt.NDArray[np.float64]:
    counts, _ = np.histogram(trimmed(picture), bins=32, range=(0, 256))
    return np.asarray(counts / counts.sum())


def _by_depth(pictures: Sequence[Picture]) -> tuple[npt.NDArray[np.float64], ...]:
    """Median, p10 and p90 over pictures of the mean grey in each millimetre of depth shown by most of them."""
    depth_mm = int(min(picture.image_HW.shape[0] * picture.spacing_mm for picture in pictures))
    rows = []
    for picture in pictures:
        edges = np.rint(np.arange(depth_mm + 1) / picture.spacing_mm).astype(int)
        grey = picture.image_HW.mean(axis=1)
        rows.append([grey[top:bottom].mean() for top, bottom in itertools.pairwise(edges)])
    return np.median(rows, axis=0), np.percentile(rows, 10, axis=0), np.percentile(rows, 90, axis=0)


def _pairs(section: Section, found: Fidelity) -> None:
    chosen = np.linspace(0, len(found.real) - 1, min(_PAIRS, len(found.real))).astype(int)
    for index in chosen:
        real, simulated = found.real[index], found.simulated[index]
        section.gallery([(_displayed(real), f"real: {real.id}"), (_displayed(simulated), "simulated")])


def _displayed(picture: Picture) -> npt.NDArray[np.uint8]:
    return at_scale(picture.image_HW, picture.spacing_mm, _PAIR_MM_PER_PX)


def _what_is_seen(section: Section, tests: Sequence[Test]) -> None:
    for test in tests:
        if test.classifier != "cnn":
            continue
        pictures = []
        for index in most_telling(test.sample, test.outcome, is_real=False, count=_MAPS):
            image = test.sample.images_NHW[index]
            change = occlusion_map(image, test.outcome.scorer)
            pictures.append((_enlarged(overlaid(image, change)), f"{test.name}, {test.outcome.scores_N[index]:+.1f}"))
        section.gallery(pictures)


def _enlarged(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    factor = max(round(192 / image.shape[0]), 1)
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _speed(section: Section, found: Fidelity) -> None:
    speed, memory = found.speed, found.memory
    section.table(
        ("measure", "value"),
        [
            ("frames a second, 512 x 512, all effects", speed["frames_per_second"]),
            ("processor time per frame, ms", speed["cpu_ms_per_frame"]),
            ("processes", speed["num_workers"]),
            ("frames timed", speed["num_frames"]),
            ("peak memory after a tenth of the frames, MiB", memory["peak_after_a_tenth_mib"]),
            ("peak memory after all of them, MiB", memory["peak_at_the_end_mib"]),
        ],
    )
