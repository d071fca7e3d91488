"""A convolutional LSTM predicts where shapes that move and bounce will be in the next frame.

``python examples/conv_lstm.py --steps 500``
"""

from __future__ import annotations

from typing import Any

from _show import arguments, plot, progress

import pydl
from pydl import nn
from pydl.nn import functional as F

SIZE, SIDE = 16, 4


def films(count: int, frames: int) -> Any:
    """(frames, count, 1, SIZE, SIZE): squares and crosses of constant speed, thrown back by the border."""
    room = SIZE - SIDE
    place = pydl.randint(0, room + 1, (2, count))
    speed = 2 * pydl.randint(0, 2, (2, count)) - 1
    time = pydl.arange(frames).reshape(-1, 1, 1)
    # A path that bounces is a zigzag: fold the straight one at 0 and at `room`
    path = (place + speed * time) % (2 * room)
    y, x = pydl.where(path > room, 2 * room - path, path).unbind(1)
    rows = pydl.arange(SIZE).reshape(1, 1, -1, 1) - y.reshape(frames, count, 1, 1)
    columns = pydl.arange(SIZE).reshape(1, 1, 1, -1) - x.reshape(frames, count, 1, 1)
    inside = (rows >= 0) & (rows < SIDE) & (columns >= 0) & (columns < SIDE)
    cross = ((rows == columns) | (rows + columns == SIDE - 1)) & inside
    square = pydl.arange(count).reshape(1, -1, 1, 1) % 2 == 0
    return pydl.where(square, inside, cross).float().unsqueeze(2)


class Forecast(nn.Module):
    """Logits of the frame after each frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.ConvLSTM2d(1, width, 5)
        self.head = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x: Any) -> Any:
        hidden, _ = self.lstm(x)
        return self.head(hidden.flatten(0, 1)).unflatten(0, hidden.shape[:2])


def main(steps: int = 500, width: int = 24, batch: int = 16, out: str | None = None) -> tuple[float, float]:
    """Train; returns the mean squared error of the last predicted frame, and that of showing the frame before again."""
    pydl.manual_seed(0)
    net = Forecast(width)
    step = pydl.optim.Adam(net.parameters(), lr=3e-3)
    for _ in progress(range(steps), "ConvLSTM"):
        film = films(batch, 10)
        # The first frames leave the direction open
        loss = F.binary_cross_entropy_with_logits(net(film[:-1])[2:], film[3:])
        step.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        step.step()
    film = films(200, 10)
    with pydl.no_grad():
        seen = net(film[:-1]).sigmoid()
    error = F.mse_loss(seen[-1], film[-1]).item()
    still = F.mse_loss(film[-2], film[-1]).item()
    print(f"error of the predicted frame {error:.4f}; of the frame before {still:.4f}")

    def draw(figure: Any) -> None:
        axes = figure.subplots(2, 6)
        for column, t in enumerate(range(3, 9)):
            for row, frames in enumerate((film[t + 1], seen[t])):
                axes[row, column].imshow(frames[1, 0].numpy(), cmap="gray", vmin=0, vmax=1)
                axes[row, column].set_axis_off()
        axes[0, 0].set_title("film, forecast below", loc="left")

    plot(out, draw, (7.0, 2.6))
    return error, still


if __name__ == "__main__":
    main(**arguments(__doc__, steps=500, width=24, batch=16, out="conv_lstm.png"))
