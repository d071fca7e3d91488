// Sliding blocks as columns, and the sum of such columns.
#include <complex>

#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/dispatch.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

struct Sliding {
  const char* op;
  int64_t in[2], out[2], kernel[2], dilation[2], padding[2], stride[2];
};

using Types = TypeList<float, double, std::complex<float>, std::complex<double>>;

void set_pair(const char* op, const char* name, IntSpan values, int64_t least, int64_t (&pair)[2]) {
  PYDL_CHECK(values.size() == 1 || values.size() == 2, Error, op, "(): expected ", name, " to be one or two ints, got ", values);
  for (size_t i = 0; i < 2; ++i) {
    pair[i] = values[values.size() == 1 ? 0 : i];
    PYDL_CHECK(pair[i] >= least && pair[i] < int64_t{1} << 31, Error, op, "(): ", name, " should be at least ", least,
               " and below 2**31, but got ", values);
  }
}

void set_blocks(Sliding& s) {
  for (int d = 0; d < 2; ++d) {
    const int64_t room = s.in[d] + 2 * s.padding[d] - s.dilation[d] * (s.kernel[d] - 1) - 1;
    s.out[d] = room < 0 ? 0 : room / s.stride[d] + 1;
  }
  PYDL_CHECK(s.out[0] >= 1 && s.out[1] >= 1, ShapeError, s.op, "(): Given size (", s.in[0], ", ", s.in[1], "), kernel_size=(", s.kernel[0],
             ", ", s.kernel[1], "), dilation=(", s.dilation[0], ", ", s.dilation[1], "), padding=(", s.padding[0], ", ", s.padding[1],
             "), stride=(", s.stride[0], ", ", s.stride[1], "): the array of sliding blocks has size (", s.out[0], ", ", s.out[1],
             "), but its components must be at least one");
}

Sliding sliding(const char* op, IntSpan kernel, IntSpan dilation, IntSpan padding, IntSpan stride) {
  Sliding s{};
  s.op = op;
  set_pair(op, "kernel_size", kernel, 1, s.kernel);
  set_pair(op, "dilation", dilation, 1, s.dilation);
  set_pair(op, "padding", padding, 0, s.padding);
  set_pair(op, "stride", stride, 1, s.stride);
  return s;
}

// f(row of the image or null, first column, row of the columns) for every row of columns of a channel.
template <class T, class F>
void over_rows(const Sliding& s, T* image, T* columns, F&& f) {
  for (int64_t i = 0; i < s.kernel[0]; ++i) {
    for (int64_t j = 0; j < s.kernel[1]; ++j) {
      for (int64_t h = 0; h < s.out[0]; ++h, columns += s.out[1]) {
        const int64_t y = h * s.stride[0] - s.padding[0] + i * s.dilation[0];
        const bool inside = y >= 0 && y < s.in[0];
        f(inside ? image + y * s.in[1] : nullptr, j * s.dilation[1] - s.padding[1], columns);
      }
    }
  }
}

template <class T>
void take_blocks(const Sliding& s, T* image, T* columns) {
  over_rows(s, image, columns, [&](const T* row, int64_t x, T* out) {
    for (int64_t w = 0; w < s.out[1]; ++w, x += s.stride[1]) out[w] = row && x >= 0 && x < s.in[1] ? row[x] : T(0);
  });
}

template <class T>
void add_blocks(const Sliding& s, T* image, T* columns) {
  std::fill_n(image, s.in[0] * s.in[1], T(0));
  over_rows(s, image, columns, [&](T* row, int64_t x, const T* in) {
    for (int64_t w = 0; row && w < s.out[1]; ++w, x += s.stride[1]) {
      if (x >= 0 && x < s.in[1]) row[x] += in[w];
    }
  });
}

Tensor fold_values(const Sliding& s, const Tensor& columns);

// (N, C, H, W) to (N, C * kernel, blocks).
Tensor unfold_values(const Sliding& s, const Tensor& images) {
  const int64_t blocks = s.out[0] * s.out[1], taps = s.kernel[0] * s.kernel[1], batch = images.size(0), channels = images.size(1);
  const int64_t least[] = {batch, channels, s.kernel[0], s.kernel[1], blocks};
  static_cast<void>(checked_numel(least, images.item_size(), s.op));
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(to_dtype(images, compute_type(images.dtype())));
    out = empty(Dims{batch, channels * taps, blocks}, x.dtype(), s.op);
    dispatch(s.op, x.dtype(), Types{}, [&]<class T>(T) {
      parallel_for(batch * channels, std::max<int64_t>(1, 16384 / (taps * blocks)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) take_blocks(s, x.data<T>() + i * s.in[0] * s.in[1], out.data<T>() + i * taps * blocks);
      });
    });
    out = to_dtype(out, images.dtype());
  }
  if (needs_grad(images)) record({}, "Im2ColBackward0", out, {&images}, [s](Backward& b) { b.set(0, fold_values(s, b.grad())); });
  return out;
}

Tensor fold_values(const Sliding& s, const Tensor& columns) {
  const int64_t blocks = s.out[0] * s.out[1], taps = s.kernel[0] * s.kernel[1], batch = columns.size(0), channels = columns.size(1) / taps;
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(to_dtype(columns, compute_type(columns.dtype())));
    out = empty(Dims{batch, channels, s.in[0], s.in[1]}, x.dtype(), s.op);
    dispatch(s.op, x.dtype(), Types{}, [&]<class T>(T) {
      parallel_for(batch * channels, std::max<int64_t>(1, 16384 / (taps * blocks)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) add_blocks(s, out.data<T>() + i * s.in[0] * s.in[1], x.data<T>() + i * taps * blocks);
      });
    });
    out = to_dtype(out, columns.dtype());
  }
  if (needs_grad(columns)) record({}, "Col2ImBackward0", out, {&columns}, [s](Backward& b) { b.set(0, unfold_values(s, b.grad())); });
  return out;
}

void check_dtype(const char* op, const Tensor& t) {
  PYDL_CHECK(is_floating(t.dtype()) || is_complex(t.dtype()), NotImplemented, op, "(): \"", op, "\" not implemented for ", t.dtype());
}

Tensor unfold_images(const Tensor& input, IntSpan kernel_size, IntSpan dilation, IntSpan padding, IntSpan stride) {
  Sliding s = sliding("unfold", kernel_size, dilation, padding, stride);
  check_dtype(s.op, input);
  const int n = input.ndim();
  PYDL_CHECK(n == 3 || n == 4, ShapeError, "unfold(): Expected 3D or 4D (batch mode) tensor for input, but got size ",
             IntSpan(input.sizes()));
  for (int d = n - 3; d < n; ++d)
    PYDL_CHECK(input.size(d) > 0, ShapeError, "unfold(): Expected non-zero sizes besides the batch, but got size ", IntSpan(input.sizes()));
  s.in[0] = input.size(n - 2);
  s.in[1] = input.size(n - 1);
  set_blocks(s);
  const int64_t first[] = {0};
  return n == 4 ? unfold_values(s, input) : squeeze(unfold_values(s, unsqueeze(input, 0)), IntSpan(first));
}

Tensor fold_columns(const Tensor& input, IntSpan output_size, IntSpan kernel_size, IntSpan dilation, IntSpan padding, IntSpan stride) {
  Sliding s = sliding("fold", kernel_size, dilation, padding, stride);
  check_dtype(s.op, input);
  set_pair(s.op, "output_size", output_size, 1, s.in);
  set_blocks(s);
  const int n = input.ndim();
  PYDL_CHECK(n == 2 || n == 3, ShapeError, "fold(): Expected 2D or 3D (batch mode) tensor for input, but got size ",
             IntSpan(input.sizes()));
  int64_t taps = 0, blocks = s.out[0] * s.out[1];
  const bool overflow = __builtin_mul_overflow(s.kernel[0], s.kernel[1], &taps);
  PYDL_CHECK(!overflow && input.size(n - 2) > 0 && input.size(n - 2) % taps == 0, ShapeError,
             "fold(): Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)=",
             input.size(n - 2), " and kernel_size=(", s.kernel[0], ", ", s.kernel[1], ")");
  PYDL_CHECK(input.size(n - 1) == blocks, ShapeError, "fold(): Given output_size=(", s.in[0], ", ", s.in[1],
             "), expected size of input's dimension 2 to match the calculated number of sliding blocks ", s.out[0], " * ", s.out[1], " = ",
             blocks, ", but got input.size(2)=", input.size(n - 1));
  const int64_t first[] = {0};
  return n == 3 ? fold_values(s, input) : squeeze(fold_values(s, unsqueeze(input, 0)), IntSpan(first));
}

}  // namespace

PYDL_OP(
    unfold_images,
    "unfold(input: Tensor, kernel_size: int | Size, dilation: int | Size = 1, padding: int | Size = 0, stride: int | Size = 1) -> Tensor",
    Nn, R"doc(
The sliding blocks of images (N, C, H, W) or (C, H, W) as columns: (N, C * kernel elements, blocks).

Raises RuntimeError for blocks that do not fit.

Example:
    >>> pydl.nn.functional.unfold(pydl.arange(9.0).reshape(1, 1, 3, 3), 2).shape
    torch.Size([1, 4, 4])
)doc");
PYDL_OP(fold_columns,
        "fold(input: Tensor, output_size: int | Size, kernel_size: int | Size, dilation: int | Size = 1, padding: int | Size = 0, "
        "stride: int | Size = 1) -> Tensor",
        Nn, R"doc(
The transpose of `unfold`: images (N, C, *output_size) in which the columns (N, C * kernel elements, blocks) are added up.

Raises RuntimeError for columns that do not fit.

Example:
    >>> pydl.nn.functional.fold(pydl.ones(1, 4, 4), (3, 3), 2)[0, 0, 1]
    tensor([2., 4., 2.])
)doc");

}  // namespace pydl
