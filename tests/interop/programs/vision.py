"""Convolutional networks, augmentation, fine-tuning, boxes, detection, segmentation, style transfer."""

import os

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision import datasets, models, transforms

torch.manual_seed(0)


def corr2d(X, K):
    h, w = K.shape
    Y = torch.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


X = torch.ones((6, 8))
X[:, 2:6] = 0
K = torch.tensor([[1.0, -1.0]])
Y = corr2d(X, K)
conv2d = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
for _ in range(30):
    l = (conv2d(X.reshape((1, 1, 6, 8))) - Y.reshape((1, 1, 6, 7))) ** 2
    conv2d.zero_grad()
    l.sum().backward()
    conv2d.weight.data[:] -= 3e-2 * conv2d.weight.grad
assert (conv2d.weight.data.reshape(1, 2) - K).abs().max() < 0.1


class Residual(nn.Module):
    def __init__(self, channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.LazyConv2d(channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.LazyConv2d(channels, kernel_size=3, padding=1)
        self.conv3 = nn.LazyConv2d(channels, kernel_size=1, stride=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.LazyBatchNorm2d(), nn.LazyBatchNorm2d()

    def forward(self, X):
        Y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(X)))))
        return F.relu(Y + (self.conv3(X) if self.conv3 else X))


assert Residual(6, True, 2)(torch.randn(4, 3, 6, 6)).shape == (4, 6, 3, 3)

# Pictures in folders, augmented
rng = np.random.default_rng(0)
for kind, colour in (("hotdog", (200, 60, 40)), ("other", (40, 120, 200))):
    os.makedirs(f"images/{kind}", exist_ok=True)
    for i in range(12):
        noise = rng.integers(-30, 30, (40, 48, 3))
        Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(f"images/{kind}/{i}.png")
normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
augment = transforms.Compose([
    transforms.RandomResizedCrop(32, scale=(0.5, 1), ratio=(0.5, 2)), transforms.RandomHorizontalFlip(), transforms.RandomVerticalFlip(),
    transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1), transforms.ToTensor(), normalize,
])  # fmt: skip
folder = datasets.ImageFolder("images", transform=augment)
assert folder.classes == ["hotdog", "other"] and folder.class_to_idx == {"hotdog": 0, "other": 1}
loader = torch.utils.data.DataLoader(folder, batch_size=8, shuffle=True)

pretrained = models.resnet18(num_classes=7)
torch.save(pretrained.state_dict(), "resnet18.pth")
net = models.resnet18(weights=None)
state = torch.load("resnet18.pth", weights_only=True)
net.load_state_dict({k: v for k, v in state.items() if not k.startswith("fc")}, strict=False)
net.fc = nn.Linear(net.fc.in_features, 2)
nn.init.xavier_uniform_(net.fc.weight)
others = [p for name, p in net.named_parameters() if name not in ["fc.weight", "fc.bias"]]
trainer = torch.optim.SGD(
    [{"params": others}, {"params": net.fc.parameters(), "lr": 0.05}], lr=5e-3, weight_decay=0.001
)
schedule = torch.optim.lr_scheduler.StepLR(trainer, 2, 0.9)
for epoch in range(2):
    for images, labels in loader:
        trainer.zero_grad()
        nn.CrossEntropyLoss(reduction="none")(net(images), labels).sum().backward()
        trainer.step()
    schedule.step()
assert net(images).shape == (8, 2)


# Boxes
def box_iou(boxes1, boxes2):
    area = lambda boxes: (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # noqa: E731
    upper = torch.max(boxes1[:, None, :2], boxes2[:, :2])
    lower = torch.min(boxes1[:, None, 2:], boxes2[:, 2:])
    inters = (lower - upper).clamp(min=0)
    inter = inters[:, :, 0] * inters[:, :, 1]
    return inter / (area(boxes1)[:, None] + area(boxes2) - inter)


boxes = torch.tensor(
    [[0.1, 0.08, 0.52, 0.92], [0.08, 0.2, 0.56, 0.95], [0.15, 0.3, 0.62, 0.91], [0.55, 0.2, 0.9, 0.88]]
)
scores = torch.tensor([0.9, 0.8, 0.7, 0.95])
assert torch.allclose(box_iou(boxes, boxes), torchvision.ops.box_iou(boxes, boxes))
assert torchvision.ops.nms(boxes, scores, 0.5).tolist() == [3, 0]


class TinySSD(nn.Module):
    def __init__(self, classes=1, anchors=4):
        super().__init__()

        def down(i, o):
            layers = []
            for _ in range(2):
                layers += [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()]
                i = o
            return nn.Sequential(*layers, nn.MaxPool2d(2))

        self.blocks = nn.ModuleList(
            [nn.Sequential(down(3, 16), down(16, 32)), down(32, 32), nn.AdaptiveMaxPool2d((1, 1))]
        )
        self.classes = nn.ModuleList(nn.Conv2d(32, anchors * (classes + 1), 3, padding=1) for _ in range(3))
        self.boxes = nn.ModuleList(nn.Conv2d(32, anchors * 4, 3, padding=1) for _ in range(3))

    def forward(self, X):
        flat, offsets = [], []
        for block, c, b in zip(self.blocks, self.classes, self.boxes):
            X = block(X)
            flat.append(torch.flatten(c(X).permute(0, 2, 3, 1), start_dim=1))
            offsets.append(torch.flatten(b(X).permute(0, 2, 3, 1), start_dim=1))
        flat = torch.cat(flat, dim=1)
        return flat.reshape(flat.shape[0], -1, 2), torch.cat(offsets, dim=1)


classes, offsets = TinySSD()(torch.rand(2, 3, 32, 32))
assert classes.shape == (2, (64 + 16 + 1) * 4, 2) and offsets.shape == (2, 81 * 16)
(F.cross_entropy(classes.reshape(-1, 2), torch.zeros(648, dtype=torch.long)) + offsets.abs().mean()).backward()


# Fully convolutional network with bilinear weights
def bilinear_kernel(i, o, size):
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = torch.arange(size).reshape(-1, 1), torch.arange(size).reshape(1, -1)
    filt = (1 - torch.abs(og[0] - center) / factor) * (1 - torch.abs(og[1] - center) / factor)
    weight = torch.zeros((i, o, size, size))
    weight[range(i), range(o), :, :] = filt
    return weight


body = nn.Sequential(*list(net.children())[:-2])
fcn = nn.Sequential(*body, nn.Conv2d(512, 5, 1), nn.ConvTranspose2d(5, 5, kernel_size=64, padding=16, stride=32))
fcn[-1].weight.data.copy_(bilinear_kernel(5, 5, 64))
assert fcn(torch.rand(1, 3, 64, 96)).shape == (1, 5, 64, 96)
crop = torchvision.transforms.RandomCrop.get_params(torch.rand(3, 20, 20), (8, 8))
assert torchvision.transforms.functional.crop(torch.rand(3, 20, 20), *crop).shape == (3, 8, 8)

# Style transfer
vgg = models.vgg11(weights=None).features[:8].eval()
content, style = (torchvision.transforms.ToTensor()(Image.open(f"images/{k}/0.png"))[None] for k in ("hotdog", "other"))
gram = lambda X: (X.flatten(2) @ X.flatten(2).transpose(1, 2)) / X[0].numel()  # noqa: E731
image = nn.Parameter(content.clone())
optimizer = torch.optim.Adam([image], lr=0.05)
losses = []
for _ in range(15):
    optimizer.zero_grad()
    f, c, s = vgg(image), vgg(content).detach(), vgg(style).detach()
    tv = 0.5 * (
        (image[:, :, 1:] - image[:, :, :-1]).abs().mean() + (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean()
    )
    loss = F.mse_loss(f, c) + 1e3 * F.mse_loss(gram(f), gram(s)) + 0.1 * tv
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0]
grid = torchvision.utils.make_grid(torch.rand(6, 3, 8, 8), nrow=3)
torchvision.utils.save_image(grid, "grid.png")
assert Image.open("grid.png").size == (32, 22) and torchvision.io.read_image("grid.png").shape == (3, 22, 32)
assert transforms.ToPILImage()(grid).size == (32, 22)
