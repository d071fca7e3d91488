"""A small network tells squares from crosses; where it looks is shown by every method of pydl.attribution.

``python examples/attribution.py --steps 150``
"""

from __future__ import annotations

from typing import Any

from _show import arguments, plot, progress

import pydl
from pydl import attribution, nn
from pydl.nn import functional as F

SIZE = 24


def pictures(count: int) -> tuple[Any, Any, Any]:
    """Images (count, 1, SIZE, SIZE) of squares (0) and crosses (1) in noise, labels, and where the shapes are."""
    place = pydl.randint(2, SIZE - 9, (2, count))
    rows = pydl.arange(SIZE).reshape(1, -1, 1) - place[0].reshape(-1, 1, 1)
    columns = pydl.arange(SIZE).reshape(1, 1, -1) - place[1].reshape(-1, 1, 1)
    inside = (rows >= 0) & (rows < 7) & (columns >= 0) & (columns < 7)
    ring = inside & ((rows == 0) | (rows == 6) | (columns == 0) | (columns == 6))
    cross = inside & ((rows == columns) | (rows + columns == 6))
    labels = pydl.arange(count) % 2
    shapes = pydl.where(labels.reshape(-1, 1, 1) == 0, ring, cross)
    return (shapes.float() + 0.25 * pydl.rand(count, SIZE, SIZE)).clamp(0, 1).unsqueeze(1), labels, inside


def network() -> nn.Sequential:
    """Convolutions, then the mean over all places."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.blocks.GlobalMaxPool(),
        nn.Linear(16, 2),
    )


def explanations(net: nn.Sequential, images: Any, labels: Any) -> dict[str, Any]:
    """Maps (N, 1, SIZE, SIZE) by the name of the method."""
    return {
        "saliency": attribution.Saliency(net).attribute(images, labels),
        "SmoothGrad": attribution.SmoothGrad(net).attribute(images, labels, n_samples=30).abs(),
        "integrated gradients": attribution.IntegratedGradients(net).attribute(images, target=labels).abs(),
        "Grad-CAM": attribution.GradCAM(net, "6").attribute(images, labels),
        "Grad-CAM++": attribution.GradCAMPlusPlus(net, "6").attribute(images, labels),
        "occlusion": attribution.Occlusion(net)
        .attribute(images, (1, 5, 5), (1, 2, 2), target=labels, perturbations_per_eval=20)
        .relu(),
    }


def main(steps: int = 150, out: str | None = None) -> tuple[float, dict[str, float]]:
    """Train; returns the accuracy, and by method the share of the explanation that lies on the shape."""
    pydl.manual_seed(0)
    net = network()
    step = pydl.optim.Adam(net.parameters(), lr=5e-3)
    for _ in progress(range(steps), "shapes"):
        images, labels, _ = pictures(64)
        loss = F.cross_entropy(net(images), labels)
        step.zero_grad()
        loss.backward()
        step.step()
    net.eval()
    images, labels, inside = pictures(40)
    accuracy = (net(images).argmax(1) == labels).float().mean().item()
    maps = explanations(net, images, labels)
    area = inside.float().mean().item()
    shares = {name: (m[:, 0] * inside).sum().item() / max(m.sum().item(), 1e-12) for name, m in maps.items()}
    attention = attribution.attention_maps(nn.blocks.SelfAttention(16, 4), pydl.rand(1, 9, 16))
    print(f"accuracy {accuracy:.1%}; the shape covers {area:.0%} of the image, and of the explanations")
    print(", ".join(f"{name} {share:.0%}" for name, share in shares.items()))

    def draw(figure: Any) -> None:
        axes = figure.subplots(2, len(maps) + 2)
        for row in range(2):
            shown = {"image": images, **maps}
            for column, (name, values) in enumerate(shown.items()):
                axes[row, column].imshow(values[row, 0].detach().numpy(), cmap="gray" if column == 0 else "inferno")
                axes[row, column].set_title(name, fontsize=7)
            axes[row, -1].imshow(attention["attn"][0, row].numpy())
            axes[row, -1].set_title(f"attention, head {row}", fontsize=7)
        for ax in axes.flat:
            ax.set_axis_off()

    plot(out, draw, (11.0, 3.2))
    return accuracy, shares


if __name__ == "__main__":
    main(**arguments(__doc__, steps=150, out="attribution.png"))
