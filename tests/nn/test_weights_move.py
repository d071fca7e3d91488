"""Whole models: weights saved by PyTorch load here and give the same logits, and back; and they train alike."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import pydl


def resnet18(lib: Any, width: int) -> Any:
    """The layers and names of torchvision's resnet18, with fewer channels."""
    nn = lib.nn

    class BasicBlock(nn.Module):
        def __init__(self, inputs: int, planes: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(planes)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(planes)
            self.downsample = None
            if stride != 1 or inputs != planes:
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
                )

        def forward(self, x: Any) -> Any:
            identity = x if self.downsample is None else self.downsample(x)
            out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            out += identity
            return self.relu(out)

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.relu = nn.ReLU(inplace=True)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            inputs = width
            for stage in range(4):
                planes = width << stage
                blocks = [BasicBlock(inputs, planes, 2 if stage else 1), BasicBlock(planes, planes, 1)]
                setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
                inputs = planes
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Linear(inputs, 10)

        def forward(self, x: Any) -> Any:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(lib.flatten(self.avgpool(x), 1))

    return ResNet()


def lstm(lib: Any) -> Any:
    nn = lib.nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 8)
            self.lstm = nn.LSTM(8, 12, num_layers=2, bidirectional=True, batch_first=True)
            self.head = nn.Linear(24, 20)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(self.embedding(x))[0])

    return Model()


def transformer(lib: Any) -> Any:
    nn = lib.nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 16)
            self.transformer = nn.Transformer(16, 4, 2, 2, 32, dropout=0.0, batch_first=True)
            self.head = nn.Linear(16, 20)

        def forward(self, x: Any) -> Any:
            e = self.embedding(x)
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.head(self.transformer(e, e, tgt_mask=mask.to(e.dtype)))

    return Model()


RNG = np.random.default_rng(0)
MODELS = {
    "resnet18": (lambda lib: resnet18(lib, 8), RNG.normal(size=(2, 3, 64, 64)).astype(np.float32)),
    "lstm": (lstm, RNG.integers(0, 20, size=(3, 7))),
    "transformer": (transformer, RNG.integers(0, 20, size=(3, 7))),
}


def logits(lib: Any, net: Any, x: np.ndarray) -> np.ndarray:
    with lib.no_grad():
        return net.eval()(lib.from_numpy(x)).numpy()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("back", [False, True], ids=["from torch", "to torch"])
def test_same_logits(name: str, back: bool) -> None:
    torch = pytest.importorskip("torch")
    make, x = MODELS[name]
    source, target = (pydl, torch) if back else (torch, pydl)
    source.manual_seed(1)
    giver, taker = make(source), make(target)
    giver.train()(source.from_numpy(x))  # running statistics that are not the initial ones
    file = io.BytesIO()
    source.save(giver.state_dict(), file)
    file.seek(0)
    assert str(taker.load_state_dict(target.load(file, weights_only=True))) == "<All keys matched successfully>"
    expected = logits(source, giver, x)
    np.testing.assert_allclose(logits(target, taker, x), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", MODELS)
def test_same_training(name: str) -> None:
    """Three steps from the same weights, in float64."""
    torch = pytest.importorskip("torch")
    make, x = MODELS[name]
    torch.manual_seed(2)
    state = {k: v.numpy() for k, v in make(torch).state_dict().items()}
    losses = []
    for lib in (pydl, torch):
        net = make(lib)
        net.load_state_dict({k: lib.from_numpy(v.copy()) for k, v in state.items()})
        net = net.double().train()
        inputs = lib.from_numpy(x)
        inputs = inputs.double() if inputs.is_floating_point() else inputs
        optimizer = lib.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        losses.append([])
        for _ in range(3):
            optimizer.zero_grad()
            out = net(inputs).flatten(0, -2)
            loss = lib.nn.functional.cross_entropy(out, lib.arange(len(out)) % out.shape[1])
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-8)
