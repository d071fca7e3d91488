#include "ops/matmul/matmul.h"

#include "ops/copy/copy.h"
#include "ops/matmul/gemm.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

void check_types(const char* op, const Tensor& a, const Tensor& b) {
  PYDL_CHECK(a.dtype() == b.dtype(), Error, op, "(): expected input and other to have the same dtype, but got: ", a.dtype(),
             " != ", b.dtype());
  PYDL_CHECK(gemm_supports(a.dtype()), NotImplemented, "\"", op, "\" not implemented for ", a.dtype());
}

GemmArgs problem(const Tensor& a, const Tensor& b, const Tensor& c, int dims_before) {
  const int i = dims_before;
  return {.dtype = a.dtype(),
          .m = a.size(i),
          .n = b.size(i),
          .k = a.size(i + 1),
          .a = a->data,
          .a_row = a.stride(i),
          .a_col = a.stride(i + 1),
          .b = b->data,
          .b_row = b.stride(i),
          .b_col = b.stride(i + 1),
          .c = c->data,
          .c_row = c.stride(i)};
}

// d(a b): conj for complex.
void matrix_gradients(Backward& b, const autograd::Saved& a, const autograd::Saved& c, Tensor (*product)(const Tensor&, const Tensor&)) {
  if (b.needs(0)) b.set(0, product(b.grad(), conj(matrix_transpose(c.get(b)))));
  if (b.needs(1)) b.set(1, product(conj(matrix_transpose(a.get(b))), b.grad()));
}

}  // namespace

Tensor mm(const Tensor& input, const Tensor& mat2) {
  PYDL_CHECK(input.ndim() == 2 && mat2.ndim() == 2, ShapeError, "mm(): input and mat2 must be matrices, got ", input.ndim(), "D and ",
             mat2.ndim(), "D tensors");
  PYDL_CHECK(input.size(1) == mat2.size(0), ShapeError, "mm(): input and mat2 shapes cannot be multiplied (", input.size(0), "x",
             input.size(1), " and ", mat2.size(0), "x", mat2.size(1), ")");
  check_types("mm", input, mat2);
  const int64_t sizes[] = {input.size(0), mat2.size(1)};
  const Tensor out = empty(sizes, input.dtype(), "mm");
  GemmArgs args = problem(input, mat2, out, 0);
  args.n = mat2.size(1);
  gemm(args);
  if (needs_grad(input, mat2)) {
    record({}, "MmBackward0", out, {&input, &mat2},
           [a = needs_grad(mat2) ? save(input) : autograd::Saved(), c = needs_grad(input) ? save(mat2) : autograd::Saved()](Backward& b) {
             matrix_gradients(b, a, c, &mm);
           });
  }
  return out;
}
PYDL_OP(mm, "mm(input: Tensor, mat2: Tensor) -> Tensor", Function | Method | Out, R"doc(
The product of two matrices (n, m) and (m, p). Raises ShapeError when m differs.

Example:
    >>> pydl.mm(pydl.tensor([[1., 2.]]), pydl.tensor([[3.], [4.]]))
    tensor([[11.]])
)doc");

Tensor bmm(const Tensor& input, const Tensor& mat2) {
  PYDL_CHECK(input.ndim() == 3 && mat2.ndim() == 3, ShapeError, "bmm(): batch1 and batch2 must be 3D tensors, got ", input.ndim(), "D and ",
             mat2.ndim(), "D");
  PYDL_CHECK(input.size(0) == mat2.size(0) && input.size(2) == mat2.size(1), ShapeError,
             "bmm(): Expected size for first two dimensions of batch2 tensor to be: [", input.size(0), ", ", input.size(2), "] but got: [",
             mat2.size(0), ", ", mat2.size(1), "].");
  check_types("bmm", input, mat2);
  const int64_t sizes[] = {input.size(0), input.size(1), mat2.size(2)};
  const Tensor out = empty(sizes, input.dtype(), "bmm");
  GemmArgs args = problem(input, mat2, out, 1);
  args.n = mat2.size(2);
  gemm_batched(args, input.size(0), input.stride(0), mat2.stride(0), out.stride(0));
  if (needs_grad(input, mat2)) {
    record({}, "BmmBackward0", out, {&input, &mat2},
           [a = needs_grad(mat2) ? save(input) : autograd::Saved(), c = needs_grad(input) ? save(mat2) : autograd::Saved()](Backward& b) {
             matrix_gradients(b, a, c, &bmm);
           });
  }
  return out;
}
PYDL_OP(bmm, "bmm(input: Tensor, mat2: Tensor) -> Tensor", Function | Method | Out, R"doc(
Products of matrices in a batch: (b, n, m) and (b, m, p) give (b, n, p).

Example:
    >>> pydl.bmm(pydl.ones(2, 1, 3), pydl.ones(2, 3, 1)).flatten()
    tensor([3., 3.])
)doc");

Tensor mv(const Tensor& input, const Tensor& vec) {
  PYDL_CHECK(input.ndim() == 2 && vec.ndim() == 1, ShapeError, "mv(): expected a matrix and a vector, got ", input.ndim(), "D and ",
             vec.ndim(), "D");
  PYDL_CHECK(input.size(1) == vec.size(0), ShapeError, "mv(): size mismatch, got input (", input.size(0), "x", input.size(1), "), vec (",
             vec.size(0), ")");
  const int64_t size[] = {input.size(0)};
  return reshape(mm(input, unsqueeze(vec, 1)), size);
}
PYDL_OP(mv, "mv(input: Tensor, vec: Tensor) -> Tensor", Function | Method | Out, R"doc(
The product of a matrix (n, m) and a vector (m).

Example:
    >>> pydl.mv(pydl.tensor([[1., 2.], [3., 4.]]), pydl.ones(2))
    tensor([3., 7.])
)doc");

Tensor inner(const Tensor& input, const Tensor& tensor) {
  PYDL_CHECK(input.ndim() == 1 && tensor.ndim() == 1, ShapeError, "dot(): 1D tensors expected, but got ", input.ndim(), "D and ",
             tensor.ndim(), "D tensors");
  PYDL_CHECK(input.numel() == tensor.numel(), ShapeError, "dot(): inconsistent tensor size, expected tensor [", input.numel(),
             "] and src [", tensor.numel(), "] to have the same number of elements");
  check_types("dot", input, tensor);
  if (input.dtype() != DType::Float32 && input.dtype() != DType::Float64)
    return sum(mul(input, tensor), std::nullopt, false, input.dtype());
  const Tensor a = contiguous(input), c = contiguous(tensor);
  const Tensor out = scalar_tensor(Scalar(dot(a.dtype(), a->data, c->data, a.numel())), a.dtype());
  if (needs_grad(input, tensor)) {
    record({}, "DotBackward0", out, {&input, &tensor}, [x = save(input), y = save(tensor)](Backward& b) {
      if (b.needs(0)) b.set(0, mul(y.get(b), b.grad()));
      if (b.needs(1)) b.set(1, mul(x.get(b), b.grad()));
    });
  }
  return out;
}
PYDL_OP(inner, "dot(input: Tensor, tensor: Tensor) -> Tensor", Function | Method | Out, R"doc(
The inner product of two vectors, carried in float64 and over a fixed tree of blocks.

Example:
    >>> pydl.dot(pydl.tensor([1., 2.]), pydl.tensor([3., 4.]))
    tensor(11.)
)doc");

namespace {

Tensor fold_batch(const Tensor& t, int64_t batch) { return reshape(t, Dims{batch, t.size(t.ndim() - 2), t.size(t.ndim() - 1)}); }

// Both operands have at least two dims, one has more.
Tensor batched(const Tensor& a, const Tensor& b) {
  const auto lead = [](const Tensor& t) { return IntSpan(t.sizes()).subspan(0, static_cast<size_t>(t.ndim() - 2)); };
  Dims batch = broadcast_shapes(lead(a), lead(b), "matmul");
  const int64_t n = checked_numel(batch, 1, "matmul");
  const auto widen = [&](const Tensor& t) {
    Dims sizes = batch;
    sizes.push_back(t.size(t.ndim() - 2));
    sizes.push_back(t.size(t.ndim() - 1));
    return t.sizes() == sizes ? t : expand(t, sizes);
  };
  PYDL_CHECK(a.size(a.ndim() - 1) == b.size(b.ndim() - 2), ShapeError, "matmul(): shapes ", IntSpan(a.sizes()), " and ", IntSpan(b.sizes()),
             " cannot be multiplied");
  const Tensor out = bmm(fold_batch(widen(a), n), fold_batch(widen(b), n));
  batch.push_back(a.size(a.ndim() - 2));
  batch.push_back(b.size(b.ndim() - 1));
  return reshape(out, batch);
}

}  // namespace

Tensor matmul(const Tensor& input, const Tensor& other) {
  const int a = input.ndim(), b = other.ndim();
  PYDL_CHECK(a > 0 && b > 0, ShapeError, "matmul(): both arguments need to be at least 1D, but they are ", a, "D and ", b, "D");
  if (a == 2 && b == 2) return mm(input, other);
  if (a == 1 && b == 1) return inner(input, other);
  if (a == 2 && b == 1) return mv(input, other);
  if (a == 1) {
    const Tensor out = matmul(unsqueeze(input, 0), other);
    const int64_t dim[] = {-2};
    return squeeze(out, IntSpan(dim));
  }
  if (b == 1) {
    const Tensor out = matmul(input, unsqueeze(other, 1));
    const int64_t dim[] = {-1};
    return squeeze(out, IntSpan(dim));
  }
  if (b == 2 && view_strides(input, Dims{input.numel() / std::max<int64_t>(1, input.size(a - 1)),
                                         input.size(a - 1)})) {  // [..., M, K] x [K, N] is one product
    Dims sizes = input.sizes();
    PYDL_CHECK(input.size(a - 1) == other.size(0), ShapeError, "matmul(): shapes ", IntSpan(input.sizes()), " and ", IntSpan(other.sizes()),
               " cannot be multiplied");
    const int64_t k = sizes[a - 1];
    sizes[a - 1] = other.size(1);
    int64_t rows = 1;
    for (int i = 0; i + 1 < a; ++i) rows *= input.size(i);
    return reshape(mm(reshape(input, Dims{rows, k}), other), sizes);
  }
  return batched(input, other);
}
PYDL_OP(matmul, "matmul(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc(
The matrix product with NumPy's rules: vectors, matrices, and broadcast batches of matrices.

Raises ShapeError if the shapes do not fit, RuntimeError if the dtypes differ.

Example:
    >>> pydl.matmul(pydl.tensor([[1., 2.], [3., 4.]]), pydl.tensor([1., 1.]))
    tensor([3., 7.])
)doc");

// ---- linear ----------------------------------------------------------------------------------------------------

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  PYDL_CHECK(weight.ndim() == 2 && input.ndim() >= 1, ShapeError, "linear(): expected weight of 2 dims and input of at least 1, got ",
             weight.ndim(), " and ", input.ndim());
  const int64_t k = input.size(input.ndim() - 1), n = weight.size(0);
  PYDL_CHECK(weight.size(1) == k, ShapeError, "linear(): input and weight.T shapes cannot be multiplied (",
             input.numel() / std::max<int64_t>(k, 1), "x", k, " and ", weight.size(1), "x", n, ")");
  PYDL_CHECK(!bias.defined() || (bias.ndim() == 1 && bias.size(0) == n), ShapeError, "linear(): expected bias of size [", n, "], got ",
             bias.defined() ? IntSpan(bias.sizes()) : IntSpan());
  check_types("linear", input, weight);
  if (bias.defined()) check_types("linear", input, bias);
  Dims sizes = input.sizes();
  sizes.back() = n;
  int64_t rows = 1;
  for (int i = 0; i + 1 < input.ndim(); ++i) rows *= input.size(i);
  const Tensor x = input.ndim() == 2 ? input : reshape(input, Dims{rows, k});
  const Tensor out = empty(sizes, input.dtype(), "linear");
  const Tensor b = bias.defined() ? contiguous(bias) : Tensor();
  gemm({.dtype = x.dtype(),
        .m = rows,
        .n = n,
        .k = k,
        .a = x->data,
        .a_row = x.stride(0),
        .a_col = x.stride(1),
        .b = weight->data,
        .b_row = weight.stride(1),
        .b_col = weight.stride(0),
        .c = out->data,
        .c_row = n,
        .bias = b.defined() ? b->data : nullptr,
        .bias_mode = b.defined() ? BiasMode::PerColumn : BiasMode::None});
  if (needs_grad(input, weight, bias)) {
    record({}, bias.defined() ? "AddmmBackward0" : "MmBackward0", out, {&input, &weight, &bias},
           [x = needs_grad(weight) ? save(input) : autograd::Saved(), w = needs_grad(input) ? save(weight) : autograd::Saved(), rows, n,
            k](Backward& b) {
             const Tensor g = b.grad().ndim() == 2 ? b.grad() : reshape(b.grad(), Dims{rows, n});
             if (b.needs(0)) {
               const Tensor dx = mm(g, conj(w.get(b)));
               Dims shape = b.grad().sizes();
               shape.back() = k;
               b.set(0, b.grad().ndim() == 2 ? dx : reshape(dx, shape));
             }
             if (b.needs(1)) {
               const Tensor in = x.get(b);
               b.set(1, mm(transpose(g, 0, 1), conj(in.ndim() == 2 ? in : reshape(in, Dims{rows, k}))));
             }
             const int64_t dim[] = {0};
             if (b.needs(2)) b.set(2, sum(g, IntSpan(dim)));
           });
  }
  return out;
}
PYDL_OP(linear, "linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor", Nn, R"doc(
input @ weight.T + bias: input (*, in_features), weight (out_features, in_features), bias (out_features). The bias is added
in the product's last pass over the result.

Example:
    >>> pydl.nn.functional.linear(pydl.ones(1, 2), pydl.tensor([[1., 2.]]), pydl.tensor([0.5]))
    tensor([[3.5000]])
)doc");

}  // namespace pydl
