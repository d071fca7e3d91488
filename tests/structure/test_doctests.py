"""Every example in a docstring of the Python layer runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import pydl

# Run elsewhere, or scripts
LEFT_OUT = ("pydl._C", "pydl._dev", "pydl.demo", "pydl.__main__", "pydl._interop")
MODULES = sorted(
    info.name for info in pkgutil.walk_packages(pydl.__path__, "pydl.") if not info.name.startswith(LEFT_OUT)
)
NAMESPACES = [
    "array_api",
    "array_api.fft",
    "array_api.linalg",
    "attribution",
    "autograd.functional",
    "catalogue",
    "compress",
    "distributions",
    "ensemble",
    "fft",
    "geometric",
    "hub",
    "linalg",
    "linear_model",
    "losses",
    "models",
    "nn",
    "nn.blocks",
    "nn.functional",
    "nn.init",
    "nn.utils",
    "nn.utils.parametrizations",
    "nn.utils.parametrize",
    "nn.utils.prune",
    "nn.utils.rnn",
    "nn.utils.stateless",
    "optim",
    "optim.lr_scheduler",
    "optim.swa_utils",
    "quantization",
    "random",
    "search",
    "serialization",
    "signal.windows",
    "special",
    "svm",
    "text",
    "utils.data",
    "vision.datasets",
    "vision.feature_extraction",
    "vision.filters",
    "vision.io",
    "vision.models",
    "vision.models.detection",
    "vision.models.keypoint",
    "vision.models.segmentation",
    "vision.ops",
    "vision.transforms",
    "vision.transforms.functional",
    "vision.tv_tensors",
    "vision.utils",
]
# Base classes without behaviour of their own, warnings and errors, other names of one thing, and what is shown elsewhere
WITHOUT_EXAMPLE = {
    "AutoAugmentPolicy",
    "BoundingBoxFormat",
    "CIFAR10",
    "CIFAR100",
    "ConvergenceWarning",
    "DynamicQuantizedGRU",
    "DynamicQuantizedGRUCell",
    "DynamicQuantizedLSTM",
    "DynamicQuantizedLSTMCell",
    "DynamicQuantizedLinear",
    "DynamicQuantizedRNNCell",
    "EMNIST",
    "FashionMNIST",
    "ImageReadMode",
    "InterpolationMode",
    "KMNIST",
    "MNIST",
    "NotFittedError",
    "ObserverBase",
    "QATConv1d",
    "QATConv2d",
    "QATLinear",
    "Quantize",
    "QuantizedConv1d",
    "QuantizedConv2d",
    "QuantizedLinear",
    "RNNBase",
    "RNNCellBase",
    "SerializationError",
    "TVTensor",
    "VisionDataset",
    "clear_safe_globals",
    "clip_grad_norm",
    "default_fake_quant",
    "default_observer",
    "default_per_channel_weight_fake_quant",
    "default_per_channel_weight_observer",
    "default_weight_observer",
    "get_safe_globals",
    "load",
    "load_safetensors",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name: str) -> None:
    if name.startswith("pydl._speedups"):
        pytest.skip("compiled")
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    report: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        pydl.manual_seed(0)
        test.globs.setdefault("pydl", pydl)
        runner.run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", NAMESPACES)
def test_public_names_have_examples(name: str) -> None:
    module = importlib.import_module(f"pydl.{name}")
    missing = []
    for public in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
        value: Any = getattr(module, public)
        if inspect.ismodule(value) or not callable(value) or public in WITHOUT_EXAMPLE:
            continue
        if getattr(value, "__wrapped__", None) is not None and ">>>" in (value.__wrapped__.__doc__ or ""):
            continue  # an old name
        if ">>>" not in (value.__doc__ or ""):
            missing.append(public)
    assert missing == []
