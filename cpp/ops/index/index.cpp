#include "ops/index/index.h"

#include <cstring>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/dispatch.h"
#include "ops/index/engine.h"
#include "ops/index/scatter.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

constexpr int64_t kGrainBytes = 32 << 10;

// ---- element types by size -------------------------------------------------------------------------------------

struct Bytes16 {
  uint64_t low, high;
};

template <class F>
void by_item_size(int64_t size, F&& f) {
  switch (size) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    case 8:
      return f(uint64_t{});
    default:
      return f(Bytes16{});
  }
}

template <class T>
T sum_of(T a, T b) {
  if constexpr (std::is_same_v<T, float16>) {
    return to_float16(to_float(a) + to_float(b));
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    return to_bfloat16(to_float(a) + to_float(b));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

// ---- preparing indices -----------------------------------------------------------------------------------------

// Element offsets into the indexed dims, one per position of the broadcast index shape, and the geometry of what is left.
struct Plan {
  Dims index_shape;
  std::vector<int64_t> offsets;   // elements
  Dims rest_sizes, rest_strides;  // dims of the input that are taken whole
  int place = 0;                  // where the index dims stand among the result's dims
  Dims result;                    // sizes
};

std::vector<Tensor> expand_masks(const Tensor& input, const std::vector<Tensor>& indices) {
  std::vector<Tensor> out;
  for (const Tensor& t : indices) {
    if (!t.defined() || (t.dtype() != DType::Bool && t.dtype() != DType::UInt8)) {
      PYDL_CHECK(!t.defined() || is_integer(t.dtype()), IndexError,
                 "index(): tensors used as indices must be long, int, short, byte or bool tensors, got ", t.dtype());
      out.push_back(t);
      continue;
    }
    const int at = static_cast<int>(out.size());
    PYDL_CHECK(at + t.ndim() <= input.ndim(), IndexError, "index(): too many indices for tensor of dimension ", input.ndim());
    for (int i = 0; i < t.ndim(); ++i) {
      PYDL_CHECK(t.size(i) == input.size(at + i), IndexError, "index(): The shape of the mask ", IntSpan(t.sizes()), " at index ", i,
                 " does not match the shape of the indexed tensor ", IntSpan(input.sizes()), " at index ", at + i);
    }
    if (t.ndim() == 0) {
      throw IndexError("index(): a 0-d mask must be combined as a new dim");
    }
    const Tensor positions = nonzero(t);
    for (int i = 0; i < t.ndim(); ++i) out.push_back(select(positions, 1, i));
  }
  PYDL_CHECK(static_cast<int>(out.size()) <= input.ndim(), IndexError, "index(): too many indices for tensor of dimension ", input.ndim(),
             " (got ", out.size(), ")");
  out.resize(static_cast<size_t>(input.ndim()));
  return out;
}

Plan make_plan(const Tensor& input, const std::vector<Tensor>& given) {
  const autograd::GradGuard off(false);
  const std::vector<Tensor> indices = expand_masks(input, given);
  Plan p;
  int first = -1, last = -1;
  bool any = false;
  for (int d = 0; d < input.ndim(); ++d) {
    const Tensor& t = indices[static_cast<size_t>(d)];
    if (!t.defined()) continue;
    p.index_shape = any ? broadcast_shapes(p.index_shape, t.sizes(), "index") : t.sizes();
    any = true;
    if (first < 0) first = d;
    last = d;
  }
  bool adjacent = true;
  for (int d = first; d <= last && d >= 0; ++d) adjacent &= indices[static_cast<size_t>(d)].defined();
  p.place = adjacent && first > 0 ? first : 0;
  p.offsets.assign(static_cast<size_t>(checked_numel(p.index_shape, 8, "index")), 0);
  for (int d = 0; d < input.ndim(); ++d) {
    const Tensor& t = indices[static_cast<size_t>(d)];
    if (!t.defined()) {
      p.rest_sizes.push_back(input.size(d));
      p.rest_strides.push_back(input.stride(d));
      continue;
    }
    const Tensor flat = contiguous(expand(to_dtype(t, DType::Int64), p.index_shape));
    const int64_t* v = flat.data<int64_t>();
    const int64_t n = input.size(d), stride = input.stride(d);
    for (size_t i = 0; i < p.offsets.size(); ++i) {
      PYDL_CHECK(v[i] >= -n && v[i] < n, IndexError, "index(): index ", v[i], " is out of bounds for dimension ", d, " with size ", n);
      p.offsets[i] += (v[i] < 0 ? v[i] + n : v[i]) * stride;
    }
  }
  for (int i = 0; i < p.place; ++i) p.result.push_back(p.rest_sizes[i]);
  for (const int64_t s : p.index_shape) p.result.push_back(s);
  for (int i = p.place; i < p.rest_sizes.size(); ++i) p.result.push_back(p.rest_sizes[i]);
  static_cast<void>(checked_numel(p.result, input.item_size(), "index"));
  return p;
}

// Visits every (input element, value element) pair: f(input offset, value offset) in elements, blockwise over the rest dims.
// Values are contiguous with shape p.result. The innermost rest dim is handed over as a run.
template <class F>
void for_pairs(const Plan& p, int64_t item, bool threads, F&& f) {
  const int n = p.rest_sizes.size();
  int64_t before = 1, after = 1;  // rest elements in front of and behind the index dims
  for (int i = 0; i < n; ++i) (i < p.place ? before : after) *= p.rest_sizes[i];
  const int64_t positions = static_cast<int64_t>(p.offsets.size());
  if (before == 0 || after == 0 || positions == 0) return;
  const int inner_dims = n - p.place;
  const int64_t run = inner_dims ? p.rest_sizes[n - 1] : 1, run_stride = inner_dims ? p.rest_strides[n - 1] : 0;
  const int64_t blocks = after / run;
  const auto range = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t lead = i / positions, position = i % positions;
      int64_t base = p.offsets[static_cast<size_t>(position)], rest = lead;
      for (int d = p.place; d-- > 0;) {
        base += rest % p.rest_sizes[d] * p.rest_strides[d];
        rest /= p.rest_sizes[d];
      }
      int64_t value = (lead * positions + position) * after;
      for (int64_t block = 0; block < blocks; ++block, value += run) {
        int64_t at = base, index = block;
        for (int d = n - 1; d-- > p.place;) {
          at += index % p.rest_sizes[d] * p.rest_strides[d];
          index /= p.rest_sizes[d];
        }
        f(at, run_stride, value, run);
      }
    }
  };
  threads ? parallel_for(before * positions, std::max<int64_t>(1, kGrainBytes / (after * item)), range) : range(0, before * positions);
}

template <class T>
void gather_values(const Plan& p, const T* in, T* out) {
  for_pairs(p, sizeof(T), true, [&](int64_t at, int64_t stride, int64_t value, int64_t run) {
    if (stride == 1) {
      std::memcpy(out + value, in + at, static_cast<size_t>(run) * sizeof(T));
    } else {
      for (int64_t i = 0; i < run; ++i) out[value + i] = in[at + i * stride];
    }
  });
}

template <class T>
void put_values(const Plan& p, T* out, const T* values) {
  // One thread: of several values for one place the last must win, for any number of threads.
  for_pairs(p, sizeof(T), false, [&](int64_t at, int64_t stride, int64_t value, int64_t run) {
    for (int64_t i = 0; i < run; ++i) out[at + i * stride] = values[value + i];
  });
}

template <class T>
void add_values(const Plan& p, T* out, const T* values) {
  for_pairs(p, sizeof(T), false, [&](int64_t at, int64_t stride, int64_t value, int64_t run) {
    for (int64_t i = 0; i < run; ++i) out[at + i * stride] = sum_of(out[at + i * stride], values[value + i]);
  });
}

void put_raw(const Tensor& target, const Plan& p, const Tensor& values, bool accumulate) {
  const Tensor flat = contiguous(expand(to_dtype(values, target.dtype()), p.result));
  if (!accumulate) {
    by_item_size(target.item_size(), [&]<class T>(T) { put_values(p, target.data<T>(), flat.data<T>()); });
  } else {
    dispatch("index_put_", target.dtype(), ValueTypes{}, [&]<class T>(T) { add_values(p, target.data<T>(), flat.data<T>()); });
  }
}

// zeros(sizes) with gradient added at the indices: the derivative of index().
Tensor index_backward(const Tensor& gradient, const std::vector<Tensor>& indices, IntSpan sizes) {
  const Tensor out = zeros(sizes, gradient.dtype());
  {
    const autograd::GradGuard off(false);
    put_raw(out, make_plan(out, indices), gradient, true);
  }
  if (needs_grad(gradient)) {
    autograd::record("IndexBackwardBackward0", out, {&gradient}, [indices](Backward& b) { b.set(0, index(b.grad(), indices)); });
  }
  return out;
}

}  // namespace

namespace {

// One mask of the input's own shape: no positions are needed.
bool is_whole_mask(const Tensor& input, const std::vector<Tensor>& indices) {
  return indices.size() == 1 && indices[0].defined() && indices[0].dtype() == DType::Bool && input.ndim() > 0 &&
         indices[0].sizes() == input.sizes();
}
Tensor masked_values(const Tensor& input, const Tensor& mask_) {
  const autograd::GradGuard off(false);
  const Tensor x = contiguous(input), mask = contiguous(mask_);
  const std::vector<int64_t> parts = count_mask(mask.data<uint8_t>(), mask.numel());
  int64_t count = 0;
  for (const int64_t p : parts) count += p;
  const Tensor out = empty(Dims{count}, input.dtype(), "index");
  compress(x->data, mask.data<uint8_t>(), mask.numel(), x.item_size(), parts, out->data);
  return out;
}
Tensor planned_values(const Tensor& input, const std::vector<Tensor>& indices) {
  const Plan p = make_plan(input, indices);
  const Tensor out = empty(p.result, input.dtype(), "index");
  by_item_size(input.item_size(), [&]<class T>(T) { gather_values(p, input.data<T>(), out.data<T>()); });
  return out;
}

}  // namespace

Tensor index(const Tensor& input, std::vector<Tensor> indices) {
  const Tensor out = is_whole_mask(input, indices) ? masked_values(input, indices[0]) : planned_values(input, indices);
  if (needs_grad(input)) {
    record({}, "IndexBackward0", out, {&input},
           [indices = std::move(indices), sizes = input.sizes()](Backward& b) { b.set(0, index_backward(b.grad(), indices, sizes)); });
  }
  return out;
}

Tensor index_put_(const Tensor& input, std::vector<Tensor> indices, const Tensor& values, bool accumulate) {
  check_inplace("index_put_", input);
  PYDL_CHECK(!input->storage->read_only(), Error, "index_put_(): the memory of input is read-only");
  PYDL_CHECK(!has_internal_overlap(input), Error,
             "index_put_(): unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
             "Please clone() the tensor before performing the operation.");
  const Plan p = make_plan(input, indices);
  {
    const autograd::GradGuard off(false);
    const Dims shape = broadcast_shapes(p.result, values.sizes(), "index_put_");
    PYDL_CHECK(shape == p.result, ShapeError, "index_put_(): shape mismatch: value tensor of shape ", IntSpan(values.sizes()),
               " cannot be broadcast to indexing result of shape ", IntSpan(p.result));
    put_raw(input, p, memory_overlap(input, values) == Overlap::None ? values : clone(values), accumulate);
  }
  input->bump_version();
  if (needs_grad(input, values)) {
    record(Dest::inplace(input), "IndexPutBackward0", input, {&input, &values},
           [indices = std::move(indices), accumulate, sizes = values.sizes(), dtype = values.dtype()](Backward& b) {
             if (b.needs(0))
               b.set(0, accumulate ? b.grad() : index_put_(clone(b.grad()), indices, zeros(IntSpan(), b.grad().dtype()), false));
             if (b.needs(1)) b.set(1, to_dtype(sum_to_size(index(b.grad(), indices), sizes), dtype));
           });
  }
  return input;
}

Tensor nonzero(const Tensor& input) {
  const autograd::GradGuard off(false);
  const Tensor flat = contiguous(input.dtype() == DType::Bool ? input : ne(input, Operand(0)));
  const uint8_t* v = flat.data<uint8_t>();
  int64_t count = 0;
  for (int64_t i = 0; i < flat.numel(); ++i) count += v[i] != 0;
  const int n = input.ndim();
  const Tensor out = empty(Dims{count, n}, DType::Int64, "nonzero");
  int64_t* at = out.data<int64_t>();
  int64_t index[kMaxDims] = {};
  for (int64_t i = 0; i < flat.numel(); ++i) {
    if (v[i]) {
      std::copy_n(index, n, at);
      at += n;
    }
    for (int d = n; d-- > 0 && ++index[d] == input.size(d);) index[d] = 0;
  }
  return out;
}
namespace {
std::vector<Tensor> nonzero_tuple(const Tensor& input) { return unbind(nonzero(input.ndim() ? input : reshape(input, Dims{1})), 1); }
Tensor masked_select(const Tensor& input, const Tensor& mask) {
  PYDL_CHECK(mask.dtype() == DType::Bool, Error, "masked_select(): expected BoolTensor for mask, got ", mask.dtype());
  const Dims shape = broadcast_shapes(input.sizes(), mask.sizes(), "masked_select");
  if (shape.empty()) return index(reshape(input, Dims{1}), {reshape(mask, Dims{1})});
  return index(expand(input, shape), {expand(mask, shape)});
}
}  // namespace
PYDL_OP(nonzero, "nonzero(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
The positions of the elements that are not zero, one row each, as int64, in index order.

Example:
    >>> pydl.nonzero(pydl.tensor([0, 3, 0, 5]))
    tensor([[1],
            [3]])
)doc");
PYDL_OP(nonzero_tuple, "nonzero_tuple(input: Tensor) -> Sequence[Tensor]", Private, R"doc()doc");
PYDL_OP(masked_select, "masked_select(input: Tensor, mask: Tensor) -> Tensor", Function | Method | Out, R"doc(
The elements where `mask` (broadcast) is True, as one dim.

Example:
    >>> pydl.masked_select(pydl.tensor([1, 2, 3]), pydl.tensor([True, False, True]))
    tensor([1, 3])
)doc");

// ---- along one dim ---------------------------------------------------------------------------------------------

namespace {

void check_along(const char* op, const Tensor& input, const Tensor& index, int d, bool covers) {
  PYDL_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, Error, op, "(): Expected dtype int64 for index, got ",
             index.dtype());
  PYDL_CHECK(std::max(index.ndim(), 1) == std::max(input.ndim(), 1), ShapeError, op,
             "(): Index tensor must have the same number of dimensions as input tensor, got ", index.ndim(), " and ", input.ndim());
  for (int i = 0; covers && i < index.ndim() && input.ndim() > 0; ++i) {
    PYDL_CHECK(i == d || index.size(i) <= input.size(i), ShapeError, op, "(): Size does not match at dimension ", i, " expected index ",
               IntSpan(index.sizes()), " to be no larger than input ", IntSpan(input.sizes()), " apart from dimension ", d);
  }
}

void check_positions(const char* op, const Tensor& index, int64_t size, int d) {
  const int64_t bad = first_outside(index.data<int64_t>(), index.numel(), 0, size);
  PYDL_CHECK(bad < 0, IndexError, op, "(): index ", index.data<int64_t>()[bad], " is out of bounds for dimension ", d, " with size ", size);
}

Tensor int64_index(const Tensor& index) {
  const autograd::GradGuard off(false);
  return contiguous(to_dtype(index, DType::Int64));
}

}  // namespace

Tensor gather(const Tensor& input, int64_t dim, const Tensor& index) {
  const int d = wrap_dim(dim, input.ndim(), "gather");
  check_along("gather", input, index, d, true);
  const Tensor at = int64_index(index);
  const int64_t size = input.ndim() ? input.size(d) : 1;
  check_positions("gather", at, size, d);
  const Tensor out = empty(index.sizes(), input.dtype(), "gather");
  if (at.numel()) gather_lines(index_lines(out, input, at, d, size));
  if (needs_grad(input)) {
    record({}, "GatherBackward0", out, {&input},
           [at = save(at), sizes = input.sizes(), d](Backward& b) { b.set(0, scatter_along(b.grad(), at.get(b), sizes, d)); });
  }
  return out;
}
namespace {
Tensor gather_op(const Tensor& input, int64_t dim, const Tensor& index, bool) { return gather(input, dim, index); }
}  // namespace
PYDL_OP(gather_op, "gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor", Function | Method | Out, R"doc(
out[i][j] = input[index[i][j]][j] for dim 0, and so on: elements picked along `dim` by an int64 tensor of as many dims.

Example:
    >>> pydl.gather(pydl.tensor([[1, 2], [3, 4]]), 1, pydl.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
)doc");

Tensor scatter_along(const Tensor& source, const Tensor& index, IntSpan sizes, int64_t dim) {
  const Tensor out = zeros(sizes, source.dtype());
  const Tensor at = int64_index(index);
  {
    const autograd::GradGuard off(false);
    const Tensor values = contiguous(source);
    if (at.numel()) scatter_add_new("scatter_add", out, values, at, static_cast<int>(dim));
  }
  if (needs_grad(source)) {
    record({}, "ScatterAddBackward0", out, {&source}, [at = save(at), dim](Backward& b) { b.set(0, gather(b.grad(), dim, at.get(b))); });
  }
  return out;
}

namespace {

// Rows behind dim d are copied whole; where they are single elements, lines along d are gathered with one index for all.
void select_rows(const Tensor& input, const Tensor& out, const Tensor& at, int d) {
  const autograd::GradGuard off(false);
  const Tensor x = contiguous(input);
  int64_t outer = 1, inner = x.item_size();
  for (int i = 0; i < x.ndim(); ++i) (i < d ? outer : inner) *= i == d ? 1 : x.size(i);
  const int64_t n = at.numel(), size = x.ndim() ? x.size(d) : 1;
  if (inner == x.item_size() && outer > 1) {
    const Tensor lines = reshape(x, Dims{outer, size}), to = reshape(out, Dims{outer, n});
    return gather_lines(index_lines(to, lines, expand(at, Dims{outer, n}), 1, size));
  }
  for (int64_t o = 0; o < outer; ++o) {
    index_select_rows(out->data + o * n * inner, inner, x->data + o * size * inner, inner, at.data<int64_t>(), 8, n, size, inner);
  }
}

}  // namespace

Tensor index_select(const Tensor& input, int64_t dim, const Tensor& index_) {
  const int d = wrap_dim(dim, input.ndim(), "index_select");
  PYDL_CHECK(index_.ndim() <= 1, IndexError, "index_select(): Index is supposed to be a vector, got ", index_.ndim(), " dims");
  PYDL_CHECK(index_.dtype() == DType::Int64 || index_.dtype() == DType::Int32, Error,
             "index_select(): Expected dtype int32 or int64 for index, got ", index_.dtype());
  const Tensor at = reshape(int64_index(index_), Dims{index_.numel()});
  check_positions("index_select", at, input.ndim() ? input.size(d) : 1, d);
  Dims shape = input.sizes();
  if (input.ndim()) shape[d] = at.numel();
  PYDL_CHECK(input.ndim() > 0 || at.numel() == 1, IndexError, "index_select(): expected one index for a 0-dim tensor, got ", at.numel());
  const Tensor out = empty(shape, input.dtype(), "index_select");
  if (out.numel()) select_rows(input, out, at, d);
  if (needs_grad(input)) {
    record({}, "IndexSelectBackward0", out, {&input}, [i = save(at), sizes = input.sizes(), d](Backward& b) {
      b.set(0, index_add(zeros(sizes, b.grad().dtype()), d, i.get(b), b.grad(), Scalar(1)));
    });
  }
  return out;
}
PYDL_OP(index_select, "index_select(input: Tensor, dim: int, index: Tensor) -> Tensor", Function | Method | Out, R"doc(
The slices of `input` along `dim` at the positions in the 1-D tensor `index`.

Example:
    >>> pydl.index_select(pydl.tensor([[1, 2], [3, 4]]), 1, pydl.tensor([1]))
    tensor([[2],
            [4]])
)doc");

}  // namespace pydl
