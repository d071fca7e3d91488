"""Optimizers, whole training steps and inference of models."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.case import Case

_PARAMS = """
params = [torch.nn.Parameter(torch.rand({n})) for _ in range({count})]
for p in params: p.grad = torch.rand({n})
"""


def _optimizer(name: str, construct: str, count: int, n: int, bar: float) -> Case:
    setup = _PARAMS.format(n=n, count=count) + f"opt = torch.optim.{construct}; opt.step()"
    return Case(name, setup, "opt.step()", bar)


_STEP = """
loss_of = torch.nn.CrossEntropyLoss()
opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
def step():
    opt.zero_grad()
    loss_of(net(x), y).backward()
    opt.step()
"""

_LENET = """
nn = torch.nn
net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
"""

_RESNET = """
nn = torch.nn
class Block(nn.Module):
    def __init__(self, a, b, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(a, b, 3, stride, 1, bias=False); self.bn1 = nn.BatchNorm2d(b)
        self.conv2 = nn.Conv2d(b, b, 3, 1, 1, bias=False); self.bn2 = nn.BatchNorm2d(b)
        self.down = None
        if stride > 1 or a != b:
            self.down = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))
        self.relu = nn.ReLU(inplace=True)
    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.down is None else self.down(x)))
def resnet18(small):
    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False)] if small else [nn.Conv2d(3, 64, 7, 2, 3, bias=False)]
    layers = stem + [nn.BatchNorm2d(64), nn.ReLU(inplace=True)] + ([] if small else [nn.MaxPool2d(3, 2, 1)])
    width = 64
    for stage in range(4):
        for k in range(2):
            layers.append(Block(width, 64 << stage, 2 if stage and not k else 1)); width = 64 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10 if small else 1000))
"""

_MOBILE = """
nn = torch.nn
def block(a, b, stride):
    return [nn.Conv2d(a, a, 3, stride, 1, groups=a, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True),
            nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
layers = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)]
for a, b, s in ((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1)): layers += block(a, b, s)
net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))
y = torch.randint(0, 10, (16,))
"""

_UNET = """
nn = torch.nn
def double(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
                         nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
class UNet(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.d1, self.d2, self.low = double(1, w), double(w, 2 * w), double(2 * w, 4 * w)
        self.u2, self.j2 = nn.ConvTranspose2d(4 * w, 2 * w, 2, stride=2), double(4 * w, 2 * w)
        self.u1, self.j1, self.head = nn.ConvTranspose2d(2 * w, w, 2, stride=2), double(2 * w, w), nn.Conv2d(w, 3, 1)
    def forward(self, x):
        pool = nn.functional.max_pool2d
        a = self.d1(x); b = self.d2(pool(a, 2)); low = self.low(pool(b, 2))
        b = self.j2(torch.cat([b, self.u2(low)], 1))
        return self.head(self.j1(torch.cat([a, self.u1(b)], 1)))
net = UNet(16); x = torch.rand(4, 1, 64, 64); y = torch.randint(0, 3, (4, 64, 64))
"""

_NO_GRAD = "; net.eval(); torch.set_grad_enabled(False)"

TRAINING_CASES = [
    _optimizer("Adam 12 M", "Adam(params)", 4, 3 << 20, 1.8),
    _optimizer("SGD momentum 12 M", "SGD(params, lr=0.01, momentum=0.9)", 4, 3 << 20, 1.3),
    _optimizer("AdamW 200 x 1000", "AdamW(params)", 200, 1000, 10),
    _optimizer("RMSprop 12 M", "RMSprop(params)", 4, 3 << 20, 1.0),
    _optimizer("NAdam 200 x 1000", "NAdam(params)", 200, 1000, 1.0),
    Case(
        "Sequential of 8 layers, batch 1",
        "net = torch.nn.Sequential(*[m for _ in range(4) for m in (torch.nn.Linear(16, 16), torch.nn.Tanh())]); "
        "x = torch.rand(1, 16)" + _NO_GRAD,
        "net(x)",
        4,
    ),
    Case(
        "MLP 784-256-10 b256, training step",
        "net = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)); "
        "x = torch.rand(256, 784); y = torch.randint(0, 10, (256,))" + _STEP,
        "step()",
        1.25,
    ),
    Case(
        "LeNet b256, training step",
        _LENET + "x = torch.rand(256, 1, 28, 28); y = torch.randint(0, 10, (256,))" + _STEP,
        "step()",
        2,
    ),
    Case("U-Net 4x64x64, training step", _UNET + _STEP, "step()", 1.5),
    *(
        Case(
            f"MobileNet blocks b16 {px} px, training step",
            _MOBILE + f"x = torch.rand(16, 3, {px}, {px})" + _STEP,
            "step()",
            3,
        )
        for px in (112, 224)
    ),
    Case(
        "ResNet-18 CIFAR b32, training step",
        _RESNET + "net = resnet18(True); x = torch.rand(32, 3, 32, 32); y = torch.randint(0, 10, (32,))" + _STEP,
        "step()",
        1.05,
    ),
    Case(
        "ResNet-18 224 px, inference b1",
        _RESNET + "net = resnet18(False); x = torch.rand(1, 3, 224, 224)" + _NO_GRAD,
        "net(x)",
        1.15,
    ),
    Case("LeNet, inference b1", _LENET + "x = torch.rand(1, 1, 28, 28)" + _NO_GRAD, "net(x)", 4),
]

# PyTorch's side compiled first, which needs a C++ compiler and minutes: only on demand (--compiled).
_COMPILED = ("ResNet-18 CIFAR", "LeNet b256", "U-Net", "MobileNet")
_COMPILE = "\nif torch.__name__ == 'torch':\n    net = torch.compile(net)\n"
COMPILED_CASES = [
    replace(case, name=f"{case.name}, torch.compile", setup=case.setup + _COMPILE, bar=1.0)
    for case in TRAINING_CASES
    if case.name.startswith(_COMPILED)
]
