"""One picture per group of the catalogue."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import pydl
from pydl import nn
from pydl.nn import functional as F

PICTURES: dict[str, Picture] = {}


@dataclass
class Picture:
    """How to draw a figure of some panels, and what it shows."""

    caption: str
    panels: int
    paint: Callable[..., None]

    def draw(self, path: pathlib.Path) -> None:
        """Writes the picture to a file."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        pydl.manual_seed(0)
        figure, axes = pyplot.subplots(1, self.panels, figsize=(3.4 * self.panels, 2.8), squeeze=False)
        self.paint(*axes[0])
        figure.tight_layout()
        figure.savefig(path, dpi=80)
        pyplot.close(figure)


def picture(group: str, caption: str, panels: int = 1) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers the function that draws a group's picture on `panels` axes."""

    def register(paint: Callable[..., None]) -> Callable[..., None]:
        PICTURES[group] = Picture(caption, panels, paint)
        return paint

    return register


def curves(axes: Any, x: Any, **lines: Any) -> None:
    """Functions or tensors over x, with a legend."""
    for name, y in lines.items():
        y = y(x) if callable(y) else y
        axes.plot(x.detach(), y.detach(), label=name.replace("_", " "))
    axes.legend(fontsize=7)


def image(axes: Any, tensor: Any, title: str = "", **options: Any) -> None:
    """A (H, W) or (3, H, W) tensor as an image."""
    tensor = tensor.detach()
    axes.imshow(tensor.movedim(0, -1) if tensor.dim() == 3 else tensor, **options)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def scene(size: int = 64) -> Any:
    """A grey image of a disc, a square and a gradient, (1, 1, size, size)."""
    y, x = pydl.meshgrid(pydl.linspace(-1, 1, size), pydl.linspace(-1, 1, size), indexing="ij")
    out = 0.2 + 0.1 * x
    out = pydl.where((x + 0.4) ** 2 + (y + 0.3) ** 2 < 0.12, 0.9, out)
    return pydl.where(((x - 0.4).abs() < 0.3) & ((y - 0.35).abs() < 0.3), 0.6, out)[None, None]


LINE = pydl.linspace(-4, 4, 201)


@picture("tensors", "Broadcasting: a column, a row, and their sum.", 3)
def _tensors(a: Any, b: Any, c: Any) -> None:
    column, row = pydl.arange(5.0)[:, None], pydl.arange(8.0)[None]
    for axes, t, title in ((a, column, "(5, 1)"), (b, row, "(1, 8)"), (c, column + row, "(5, 8)")):
        image(axes, t, title)


@picture("classic", "A support vector machine with an RBF kernel: decision values and the points.")
def _classic(a: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [rng.normal(0, 0.5, (60, 2)), 1.8 * (p := rng.normal(size=(60, 2))) / np.linalg.norm(p, axis=1)[:, None]]
    )
    y = np.repeat([0, 1], 60)
    grid = np.stack(np.meshgrid(*[np.linspace(-2.5, 2.5, 60)] * 2), -1)
    values = pydl.svm.SVC().fit(x, y).decision_function(grid.reshape(-1, 2)).reshape(60, 60)
    a.contourf(grid[..., 0], grid[..., 1], values, 12, cmap="RdBu")
    a.scatter(*x.T, c=y, s=8, cmap="gray")


@picture("layers", "A small image made larger: nearest, bilinear, bicubic.", 3)
def _layers(*axes: Any) -> None:
    small = F.avg_pool2d(scene(), 8)
    for a, mode in zip(axes, ("nearest", "bilinear", "bicubic")):
        image(a, F.interpolate(small, 64, mode=mode)[0, 0], mode)


@picture("convolution", "An image and two convolutions of it: across and along an edge.", 3)
def _convolution(*axes: Any) -> None:
    x = scene()
    kernel = pydl.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])
    image(axes[0], x[0, 0], "input")
    image(axes[1], F.conv2d(x, kernel)[0, 0], "horizontal")
    image(axes[2], F.conv2d(x, kernel.mT)[0, 0], "vertical")


@picture("pooling", "Maximum and mean of windows of 8 x 8.", 3)
def _pooling(*axes: Any) -> None:
    x = scene() + 0.15 * pydl.randn(1, 1, 64, 64)
    for a, t, title in zip(axes, (x, F.max_pool2d(x, 8), F.avg_pool2d(x, 8)), ("input", "max", "mean")):
        image(a, t[0, 0], title)


@picture("activations", "Activations.", 2)
def _activations(a: Any, b: Any) -> None:
    curves(a, LINE, ReLU=F.relu, LeakyReLU=lambda x: F.leaky_relu(x, 0.1), ELU=F.elu, SELU=F.selu, softplus=F.softplus)
    curves(b, LINE, GELU=F.gelu, SiLU=F.silu, Mish=F.mish, sigmoid=pydl.sigmoid, tanh=pydl.tanh)


@picture("normalisation", "Values of two channels before and after batch normalisation.", 2)
def _normalisation(a: Any, b: Any) -> None:
    x = pydl.randn(2000, 2) * pydl.tensor([1.0, 3.0]) + pydl.tensor([4.0, -2.0])
    for axes, t in ((a, x), (b, nn.BatchNorm1d(2)(x))):
        axes.hist(t.detach().numpy(), 40)


@picture("regularisation", "Weights of a regression with many useless inputs: plain, with L2, with L1.")
def _regularisation(a: Any) -> None:
    x, w = pydl.randn(60, 40), pydl.zeros(40)
    w[:5] = 1.0
    y = x @ w + 0.5 * pydl.randn(60)
    for name, l1, l2 in (("plain", 0.0, 0.0), ("L2", 0.0, 0.1), ("L1", 0.1, 0.0)):
        fit = pydl.zeros(40, requires_grad=True)
        optimizer = pydl.optim.Adam([fit], lr=0.02)
        for _ in range(400):
            optimizer.zero_grad()
            ((x @ fit - y).square().mean() + l1 * fit.abs().sum() + l2 * fit.square().sum()).backward()
            optimizer.step()
        a.plot(fit.detach(), ".-", label=name)
    a.legend(fontsize=7)


@picture("recurrent", "States of an LSTM that hears one pulse.")
def _recurrent(a: Any) -> None:
    x = pydl.zeros(40, 1, 1)
    x[5] = 5.0
    a.plot(nn.LSTM(1, 6)(x)[0][:, 0].detach())


@picture("attention", "Weights of causal self-attention.")
def _attention(a: Any) -> None:
    x = pydl.randn(1, 16, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(16)
    image(a, nn.MultiheadAttention(8, 1, batch_first=True)(3 * x, 3 * x, 3 * x, attn_mask=mask)[1][0])


@picture("blocks", "Norm of the gradient at each of 40 layers, with and without residual connections.")
def _blocks(a: Any) -> None:
    for name, residual in (("plain", False), ("residual", True)):
        layers = [nn.Sequential(nn.Linear(32, 32), nn.Tanh()) for _ in range(40)]
        model = nn.Sequential(*[nn.blocks.Residual(layer) if residual else layer for layer in layers])
        model(pydl.randn(64, 32)).square().mean().backward()
        a.semilogy([float(layer[0].weight.grad.norm()) for layer in layers], label=name)
    a.legend(fontsize=7)


@picture("vision", "An image, Sobel's magnitude and Canny's edges.", 3)
def _vision(*axes: Any) -> None:
    from pydl.vision import filters

    x = scene()
    image(axes[0], x[0, 0], "input")
    image(axes[1], filters.Sobel(magnitude=True)(x)[0, 0], "Sobel")
    image(axes[2], filters.Canny()(x)[1][0, 0], "Canny")


@picture("detection", "Boxes before and after non-maximum suppression.", 2)
def _detection(a: Any, b: Any) -> None:
    from matplotlib.patches import Rectangle

    from pydl.vision import ops

    centres = pydl.tensor([[20.0, 20], [45, 40]]).repeat_interleave(12, 0) + 3 * pydl.randn(24, 2)
    boxes = pydl.cat([centres - 10, centres + 10], 1)
    keep = ops.nms(boxes, pydl.rand(24), 0.3)
    for axes, some in ((a, boxes), (b, boxes[keep])):
        for x0, y0, x1, y1 in some.tolist():
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False))
        axes.set(xlim=(0, 65), ylim=(0, 60))


@picture("segmentation", "An image and its masks.", 2)
def _segmentation(a: Any, b: Any) -> None:
    from pydl.vision import utils

    x = scene()[0, 0]
    rgb = (x * 255).to(pydl.uint8).expand(3, -1, -1)
    masks = pydl.stack([x > 0.8, (x > 0.5) & (x < 0.7)])
    image(a, rgb)
    image(b, utils.draw_segmentation_masks(rgb, masks, 0.6, colors=["red", "blue"]))


@picture("geometric", "A cloud of points and those that farthest point sampling takes.")
def _geometric(a: Any) -> None:
    cloud = pydl.randn(1, 800, 2)
    taken = pydl.geometric.farthest_point_sample(cloud, 40)[0]
    a.scatter(*cloud[0].T, s=3)
    a.scatter(*cloud[0][taken].T, s=20)


@picture("generative", "Points on a curve, and what an autoencoder with one latent number makes of them.")
def _generative(a: Any) -> None:
    t = 3 * pydl.rand(400, 1)
    x = pydl.cat([t.sin(), (2 * t).cos() * t], 1) + 0.05 * pydl.randn(400, 2)
    model = pydl.models.Autoencoder(2, 1, (32, 32))
    optimizer = pydl.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        F.mse_loss(model(x), x).backward()
        optimizer.step()
    a.scatter(*x.T, s=4)
    a.scatter(*model(x).detach().T, s=4)


@picture("regression-losses", "Losses of an error.")
def _regression(a: Any) -> None:
    zero = pydl.zeros(201)
    curves(
        a, LINE, squared=lambda x: x.square(), absolute=pydl.abs, Huber=lambda x: F.huber_loss(x, zero, "none"),
        log_cosh=lambda x: pydl.losses.LogCoshLoss("none")(x, zero),
    )  # fmt: skip
    a.set_ylim(0, 5)


@picture("classification-losses", "Losses of a logit whose class is 1.")
def _classification(a: Any) -> None:
    one = pydl.ones(201)
    curves(
        a, LINE, cross_entropy=lambda x: F.binary_cross_entropy_with_logits(x, one, reduction="none"),
        focal=lambda x: pydl.losses.FocalLoss(reduction="none")(x, one),
        hinge=lambda x: pydl.losses.HingeLoss(reduction="none")(x, one),
    )  # fmt: skip


def _disc(shift: float) -> Any:
    y, x = pydl.meshgrid(pydl.linspace(-1, 1, 64), pydl.linspace(-1, 1, 64), indexing="ij")
    return pydl.sigmoid(40 * (0.4 - ((x - shift) ** 2 + y**2).sqrt()))[None, None]


@picture("segmentation-losses", "Losses of a disc that is moved away from its target.")
def _masks(a: Any) -> None:
    losses, shifts = pydl.losses, pydl.linspace(0, 1, 21)
    for loss in (losses.DiceLoss(), losses.JaccardLoss(), losses.TverskyLoss(0.3, 0.7), losses.HausdorffDTLoss()):
        values = pydl.stack([loss(_disc(float(s)), _disc(0.0).round()) for s in shifts])
        a.plot(shifts, values / values.max(), label=type(loss).__name__)
    a.legend(fontsize=7)


@picture("embedding-losses", "Contrastive losses of a pair at a distance.")
def _embedding(a: Any) -> None:
    d = pydl.linspace(0, 2, 101)
    x, zero = pydl.stack([d, 0 * d], 1), pydl.zeros(101, 2)
    loss = pydl.losses.ContrastiveLoss(margin=1.0, reduction="none")
    curves(a, d, similar=loss(x, zero, pydl.zeros(101)), different=loss(x, zero, pydl.ones(101)))


@picture("generative-losses", "Generator's losses of the critic's score.")
def _adversarial(a: Any) -> None:
    modes = ("vanilla", "lsgan", "hinge", "wgan")
    for mode in modes:
        loss = pydl.losses.AdversarialLoss(mode)
        a.plot(LINE, pydl.stack([loss.generator(s.view(1, 1)) for s in LINE]), label=mode)
    a.set_ylim(-5, 8)
    a.legend(fontsize=7)


@picture("information-losses", "Two Gaussians that move apart: divergences and the earth mover's distance.")
def _information(a: Any) -> None:
    def gauss(m: float) -> Any:
        return pydl.softmax(-((LINE - m) ** 2) * 4, 0)[None]

    shifts = pydl.linspace(0, 3, 31)
    p = gauss(0.0)
    js = pydl.stack([pydl.losses.JSDivLoss()(p, gauss(float(s))) for s in shifts])
    emd = pydl.stack([(p - gauss(float(s))).cumsum(1).abs().sum() * 0.04 for s in shifts])
    curves(a, shifts, JS_divergence=js, earth_mover=emd)


@picture("detection-losses", "Chamfer distance of a cloud that is turned.")
def _clouds(a: Any) -> None:
    cloud = pydl.randn(1, 300, 2) * pydl.tensor([2.0, 0.5])
    angles = pydl.linspace(0, 3.14159, 41)
    values = []
    for t in angles.tolist():
        turn = pydl.tensor([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]], dtype=pydl.float32)
        values.append(pydl.losses.ChamferLoss()(cloud @ turn, cloud))
    a.plot(angles, pydl.stack(values))


@picture("initialisation", "Weights of a layer of 256 x 128 after different initialisations.")
def _initialisation(a: Any) -> None:
    for fill in (nn.init.xavier_uniform_, nn.init.xavier_normal_, nn.init.kaiming_normal_, nn.init.orthogonal_):
        a.hist(fill(pydl.empty(256, 128)).reshape(-1), 80, histtype="step", label=fill.__name__)
    a.legend(fontsize=7)


@picture("optimisation", "Paths of optimizers down a narrow valley.")
def _optimisation(a: Any) -> None:
    optim = pydl.optim
    grid = pydl.meshgrid(pydl.linspace(-3, 1, 60), pydl.linspace(-2, 2, 60), indexing="xy")
    a.contour(grid[0], grid[1], 0.2 * grid[0] ** 2 + 2 * grid[1] ** 2, 15, linewidths=0.5)
    makers = {
        "SGD": lambda p: optim.SGD(p, 0.2), "momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9),
        "Adam": lambda p: optim.Adam(p, 0.2), "RMSprop": lambda p: optim.RMSprop(p, 0.1),
    }  # fmt: skip
    for name, make in makers.items():
        p = pydl.tensor([-2.5, 1.5], requires_grad=True)
        optimizer, path = make([p]), [p.tolist()]
        for _ in range(40):
            optimizer.zero_grad()
            (0.2 * p[0] ** 2 + 2 * p[1] ** 2).backward()
            optimizer.step()
            path.append(p.tolist())
        a.plot(*zip(*path), ".-", markersize=3, label=name)
    a.legend(fontsize=7)


@picture("schedules", "Learning rates over 60 epochs.")
def _schedules(a: Any) -> None:
    schedules = pydl.optim.lr_scheduler
    makers = {
        "step": lambda o: schedules.StepLR(o, 20), "cosine": lambda o: schedules.CosineAnnealingLR(o, 60),
        "warm restarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 20),
        "exponential": lambda o: schedules.ExponentialLR(o, 0.95),
        "one cycle": lambda o: schedules.OneCycleLR(o, 1.0, 61),
    }  # fmt: skip
    for name, make in makers.items():
        optimizer = pydl.optim.SGD([pydl.zeros(1, requires_grad=True)], 1.0)
        schedule, rates = make(optimizer), []
        for _ in range(60):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        a.plot(rates, label=name)
    a.legend(fontsize=7)


@picture("training", "Share of the samples that a curriculum draws from.")
def _training(a: Any) -> None:
    for pacing in ("linear", "root", "step"):
        sampler = pydl.utils.data.CurriculumSampler(range(1000), pacing, total_epochs=20)
        counts = []
        for epoch in range(20):
            sampler.set_epoch(epoch)
            counts.append(len(sampler) / 1000)
        a.plot(counts, label=pacing)
    a.legend(fontsize=7)


@picture("transfer", "Training with a frozen body: only the head moves.")
def _transfer(a: Any) -> None:
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    pydl.hub.freeze(model, except_="4")
    before = [p.clone() for p in model.parameters()]
    optimizer = pydl.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(50):
        optimizer.zero_grad()
        model(pydl.randn(32, 8)).square().mean().backward()
        optimizer.step()
    a.bar([n for n, _ in model.named_parameters()], [float((p - q).norm()) for p, q in zip(model.parameters(), before)])
    a.tick_params(labelrotation=60, labelsize=7)


@picture(
    "attribution", "Which inputs a function depends on: gradients and integrated gradients of x0² − 2 x1 + x2 x3.", 2
)
def _attribution(a: Any, b: Any) -> None:
    def function(x: Any) -> Any:
        return x[:, 0] ** 2 - 2 * x[:, 1] + x[:, 2] * x[:, 3]

    x = pydl.tensor([[2.0, 1.0, 1.5, -1.0, 3.0]])
    for axes, method in ((a, pydl.attribution.Saliency), (b, pydl.attribution.IntegratedGradients)):
        axes.bar(range(5), method(function).attribute(x)[0].detach())
        axes.set_title(method.__name__, fontsize=9)


@picture("compression", "Numbers and what 3 and 4 bits make of them.")
def _compression(a: Any) -> None:
    for bits in (3, 4):
        high = 2**bits - 1
        a.plot(LINE, pydl.fake_quantize_per_tensor_affine(LINE, 8 / high, high // 2, 0, high), label=f"{bits} bits")
    a.plot(LINE, LINE, linewidth=0.5)
    a.legend(fontsize=7)


@picture("ensembles", "Learning rate of a snapshot ensemble of five cycles.")
def _ensembles(a: Any) -> None:
    model = nn.Linear(1, 1)
    optimizer = pydl.optim.SGD(model.parameters(), 0.1)
    ensemble, rates = pydl.ensemble.SnapshotEnsemble(model, optimizer, 200, 5), []
    for _ in range(200):
        ensemble.step()
        rates.append(optimizer.param_groups[0]["lr"])
    a.plot(rates)


@picture("search", "Random search: the best value after each trial, for ten seeds.")
def _search(a: Any) -> None:
    space = {"x": (-2.0, 2.0), "y": (-2.0, 2.0)}
    for seed in range(10):
        found = pydl.search.RandomSearch(lambda p: p["x"] ** 2 + p["y"] ** 2, space, seed=seed).run(60)
        a.plot(np.minimum.accumulate([trial.value for trial in found.trials]), linewidth=0.8)
    a.set_yscale("log")
