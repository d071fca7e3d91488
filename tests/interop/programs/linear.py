"""Linear and softmax regression, from scratch and with modules; perceptrons, dropout, weight decay."""

import random

import torch
import torchvision
from torch import nn
from torch.utils import data


def synthetic_data(w, b, n):
    X = torch.normal(0, 1, (n, len(w)))
    y = torch.matmul(X, w) + b
    y += torch.normal(0, 0.01, y.shape)
    return X, y.reshape((-1, 1))


def data_iter(batch_size, features, labels):
    indices = list(range(len(features)))
    random.shuffle(indices)
    for i in range(0, len(indices), batch_size):
        batch = torch.tensor(indices[i : min(i + batch_size, len(indices))])
        yield features[batch], labels[batch]


torch.manual_seed(0)
true_w, true_b = torch.tensor([2, -3.4]), 4.2
features, labels = synthetic_data(true_w, true_b, 1000)
w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(3):
    for X, y in data_iter(10, features, labels):
        loss = (torch.matmul(X, w) + b - y.reshape(y.shape)) ** 2 / 2
        loss.sum().backward()
        with torch.no_grad():
            for param in (w, b):
                param -= 0.03 * param.grad / 10
                param.grad.zero_()
assert (true_w - w.reshape(true_w.shape)).abs().max() < 0.05 and (true_b - b).abs() < 0.05

loader = data.DataLoader(data.TensorDataset(features, labels), 10, shuffle=True)
net = nn.Sequential(nn.Linear(2, 1))
net[0].weight.data.normal_(0, 0.01)
net[0].bias.data.fill_(0)
trainer = torch.optim.SGD(net.parameters(), lr=0.03)
for epoch in range(3):
    for X, y in loader:
        l = nn.MSELoss()(net(X), y)
        trainer.zero_grad()
        l.backward()
        trainer.step()
assert nn.MSELoss()(net(features), labels) < 1e-2
assert (true_w - net[0].weight.data.reshape(true_w.shape)).abs().max() < 0.05


class Images(data.Dataset):
    """Two kinds of noise, as PIL images."""

    def __init__(self, n, transform):
        self.targets = torch.arange(n) % 2
        self.transform = transform

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        g = torch.Generator().manual_seed(i)
        image = torch.rand(1, 28, 28, generator=g) * (0.4 if self.targets[i] else 1.0)
        return self.transform(torchvision.transforms.ToPILImage()(image)), int(self.targets[i])


transform = torchvision.transforms.Compose([torchvision.transforms.Resize(14), torchvision.transforms.ToTensor()])
train, test = (data.DataLoader(Images(n, transform), 32, shuffle=n > 100, num_workers=0) for n in (256, 64))


def init_weights(m):
    if type(m) == nn.Linear:
        nn.init.normal_(m.weight, std=0.01)


def accuracy(net, loader):
    net.eval()
    with torch.no_grad():
        hits = [(net(X).argmax(axis=1).type(y.dtype) == y).float().mean() for X, y in loader]
    net.train()
    return sum(hits) / len(hits)


net = nn.Sequential(nn.Flatten(), nn.Linear(196, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
net.apply(init_weights)
trainer = torch.optim.SGD(
    [{"params": net[1].weight, "weight_decay": 1e-3}, {"params": [net[1].bias, *net[4].parameters()]}], lr=0.5
)
loss = nn.CrossEntropyLoss(reduction="none")
for epoch in range(5):
    for X, y in train:
        trainer.zero_grad()
        loss(net(X), y).mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        trainer.step()
assert accuracy(net, test) > 0.95


class MySequential(nn.Module):
    def __init__(self, *args):
        super().__init__()
        for idx, module in enumerate(args):
            self._modules[str(idx)] = module

    def forward(self, X):
        for block in self._modules.values():
            X = block(X)
        return X


class FixedHidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.rand_weight = torch.rand((20, 20), requires_grad=False)
        self.linear = nn.LazyLinear(20)
        self.scale = nn.Parameter(torch.ones(20))

    def forward(self, X):
        X = nn.functional.relu(torch.mm(self.linear(X), self.rand_weight) + 1) * self.scale
        X = self.linear(X)
        while X.abs().sum() > 1:
            X /= 2
        return X.sum()


chimera = MySequential(nn.Linear(16, 20), FixedHidden())
chimera(torch.rand(2, 16)).backward()
torch.save(chimera.state_dict(), "chimera.params")
clone = MySequential(nn.Linear(16, 20), FixedHidden())
clone(torch.rand(2, 16))
clone.load_state_dict(torch.load("chimera.params"))
assert all(torch.equal(a, b) for a, b in zip(chimera.state_dict().values(), clone.state_dict().values()))
shared = nn.Linear(8, 8)
tied = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(8, 1))
assert tied[2].weight.data_ptr() == tied[4].weight.data_ptr() and len(list(tied.parameters())) == 6
assert [(n, p.shape) for n, p in tied[0].named_parameters()][0] == ("weight", torch.Size([8, 4]))
