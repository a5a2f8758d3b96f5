"""The page of `hipseg benchmark training`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hipseg.evaluation.plots import new_figure, to_svg
from hipseg.evaluation.report.environment import add_environment
from hipseg.evaluation.training.run import BARE, HIPSEG
from hipseg.pages import Page

_MILLION = 1e6


def training_page(record: Mapping[str, Any]) -> Page:
    """What each made of the same minutes, ready to be written."""
    setting, found = record["setting"], record["contestants"]
    page = Page("Training, against others", subtitle=f"on {record['data']['name']}", command=record["command"])
    section = page.section(
        f"{setting['minutes']:g} minutes each",
        f"The same cases on a grid of {setting['grid_size']} cells, {setting['batch_size']} images a step, the same "
        "validation cases and measure; validations do not count to the minutes, by which every learning rate goes. All "
        "but nnU-Net itself compute in the precision that hipseg chooses on this machine. Memory is the most that "
        "the training process held, its data included. Latency: the exported model, from an image in memory to its "
        "segmentation.",
    )
    if any(each["curve"] for each in found.values()):
        section.svg(_curves(found, setting["target_dice"]), "Mean Dice over structures of the validation cases.")
    columns = ["", "params, M", "images/s", "peak, MiB", f"s to Dice {setting['target_dice']:g}", "Dice", "latency, ms"]
    section.table(columns, [_row(name, each) for name, each in found.items()])
    for name, each in found.items():
        if each["note"]:
            section.text(f"{name}: {each['note']}.")
    if record["pace"]:
        _add_pace(page, record["pace"], setting)
    _add_structures(page, found)
    if record["absent"]:
        page.section("Not measured").table(["who", "why"], record["absent"].items())
    add_environment(page, {"benchmark": dict(record)})
    return page


def _row(name: str, each: Mapping[str, Any]) -> list[object]:
    latency = each.get("latency_ms")
    return [
        name,
        f"{each['num_parameters'] / _MILLION:.2f}",
        _number(each["images_per_s"], 1),
        each["peak_mib"],
        _number(each["seconds_to_target"], 0),
        _number(each["final_dice"], 3),
        None if latency is None else f"{latency['p50']:.1f}",
    ]


def _add_pace(page: Page, pace: Mapping[str, Any], setting: Mapping[str, Any]) -> None:
    section = page.section(
        "Against a bare loop",
        "The same network, loss, optimizer and precision on batches that lie in memory: no loader, no augmentation, no "
        f"checkpoints, no log. {setting['pace_rounds']} rounds in turns, {setting['pace_steps']} steps each.",
    )
    rates = pace["images_per_s"]
    section.table(["", "images/s"], [[name, f"{rates[name]:.1f}"] for name in (BARE, HIPSEG)])
    section.text(f"hipseg's trainer reaches {100 * pace['share_of_bare_loop']:.0f} % of the bare loop.")


def _add_structures(page: Page, found: Mapping[str, Any]) -> None:
    names = sorted({structure for each in found.values() for structure in each["dice"]})
    if names:
        rows = [[name, *(_number(each["dice"].get(name), 3) for each in found.values())] for name in names]
        page.section("By structure, at the end").table(["", *found], rows)


def _curves(found: Mapping[str, Any], target_dice: float) -> str:
    figure, axes = new_figure(height_mm=80)
    for name, each in found.items():
        seconds, dices = zip(*each["curve"], strict=True) if each["curve"] else ((), ())
        axes.plot([second / 60 for second in seconds], dices, marker="o", label=name)
    axes.axhline(target_dice, color="#6b6b6b", linewidth=0.8, linestyle=":")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("Dice")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1)
    axes.legend()
    return to_svg(figure)


def _number(value: float | None, decimals: int) -> str | None:
    return None if value is None or value != value else f"{value:.{decimals}f}"
