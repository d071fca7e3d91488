"""Tensors, NumPy and pandas beside them, derivatives."""

import io
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from torch.autograd import Variable

x = torch.arange(12, dtype=torch.float32)
assert x.numel() == 12 and x.shape == (12,) and x.reshape(3, -1).shape == torch.Size([3, 4])
X = x.reshape(3, 4)
X[1, 2] = 17
X[:2, :] = 12
y = torch.tensor([[2.0, 1, 4, 3], [1, 2, 3, 4], [4, 3, 2, 1]])
assert torch.cat((X, y), dim=0).shape == (6, 4) and torch.cat((X, y), dim=1).shape == (3, 8)
assert (X == y).sum() == 0 and not (X == y).any()
before = id(y)
y = y + X
assert id(y) != before
Z = torch.zeros_like(y)
before = id(Z)
Z[:] = X + y
assert id(Z) == before
X += y
A = X.numpy()
B = torch.from_numpy(A)
assert type(A) is np.ndarray and type(B) is torch.Tensor and B.data_ptr() == X.data_ptr()
a = torch.tensor([3.5])
assert (a.item(), float(a), int(a)) == (3.5, 3.5, 3)
assert f"{a.item():.2f} {torch.tensor(2.0):.3f} {torch.tensor(7):d}" == "3.50 2.000 7"

# NumPy's spellings
M = torch.arange(20.0).reshape(5, 4)
assert M.sum(axis=0).shape == (4,) and M.sum(axis=[0, 1]) == M.sum() and M.mean(axis=0, keepdims=True).shape == (1, 4)
assert M.cumsum(axis=0)[-1, 0] == 40 and torch.sum(M, axis=1, keepdims=True).shape == (5, 1)
assert torch.normal(0, 0.01, size=(2, 3)).shape == (2, 3) and np.add(M, 1).shape == (5, 4) and len(M) == 5
assert torch.dot(torch.ones(4), M[0]) == 6 and torch.mv(M, torch.ones(4)).shape == (5,)
assert torch.norm(torch.tensor([3.0, -4.0])) == 5 and torch.abs(torch.tensor([3.0, -4.0])).sum() == 7
assert torch.norm(torch.ones((4, 9))) == 6 and torch.equal(M, M.T.T) and torch.mm(M, M.T).shape == (5, 5)

try:
    import pandas as pd
except ImportError:
    pd = None
if pd is not None:
    table = pd.DataFrame(
        {"rooms": [np.nan, 2, 4, np.nan], "alley": ["Pave", None, None, None], "price": [1.0, 2, 3, 4]}
    )
    inputs = pd.get_dummies(table[["rooms", "alley"]].fillna({"rooms": 3.0}), dummy_na=True)
    features = torch.tensor(inputs.to_numpy(dtype=float))
    assert features.dtype == torch.float64 and features.shape == (4, 3)
    assert torch.tensor(table["price"].values, dtype=torch.float32).reshape(-1, 1).shape == (4, 1)

# Derivatives
x = torch.arange(4.0, requires_grad=True)
y = 2 * torch.dot(x, x)
y.backward()
assert (x.grad == 4 * x).all()
x.grad.zero_()
u = (x * x).detach()
(u * x).sum().backward()
assert (x.grad == u).all()


def f(a):
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    return b if b.sum() > 0 else 100 * b


a = torch.randn(size=(), requires_grad=True)
d = f(a)
d.backward()
assert torch.isclose(a.grad, d / a)
v = Variable(torch.ones(2), requires_grad=True)
(v**2).sum().backward()
assert v.grad.tolist() == [2, 2]
with torch.no_grad():
    assert not (v * 2).requires_grad
(grad,) = torch.autograd.grad((v**3).sum(), v, create_graph=True)
assert grad.requires_grad

# Devices
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
devices = [torch.device(f"cuda:{i}") for i in range(torch.cuda.device_count())] or [torch.device("cpu")]
assert torch.ones(2, device=device).device == device == devices[0] and str(torch.device("cuda", 1)) == "cuda:1"
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.deterministic = True
torch.manual_seed(1)
torch.cuda.manual_seed_all(1)

# Files, copies, other processes
file = io.BytesIO()
torch.save([x.detach(), {"w": M}], file)
file.seek(0)
assert torch.equal(torch.load(file)[1]["w"], M)
assert torch.equal(pickle.loads(pickle.dumps(M)), M)


def total(t):
    return t.sum()


if __name__ == "__main__":
    with ProcessPoolExecutor(1) as pool:
        assert pool.submit(total, M).result() == M.sum()

torch.set_printoptions(precision=2, sci_mode=False)
assert str(torch.tensor([1.23456])) == "tensor([1.23])"
torch.set_printoptions(profile="default")
assert (
    "ones" in dir(torch) and torch.nn.Linear.__doc__ and torch.distributions.Normal(0.0, 1.0).sample((3,)).shape == (3,)
)
counts = torch.distributions.Multinomial(10, torch.ones(6) / 6).sample((500,)).cumsum(dim=0)
assert counts[-1].sum() == 5000
