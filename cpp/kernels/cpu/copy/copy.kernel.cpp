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

// A stripe of input rows is walked along its columns: output rows receive whole cache lines one stripe wide, and the
// lines of input that a step touches are still in L1 when the next step needs their other half.
template <class T, int N>
void transpose2d(char* out, int64_t out_row, const char* in, int64_t in_row, int64_t rows, int64_t cols) {
  constexpr int64_t S = sizeof(T);
  constexpr int64_t kStripe = 64 / S > N ? 64 / S : N;  // rows that fill a line of output
  if constexpr (N == 1) {
    for (int64_t i0 = 0; i0 < rows; i0 += 8) {
      const int64_t height = rows - i0 < 8 ? rows - i0 : 8;
      plain<T>(out + i0 * S, out_row, in + i0 * in_row, in_row, height, cols);
    }
    return;
  } else {
    for (int64_t i0 = 0; i0 < rows; i0 += kStripe) {
      const int64_t height = rows - i0 < kStripe ? rows - i0 : kStripe;
      int64_t j = 0;
      for (; j + N <= cols; j += N) {
        int64_t i = 0;
        for (; i + N <= height; i += N) {
          square<T, N>(out + j * out_row + (i0 + i) * S, out_row, in + (i0 + i) * in_row + j * S, in_row);
        }
        if (i < height) plain<T>(out + j * out_row + (i0 + i) * S, out_row, in + (i0 + i) * in_row + j * S, in_row, height - i, N);
      }
      if (j < cols) plain<T>(out + j * out_row + i0 * S, out_row, in + i0 * in_row + j * S, in_row, height, cols - j);
    }
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

constinit const CopyTable copies = {
    {transpose2d<uint8_t, 16>, transpose2d<uint16_t, 8>, transpose2d<uint32_t, kWords>, transpose2d<uint64_t, kDoubles>, transpose2d<Wide, 1>},
    {strided<uint8_t>, strided<uint16_t>, strided<uint32_t>, strided<uint64_t>, strided<Wide>}};

}  // namespace pydl::kernels::copy::PYDL_ISA
