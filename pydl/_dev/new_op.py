"""Starts an op: ``python -m pydl._dev.new_op FAMILY "name(input: Tensor, ...) -> Tensor" [--kernel]``.

Writes ``cpp/ops/FAMILY/name.cpp`` with the C++ signature that belongs to the Python one, a refusing body and the
registration, and an OpInfo at the end of ``tests/opinfo/FAMILY.py``; with ``--kernel`` also the declaration and the
functor of a pointwise kernel. What is left to write is marked by ``TODO``; until it is written the op raises and its
generic tests fail.
Nothing that exists is overwritten.
"""

from __future__ import annotations

import argparse
import pathlib
import re

# How the types of a signature arrive in C++ (``ArgTraits`` in cpp/ops/registry.h).
CPP_TYPES = {
    "Tensor": "const Tensor&",
    "Tensor | None": "const Tensor&",
    "Tensor | Number": "const Operand&",
    "Number": "const Scalar&",
    "Number | None": "std::optional<Scalar>",
    "int": "int64_t",
    "int | None": "std::optional<int64_t>",
    "float": "double",
    "float | None": "std::optional<double>",
    "bool": "bool",
    "bool | None": "std::optional<bool>",
    "Size": "IntSpan",
    "int | Size": "IntSpan",
    "Size | None": "std::optional<IntSpan>",
    "int | Size | None": "std::optional<IntSpan>",
    "dtype": "DType",
    "dtype | None": "std::optional<DType>",
    "str": "std::string_view",
    "str | None": "std::optional<std::string_view>",
    "Sequence[Tensor]": "TensorSpan",
    "Generator | None": "Generator*",
    "device | None": "Device",
    "memory_format": "MemoryFormat",
}

OP = """#include "ops/registry.h"
{includes}
namespace pydl {{

{function}
PYDL_OP({name}, "{signature}", {flags}, R"doc(
TODO: one line that says what it computes, then shapes, defaults, errors raised and the source of the method.

Example:
    >>> pydl.{name}(TODO)
    TODO
)doc");

}}  // namespace pydl
"""

COMPOSED = """{result} {name}({parameters}) {{
  // TODO: check every argument, then a composition of public ops, which needs no derivative of its own.
  throw NotImplemented("{name}(): not written yet");
}}"""

POINTWISE = """{result} {name}({parameters}) {{
  {result} out = pointwise({{"{name}", kernels::pointwise::{name}()}}, {{{inputs}}}, dest);
  // TODO: if (autograd::needs_grad({inputs}))
  //   autograd::record("{node}", out, {{...}}, [...](autograd::Backward& b) {{ ... }});
  return out;
}}"""

KERNEL_H = """// TODO: what the kernel computes.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {{

PYDL_KERNEL(StripTable, {name});

}}  // namespace pydl::kernels::pointwise
"""

KERNEL_CPP = """#include "kernels/pointwise/{name}.h"

#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {{
namespace {{

struct {functor} : NoParams {{
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()({operands}) const {{
    return {sum};  // TODO
  }}
}};

}}  // namespace
}}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable {name} = scalar_table<{functor}, {count}>(Floats{{}});

PYDL_KERNELS_END
"""

OPINFO = """
# TODO: the reference, the dtypes and the bad arguments of {name}
op("{name}", np.{name}, {samples})
"""


def parse(signature: str) -> tuple[str, list[tuple[str, str]], str]:
    """The name, the (name, type) of each parameter and the result type of a signature."""
    match = re.fullmatch(r"\s*(\w+)\(((?:[^()]|\([^()]*\))*)\)\s*(?:->\s*(.+?))?\s*", signature)
    if not match:
        raise ValueError(
            f"new_op(): the signature must read name(arg: type = default, ...) -> result, got {signature!r}"
        )
    parameters = []
    for item in re.split(r",\s*(?![^\[(]*[\])])", match[2]):
        if item.strip() in ("", "*"):
            continue
        name, colon, rest = item.partition(":")
        kind = rest.partition("=")[0].strip()
        if not colon or kind not in CPP_TYPES:
            raise ValueError(f"new_op(): {item.strip()!r}: the type must be one of {', '.join(CPP_TYPES)}")
        parameters.append((name.strip(), kind))
    return match[1], parameters, match[3] or "Tensor"


def files(family: str, signature: str, kernel: bool) -> dict[str, str]:
    """Path and text of what a new op needs; a path in ``tests/`` is appended to."""
    name, parameters, result = parse(signature)
    count = result.count(",") + 1
    cpp_result = f"std::tuple<{', '.join(['Tensor'] * count)}>" if result.startswith("(") else "Tensor"
    cpp = ", ".join(f"{CPP_TYPES[kind]} {argument}" for argument, kind in parameters)
    tensors = [argument for argument, kind in parameters if kind.startswith("Tensor")]
    includes = f'#include "kernels/pointwise/{name}.h"\n#include "ops/pointwise/engine.h"\n'
    fields = {
        "name": name,
        "signature": signature.strip(),
        "result": cpp_result,
        "parameters": cpp + (", const Dest& dest" if kernel else ""),
        "inputs": ", ".join(tensors),
        "node": "".join(part.capitalize() for part in name.split("_")) + "Backward0",
        "functor": "".join(part.capitalize() for part in name.split("_")),
        "operands": ", ".join(f"T {letter}" for letter in "abcdef"[: len(tensors)]),
        "sum": " + ".join("abcdef"[: len(tensors)]),
        "count": len(tensors),
        "samples": "binary" if len(tensors) == 2 else "unary",
        "flags": "Function | Method | Inplace | Out" if kernel else "Function | Method",
        "includes": includes if kernel else "",
    }
    fields["function"] = (POINTWISE if kernel else COMPOSED).format(**fields)
    written = {f"cpp/ops/{family}/{name}.cpp": OP.format(**fields)}
    if kernel:
        written[f"cpp/kernels/pointwise/{name}.h"] = KERNEL_H.format(**fields)
        written[f"cpp/kernels/cpu/pointwise/{name}.kernel.cpp"] = KERNEL_CPP.format(**fields)
    written[f"tests/opinfo/{family}.py"] = OPINFO.format(**fields)
    return written


def write(root: pathlib.Path, written: dict[str, str]) -> None:
    """Writes new files and appends to the table of tests; refuses before the first write if a file exists."""
    for path in written:
        if not path.startswith("tests/") and (root / path).exists():
            raise FileExistsError(f"new_op(): {path} exists")
        if not (root / path).parent.is_dir():
            raise FileNotFoundError(
                f"new_op(): no folder {pathlib.Path(path).parent}; the families are the folders of cpp/ops"
            )
    for path, text in written.items():
        with (root / path).open("a") as file:
            file.write(text)
        print(("appended to " if path.startswith("tests/") else "wrote ") + path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pydl._dev.new_op", description="Starts an op.")
    parser.add_argument("family", help="folder of cpp/ops")
    parser.add_argument("signature", help='"name(input: Tensor, ...) -> Tensor"')
    parser.add_argument("--kernel", action="store_true", help="with a pointwise kernel of its own")
    arguments = parser.parse_args()
    root = pathlib.Path(__file__).parents[2]
    try:
        write(root, files(arguments.family, arguments.signature, arguments.kernel))
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
