"""Whether the U-Net is no slower than MONAI's DynUNet of as many parameters, and learns as much in the same time.

Baselines, measured in the same run on the same input: DynUNet, its filters chosen so that it has as many parameters;
MONAI's UNet beside it. Then the whole of `sk.segment` on a series of (10, 24, 320, 320), goal 5 s on two cores. With
--examples the two networks are trained for the same CPU seconds on the same batches and judged on the same cases, as
often as --trainings says, each time with other weights and batches.

Run: python benchmarks/networks.py [--threads 2] [--bf16] [--examples OUT/examples --seconds 200 --trainings 3]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.networks.nets import DynUNet
from monai.networks.nets import UNet as MonaiUNet
from torch import nn

from spinekit.case import DynamicSeries
from spinekit.geometry import Geometry
from spinekit.models.examples import CHANNELS, open_example
from spinekit.models.fusing import fused
from spinekit.models.memory import memory_kept
from spinekit.models.segmentation_task import SegmentationTask, Teaching
from spinekit.models.segmenting import segment
from spinekit.models.training import Plan, learning_rate_at
from spinekit.models.unet import UNet, UNetConfig

INPUT = (1, 12, 32, 160, 160)
REPEATS = 5
JUDGED = 10  # the last by name


def n_parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def dynunet(channels: int, wanted: int) -> nn.Module:
    """Return the DynUNet of four levels, thick slices above, whose parameters are nearest to those wanted."""

    def build(first: int) -> nn.Module:
        return DynUNet(
            3, channels, 1,
            kernel_size=[(1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)],
            strides=[(1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2)],
            upsample_kernel_size=[(1, 2, 2), (2, 2, 2), (2, 2, 2)],
            filters=[first, 2 * first, 4 * first, 8 * first],
        )  # fmt: skip

    return min((build(first) for first in range(4, 40)), key=lambda net: abs(n_parameters(net) - wanted))


class Padded(nn.Module):
    """A network that takes any size, by repeating the last slice, row and column as the U-Net does by itself."""

    def __init__(self, net: nn.Module, multiple: tuple[int, int, int]) -> None:
        super().__init__()
        self.net, self.multiple = net, multiple

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, Z, Y, X) -> (B, 1, Z, Y, X)."""
        z, y, w = (-n % m for n, m in zip(x.shape[2:], self.multiple, strict=True))
        result: torch.Tensor = self.net(nn.functional.pad(x, (0, w, 0, y, 0, z), mode="replicate"))
        return result[:, :, : x.shape[2], : x.shape[3], : x.shape[4]]


def fastest(*calls: Callable[[], Any]) -> list[float]:
    """Return the shortest of several times of each call, taken in turn, so that other users disturb all alike."""
    best = [float("inf")] * len(calls)
    for _ in range(REPEATS):
        for n, call in enumerate(calls):
            started = time.perf_counter()
            call()
            best[n] = min(best[n], time.perf_counter() - started)
    return best


def forward(net: nn.Module, x: torch.Tensor, *, bf16: bool = False, kept: bool = False) -> Callable[[], Any]:
    def call() -> Any:
        memory = memory_kept() if kept else nullcontext()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16), memory:
            return net(x)

    return call


def speed(*, bf16: bool) -> None:
    x = torch.randn(INPUT)
    ours = fused(UNet(UNetConfig(INPUT[1], instance_norm=False)))  # as it ships
    new = fused(UNet(UNetConfig(INPUT[1])))
    theirs = dynunet(INPUT[1], n_parameters(ours)).eval()
    plain = MonaiUNet(3, INPUT[1], 1, channels=(16, 32, 64, 96), strides=(2, 2, 2)).eval()
    times = fastest(forward(ours, x), forward(theirs, x), forward(plain, x), forward(new, x))
    print(f"input {INPUT}, {torch.get_num_threads()} threads")
    for name, net, seconds in zip(
        ("spinekit U-Net", "DynUNet", "MONAI UNet", "spinekit U-Net, instance norm"),
        (ours, theirs, plain, new),
        times,
        strict=True,
    ):
        print(
            f"{name}: {n_parameters(net) / 1e6:.2f} M parameters, {seconds:.2f} s, {seconds / times[1]:.2f} of DynUNet"
        )
    for name, net, seconds in (("spinekit U-Net", ours, times[0]), ("DynUNet", theirs, times[1])):
        (kept,) = fastest(forward(net, x, kept=True))
        print(f"{name}, memory kept from layer to layer as in sk.segment: {kept / seconds:.2f} of its time")
    if bf16:  # very slow on a processor without a bfloat16 unit
        (half,) = fastest(forward(ours, x, bf16=True))
        print(f"spinekit U-Net in bf16: {half / times[0]:.2f} of float32 on this processor")


def whole_series() -> None:
    rng = np.random.default_rng(0)
    curve = np.array([1.0, 1.0, 1.1, 1.4, 1.6, 1.7, 1.7, 1.65, 1.6, 1.55], dtype=np.float32)[:, None, None, None]
    signal = 100.0 * curve + rng.normal(0, 3, (10, 24, 320, 320)).astype(np.float32)
    times = [0, 12, 24, 36, 48, 67, 92, 122, 160, 205]
    for wide_mm in (240, 400):
        grid = Geometry((320, 320, 24), (wide_mm / 320, wide_mm / 320, 4.0))
        series = DynamicSeries(signal, times, grid, "benchmark")
        (free, clicked) = fastest(partial(segment, series, 2), partial(segment, series, 2, click=(160, 160, 12)))
        print(
            f"whole series (10, 24, 320, 320), {wide_mm} mm wide: {free:.2f} s, with a click {clicked:.2f} s (goal 5 s)"
        )


def learn(net: nn.Module, task: SegmentationTask, seconds: float, seed: int) -> tuple[int, dict[str, float]]:
    """Train for a time and return the number of steps and the judgement; the rate falls with the time that passes."""
    plan = Plan(steps=10_000, learning_rate=2e-3)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.learning_rate)
    started, step, passed = time.process_time(), 0, 0.0
    while passed < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at(int(passed * plan.steps), plan)
        loss = task.loss(net.train(), task.batch(step, seed=seed, rank=0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        passed = (time.process_time() - started) / seconds
    with torch.no_grad():
        return step, task.judge(net.eval())


def learning(folder: Path, seconds: float, trainings: int) -> None:
    examples = [open_example(place) for place in sorted(folder.iterdir())]
    task = SegmentationTask(examples[:-JUDGED], examples[-JUDGED:], Teaching(patch_zyx=(12, 48, 48), batch=2), data={})
    n = n_parameters(UNet(UNetConfig(CHANNELS)))
    builds: dict[str, Callable[[], nn.Module]] = {
        "spinekit U-Net": lambda: UNet(UNetConfig(CHANNELS, instance_norm=False)),
        "spinekit U-Net, instance norm": lambda: UNet(UNetConfig(CHANNELS, instance_norm=True)),
        "DynUNet": lambda: Padded(dynunet(CHANNELS, n), (4, 8, 8)),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in builds}
    for seed in range(trainings):
        for name, build in builds.items():
            torch.manual_seed(seed)
            net = build()
            task.loss(net.train(), task.batch(0, seed=seed, rank=0)).backward()  # imports, first calls: not learning
            net.zero_grad()
            steps, judged = learn(net, task, seconds, seed)
            found[name].append(judged)
            print(f"{name}, seed {seed}: {steps} steps in {seconds:.0f} CPU s, {told(judged)}", flush=True)
    for name, judged_each in found.items():
        mean = {measure: float(np.mean([judged[measure] for judged in judged_each])) for measure in judged_each[0]}
        print(f"{name}, mean of {trainings}: {told(mean)}")


def told(judged: dict[str, float]) -> str:
    dice = f"Dice {judged['dice']:.3f}, fewer phases {judged['dice_fewer_phases']:.3f}"
    return f"{dice}, with a click {judged['dice_clicked']:.3f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--examples", type=Path)
    options.add_argument("--seconds", type=float, default=120.0)
    options.add_argument("--trainings", type=int, default=1)
    options.add_argument("--bf16", action="store_true")
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    global REPEATS
    REPEATS = chosen.repeats
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    speed(bf16=chosen.bf16)
    whole_series()
    if chosen.examples:
        learning(chosen.examples, chosen.seconds, chosen.trainings)


if __name__ == "__main__":
    main()
