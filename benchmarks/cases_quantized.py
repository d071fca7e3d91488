"""8-bit inference: dynamic quantization of linear layers under both libraries."""

from __future__ import annotations

from benchmarks.case import Case

_DYNAMIC = """
import warnings
warnings.simplefilter("ignore")
net = torch.nn.Sequential(torch.nn.Linear({inputs}, {outputs}))
net = torch.quantization.quantize_dynamic(net, {{torch.nn.Linear}})
x = torch.randn({batch}, {inputs})
def infer():
    with torch.no_grad():
        return net(x)
"""


def _dynamic(batch: int, inputs: int, outputs: int) -> Case:
    setup = _DYNAMIC.format(batch=batch, inputs=inputs, outputs=outputs)
    return Case(f"int8 Linear {inputs}-{outputs} b{batch}", setup, "infer()", 1.0)


QUANTIZED_CASES = [_dynamic(1, 1024, 1024), _dynamic(32, 1024, 1024), _dynamic(256, 784, 256), _dynamic(64, 4096, 1024)]
