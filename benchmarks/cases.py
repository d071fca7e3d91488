"""The benchmark cases: source text that runs under either library, imported as ``torch``."""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.cases_conv import CONV_CASES
from benchmarks.cases_geometric import GEOMETRIC_CASES
from benchmarks.cases_losses import LOSS_CASES
from benchmarks.cases_memory import MEMORY_CASES
from benchmarks.cases_norm import NORM_CASES
from benchmarks.cases_quantized import QUANTIZED_CASES
from benchmarks.cases_seq import SEQ_CASES
from benchmarks.cases_training import TRAINING_CASES
from benchmarks.cases_vision import VISION_CASES

_MLP = """
net = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))
"""
_BIG = "a = torch.rand(8 << 20); b = torch.rand(8 << 20)"
_BYTES = (8 << 20) * 4


def _matmul(n: int, form: str = "NN") -> Case:
    left = "torch.rand({0}, {0})" + (".t()" if form[0] == "T" else "")
    right = "torch.rand({0}, {0})" + (".t()" if form[1] == "T" else "")
    setup = f"a = {left.format(n)}; b = {right.format(n)}"
    return Case(f"matmul {n} {form}", setup, "a @ b", 1.0, flops=2 * n**3)


_STATEMENTS = {"add": "a + a", "pow": "torch.pow(a, 1.7)", "gelu": "torch.nn.functional.gelu(a)"}


def _elementwise(name: str, size: str, bar: float) -> Case:
    count = "8 << 20" if size == "8 M" else "1 << 16"
    values = "torch.rand" if name in ("log", "pow") else "torch.randn"
    return Case(f"{name} {size}", f"a = {values}({count})", _STATEMENTS.get(name, f"torch.{name}(a)"), bar)


CASES = [
    Case("a + b, 4 elements", "a = torch.ones(4); b = torch.ones(4)", "a + b", 4),
    Case("a + b, 4 elements, grad", "a = torch.ones(4, requires_grad=True); b = torch.ones(4)", "a + b", 4),
    Case("a * 2.0", "a = torch.ones(4)", "a * 2.0", 3),
    Case("a[3]", "a = torch.ones(4)", "a[3]", 3),
    Case("a[2:8, 1:5]", "a = torch.ones(10, 10)", "a[2:8, 1:5]", 3),
    Case("a.sum()", "a = torch.ones(4)", "a.sum()", 3),
    Case("8x8 matmul", "a = torch.ones(8, 8); b = torch.ones(8, 8)", "a @ b", 3),
    Case("zeros(16)", "", "torch.zeros(16)", 3),
    Case("tensor([..4])", "data = [1.0, 2.0, 3.0, 4.0]", "torch.tensor(data)", 3),
    Case("MLP 4-32-32-2, batch 1", _MLP + "x = torch.rand(1, 4); torch.set_grad_enabled(False)", "net(x)", 4),
    Case(
        "Adam step, MLP, batch 32",
        _MLP
        + """
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
loss_of = torch.nn.MSELoss()
x = torch.rand(32, 4); y = torch.rand(32, 2)
def step():
    opt.zero_grad()
    loss_of(net(x), y).backward()
    opt.step()
""",
        "step()",
        7,
    ),
    Case("add 8 M", _BIG, "a + b", 3, bytes=3 * _BYTES),
    Case("mul 8 M", _BIG, "a * b", 3, bytes=3 * _BYTES),
    Case("relu 8 M", _BIG, "torch.relu(a)", 3, bytes=2 * _BYTES),
    Case("mul_add 8 M", _BIG + "; c = torch.rand(8 << 20)", "torch.addcmul(a, b, c)", 3, bytes=4 * _BYTES),
    Case("where 8 M", _BIG + "; c = a > 0.5", "torch.where(c, a, b)", 3, bytes=3 * _BYTES + _BYTES // 4),
    Case("clamp 8 M", _BIG, "torch.clamp(a, 0.2, 0.8)", 3, bytes=2 * _BYTES),
    Case("to float64 8 M", _BIG, "a.double()", 3, bytes=3 * _BYTES),
    Case("to bfloat16 8 M", _BIG, "a.bfloat16()", 1, bytes=_BYTES + _BYTES // 2),
    Case("add in place 8 M", _BIG, "a.add_(b)", 1, bytes=3 * _BYTES),
    Case("mul in place 8 M", _BIG, "a.mul_(1.0)", 1, bytes=2 * _BYTES),
    Case("sigmoid in place 8 M", _BIG, "a.sigmoid_()", 1, bytes=2 * _BYTES),
    _matmul(256),
    _matmul(512),
    _matmul(1024),
    _matmul(1024, "NT"),
    _matmul(1024, "TN"),
    _matmul(2048),
    Case(
        "float64 matmul 1024",
        "a = torch.rand(1024, 1024, dtype=torch.float64); b = a + 1",
        "a @ b",
        1.1,
    ),
    Case(
        "batched matmul 512x32x32", "a = torch.rand(512, 32, 32); b = torch.rand(512, 32, 32)", "torch.bmm(a, b)", 1.2
    ),
    Case("matmul 32x4096x1024", "a = torch.rand(32, 4096); b = torch.rand(4096, 1024)", "a @ b", 1.2),
    Case("linear 32x4096x1024", "a = torch.rand(32, 4096); b = torch.rand(1024, 4096)", "a @ b.t()", 1.2),
    Case(
        "matrix times vector 4096",
        "a = torch.rand(4096, 4096); b = torch.rand(4096)",
        "a @ b",
        1.5,
        reads=4096 * 4096 * 4,
    ),
    *(_elementwise(name, "8 M", 2) for name in ("exp", "log", "tanh", "sin", "pow", "erf", "gelu")),
    *(_elementwise(name, "64 K", 1) for name in ("add", "exp", "sigmoid", "tanh", "gelu", "sin", "tan", "log", "erf")),
    Case(
        "MLP step 784-128-10, batch 32",
        """
net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
x = torch.rand(32, 784); y = torch.randint(0, 10, (32,))
def step():
    opt.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
""",
        "step()",
        1.5,
    ),
    *MEMORY_CASES,
    *NORM_CASES,
    *CONV_CASES,
    *TRAINING_CASES,
    *GEOMETRIC_CASES,
    *LOSS_CASES,
    *QUANTIZED_CASES,
    *VISION_CASES,
    *SEQ_CASES,
]
