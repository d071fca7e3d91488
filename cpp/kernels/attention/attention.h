// The passes of tiled attention that are not products. Scores are in base 2: scaled by log2(e) when they are formed.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::attention {

// A tile of scores, `rows` queries by `cols` keys. Row r may look at the first `limit + r` keys of the tile.
template <class T>
struct Tile {
  int64_t rows, cols, limit;
  T* s;
  int64_t s_row;
  const T* bias;        // added, times log2(e); null: none
  const uint8_t* keep;  // 0: the key is hidden; null: none
  int64_t mask_row;     // distance of rows of `bias` or `keep`
  T* drop;              // in: 1 where a weight stays, 0 where it is dropped; null: all stay. Rows lie as those of s
  T kept_scale;
};

// One block of keys: s becomes 2^(s - max), max and sum move on, and rows of `out` are rescaled where the maximum grew.
template <class T>
struct Forward {
  Tile<T> tile;
  T* max;
  T* sum;
  T* out;
  int64_t out_row, out_cols;
  bool first;  // nothing was summed before; `out` is not read
};

// One block of keys whose scores are known to be small: s becomes 2^s, nothing is ever rescaled. Without a bias.
template <class T>
struct Small {
  Tile<T> tile;
  T* sum;
  bool first;
};

// s becomes the weights as they met the values, `ds` (in: their gradient) the gradient of the scores in base e.
template <class T>
struct Backward {
  Tile<T> tile;
  T* ds;  // rows lie as those of s
  const T* log_sum;
  const T* delta;  // the inner product of each output row with its gradient
};

template <class T>
struct AttentionTable {
  void (*forward)(const Forward<T>&);
  void (*forward_small)(const Small<T>&);
  // The largest sum of squares of a row; infinity where there is an infinity or a NaN.
  T (*largest_square)(const T* p, int64_t row, int64_t rows, int64_t cols);
  // out, contiguous, becomes the rows times the factor. Returns largest_square of it.
  T (*scale_rows)(T* out, const T* p, int64_t row, int64_t rows, int64_t cols, T factor);
  // Divides rows of `out` by their sum; writes log2 of the sum of exponentials, +inf for rows that see no key.
  void (*finish)(T* out, int64_t out_row, int64_t out_cols, int64_t rows, const T* max, const T* sum, T* log_sum);
  void (*backward)(const Backward<T>&);
  void (*delta)(T* delta, const T* out, int64_t out_row, const T* grad, int64_t grad_row, int64_t cols, int64_t rows);
};

PYDL_KERNEL(AttentionTable<float>, table_f32);
PYDL_KERNEL(AttentionTable<double>, table_f64);

}  // namespace pydl::kernels::attention
