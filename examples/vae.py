"""A variational autoencoder learns handwritten digits; its codes lie in a plane, and new digits are drawn from it.

``python examples/vae.py --epochs 60`` (scikit-learn's digits; ``--data mnist --root folder`` for MNIST)
"""

from __future__ import annotations

from typing import Any

import _images
from _show import arguments, batches, plot, progress

import pydl
from pydl.models import VAE


def main(
    epochs: int = 60, latent: int = 2, data: str = "digits", root: str | None = None, out: str | None = None
) -> tuple[float, float]:
    """Train; returns the negative evidence bound of the test images before and after."""
    pydl.manual_seed(0)
    images, _, test_images, test_labels = _images.load(data, root)
    vae = VAE(images[0].numel(), latent_dim=latent)
    step = pydl.optim.Adam(vae.parameters(), lr=2e-3)

    def bound() -> float:
        vae.train()
        with pydl.no_grad():
            return sum(vae.loss(test_images, vae(test_images)).item() for _ in range(5)) / 5

    before = bound()
    for _ in progress(range(epochs), "VAE"):
        for rows in batches(len(images), 64):
            x = images[rows]
            loss = vae.loss(x, vae(x))
            step.zero_grad()
            loss.backward()
            step.step()
    after = bound()
    vae.eval()
    print(f"negative evidence bound of the test images: {before:.2f} at first, {after:.2f} after training")

    def draw(figure: Any) -> None:
        left, right = figure.subfigures(1, 2)
        vae.plot_latent(test_images, test_labels, left.add_subplot())
        with pydl.no_grad():
            side = int(images.shape[-1])
            drawn = vae.sample(36).reshape(6, 6, side, -1).permute(0, 2, 1, 3).reshape(6 * side, -1)
        axes = right.add_subplot()
        axes.imshow(drawn.numpy(), cmap="gray")
        axes.set_axis_off()

    plot(out, draw, (9.0, 4.0))
    return before, after


if __name__ == "__main__":
    main(**arguments(__doc__, epochs=60, latent=2, data="digits", root=None, out="vae.png"))
