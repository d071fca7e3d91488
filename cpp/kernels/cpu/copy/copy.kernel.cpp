#include "kernels/copy/copy.h"

#include "kernels/cpu/matmul/vec.h"

namespace pydl::kernels::copy::PYDL_ISA {
namespace {

struct Wide {
  uint64_t a, b;
};

template <class T>
PYDL_INLINE T get(const char* p) {
  T x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
template <class T>
PYDL_INLINE void put(char* p, T x) {
  __builtin_memcpy(p, &x, sizeof x);
}

// N x N elements through registers. 1- and 2-byte items use 16-byte vectors, which every level transposes well.
constexpr int64_t kBandBytes = 256;

template <class T, int N>
using Row [[gnu::vector_size(sizeof(T) * N)]] = T;

template <class T, int N>
PYDL_INLINE void square(char* out, int64_t out_row, const char* in, int64_t in_row) {
  using X = Row<T, N>;
  X r[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) r[i] = get<X>(in + i * in_row);
  transpose<N>(r);
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) put(out + i * out_row, r[i]);
}

template <class T>
PYDL_INLINE void plain(char* out, int64_t out_row, const char* in, int64_t in_row, int64_t rows, int64_t cols) {
  constexpr int64_t S = sizeof(T);
  for (int64_t j = 0; j < cols; ++j) {
    for (int64_t i = 0; i < rows; ++i) put(out + j * out_row + i * S, get<T>(in + i * in_row + j * S));
  }
}

// Bands of columns as wide as a few cache lines are walked down the rows, so that every output row of the band grows
// sequentially and every page of the input serves several lines. The lines needed next are fetched ahead.
template <class T, int N>
void transpose2d(char* out, int64_t out_row, const char* in, int64_t in_row, int64_t rows, int64_t cols) {
  constexpr int64_t S = sizeof(T);
  constexpr int64_t kBand = (kBandBytes / S) / N * N;
  for (int64_t j0 = 0; j0 < cols; j0 += kBand) {
    const int64_t width = cols - j0 < kBand ? cols - j0 : kBand, whole = width / N * N;
    int64_t i = 0;
    for (; i + N <= rows; i += N) {
      const char* from = in + i * in_row + j0 * S;
      char* to = out + j0 * out_row + i * S;
      if (i + 2 * N <= rows) {
        for (int64_t k = 0; k < N; ++k) {
          for (int64_t line = 0; line < width * S; line += 64) __builtin_prefetch(from + (N + k) * in_row + line);
        }
      }
      for (int64_t j = 0; j < whole; j += N) {
        if constexpr (N > 1) {
          square<T, N>(to + j * out_row, out_row, from + j * S, in_row);
        } else {
          put(to + j * out_row, get<T>(from + j * S));
        }
      }
      if (whole < width) plain<T>(to + whole * out_row, out_row, from + whole * S, in_row, N, width - whole);
    }
    if (i < rows) plain<T>(out + j0 * out_row + i * S, out_row, in + i * in_row + j0 * S, in_row, rows - i, width);
  }
}

template <class T>
void strided(char* out, int64_t out_stride, const char* in, int64_t in_stride, int64_t n) {
  constexpr int64_t S = sizeof(T);
  if (in_stride == 0) {
    const T x = get<T>(in);
    if (out_stride == S) {
      for (int64_t i = 0; i < n; ++i) put(out + i * S, x);
    } else {
      for (int64_t i = 0; i < n; ++i) put(out + i * out_stride, x);
    }
  } else if (out_stride == S) {
    for (int64_t i = 0; i < n; ++i) put(out + i * S, get<T>(in + i * in_stride));
  } else if (in_stride == S) {
    for (int64_t i = 0; i < n; ++i) put(out + i * out_stride, get<T>(in + i * S));
  } else {
    for (int64_t i = 0; i < n; ++i) put(out + i * out_stride, get<T>(in + i * in_stride));
  }
}

constexpr int kWords = kVectorBytes / 4, kDoubles = kVectorBytes / 8;

}  // namespace

constinit const CopyTable copies = {{transpose2d<uint8_t, 16>, transpose2d<uint16_t, 8>, transpose2d<uint32_t, kWords>,
                                     transpose2d<uint64_t, kDoubles>, transpose2d<Wide, 1>},
                                    {strided<uint8_t>, strided<uint16_t>, strided<uint32_t>, strided<uint64_t>, strided<Wide>}};

}  // namespace pydl::kernels::copy::PYDL_ISA
