"""Recurrent networks, attention and Transformer layers."""

from __future__ import annotations

from benchmarks.case import Case


def _recurrent(layer: str, steps: int, batch: int, features: int) -> str:
    return f"net = torch.nn.{layer}; x = torch.rand({steps}, {batch}, {features})"


def _step(forward: str) -> str:
    return f"net.zero_grad(); {forward}.sum().backward()"


def _attention(grad: bool) -> str:
    return (
        "attend = torch.nn.functional.scaled_dot_product_attention; "
        f"q, k, v = (torch.rand(4, 8, 512, 64, requires_grad={grad}) for _ in range(3))"
    )


_CLEAR = "; q.grad = k.grad = v.grad = None"
_SCORES = 2 * 4 * 8 * 512 * 512 * 64  # of one of the products of attention

_CHARACTERS = """
nn = torch.nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(65, 64)
        self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.head = nn.Linear(128, 65)
    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0])
"""
_TRANSFORMER = """
nn = torch.nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(65, 128)
        self.place = nn.Parameter(torch.zeros(64, 128))
        layer = nn.TransformerEncoderLayer(128, 4, 512, 0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(128, 65)
        self.mask = nn.Transformer.generate_square_subsequent_mask(64)
    def forward(self, x):
        return self.head(self.layers(self.embed(x) + self.place, mask=self.mask, is_causal=True))
"""
_TRAINING = """
net = Model()
optimizer = torch.optim.Adam(net.parameters())
x, y = torch.randint(0, 65, (32, 64)), torch.randint(0, 65, (32 * 64,))
def step():
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x).reshape(-1, 65), y).backward()
    optimizer.step()
"""


def _cells(gates: int) -> int:
    """Of 64 steps, 32 samples, 128 to 256 features, forward and backward without the input's gradient."""
    return 2 * 64 * 32 * gates * 256 * (2 * 128 + 3 * 256)


SEQ_CASES = [
    Case("RNN 128-256 fwd+bwd T64 B32", _recurrent("RNN(128, 256)", 64, 32, 128), _step("net(x)[0]"), 1.8,
         flops=_cells(1)),
    Case("GRU 128-256 fwd+bwd T64 B32", _recurrent("GRU(128, 256)", 64, 32, 128), _step("net(x)[0]"), 1.8,
         flops=_cells(3)),
    Case("LSTM 128-256 fwd+bwd T64 B32", _recurrent("LSTM(128, 256)", 64, 32, 128), _step("net(x)[0]"), 1.15,
         flops=_cells(4)),
    Case("LSTM 2 layers, 2 directions, 64-128 fwd+bwd T32 B16",
         _recurrent("LSTM(64, 128, num_layers=2, bidirectional=True)", 32, 16, 64), _step("net(x)[0]"), 1.3),
    Case("LSTM 64-128 T32 B1 inference",
         _recurrent("LSTM(64, 128).eval()", 32, 1, 64) + "; torch.set_grad_enabled(False)",
         "net(x)", 1),
    Case("LSTM character model, training step", _CHARACTERS + _TRAINING, "step()", 1.3),
    Case("attention 4x8x512x64", _attention(False), "attend(q, k, v)", 1.3, flops=2 * _SCORES),
    Case("attention 4x8x512x64 fwd+bwd", _attention(True), "attend(q, k, v).sum().backward()" + _CLEAR, 1.3,
         flops=7 * _SCORES),
    Case("attention 4x8x512x64 causal", _attention(False), "attend(q, k, v, is_causal=True)", 1.8, flops=_SCORES),
    Case("attention 4x8x512x64 causal fwd+bwd", _attention(True),
         "attend(q, k, v, is_causal=True).sum().backward()" + _CLEAR,
         1.8, flops=7 * _SCORES // 2),
    Case("Transformer encoder layer 256, 8 heads, B8 T128 fwd+bwd",
         "net = torch.nn.TransformerEncoderLayer(256, 8, 1024, batch_first=True); x = torch.rand(8, 128, 256)",
         _step("net(x)"), 1.3),
    Case("Transformer 2 layers, training step", _TRANSFORMER + _TRAINING, "step()", 2),
]  # fmt: skip
