// What a recurrent cell does after its products: activations, the new state, and the derivative of both. Strides count
// elements; the elements of a row are contiguous.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::rnn {

// `rows` samples by `units` hidden units of one time step. Gate g of a unit lies `gate_step` * g elements further.
template <class T>
struct CellStep {
  int64_t rows, units;
  const T* sums;  // of the gates before the activations; may be `gates`
  int64_t sums_row, sum_step;
  T* gates;  // after the activations
  int64_t gates_row, gate_step;
  const T* recurrent;  // GRU: the recurrent part of the candidate
  int64_t recurrent_row;
  const T* prev;  // LSTM: the cell before; GRU: the hidden state before
  int64_t prev_row;
  T* cell;  // LSTM
  int64_t cell_row;
  T* hidden;
  int64_t hidden_row;
};

// The derivative of a step: from the gradient of the new state to that of the gates and of the state before.
template <class T>
struct CellGradient {
  int64_t rows, units;
  const T* gates;  // after the activations
  int64_t gates_row, gate_step;
  const T* recurrent;
  int64_t recurrent_row;
  const T* prev;
  int64_t prev_row;
  const T* cell;
  int64_t cell_row;
  const T* grad;  // of the output; null: none
  int64_t grad_row;
  T* state;  // of the hidden state from later steps, added to `grad`; GRU leaves there what flows past the products
  int64_t state_row;
  T* grad_cell;  // LSTM: in and out
  int64_t grad_cell_row;
  T* out;  // of the gates before the activations
  int64_t out_row;
  T* out_recurrent;  // GRU: of the recurrent part of the candidate
  int64_t out_recurrent_row;
};

// `rows` of x[rows, k] times `panels` packed panels (matmul's pack_b, each nr columns wide, k rows), for very few rows:
// c = x b + beta c + bias. Panels are `panel` elements apart and their results `nr` columns.
template <class T>
struct FewRows {
  int64_t rows, k, columns;
  const T* x;
  int64_t x_row;
  const T* b;
  int64_t panel;
  T* c;
  int64_t c_row;
  bool add;       // to what c holds
  const T* bias;  // per column, or null
};
inline constexpr int64_t kFewRows = 3;

// out[j] (+)= the sum over `rows` rows of x[row, j].
template <class T>
struct ColumnSums {
  int64_t rows, columns;
  const T* x;
  int64_t x_row;
  T* out;
  bool add;
};

template <class T>
struct CellTable {
  void (*tanh)(const CellStep<T>&);
  void (*relu)(const CellStep<T>&);
  void (*lstm)(const CellStep<T>&);
  void (*gru)(const CellStep<T>&);
  void (*tanh_gradient)(const CellGradient<T>&);
  void (*relu_gradient)(const CellGradient<T>&);
  void (*lstm_gradient)(const CellGradient<T>&);
  void (*gru_gradient)(const CellGradient<T>&);
  void (*few_rows)(const FewRows<T>&);
  void (*column_sums)(const ColumnSums<T>&);
};

PYDL_KERNEL(CellTable<float>, cells_f32);
PYDL_KERNEL(CellTable<double>, cells_f64);

// The kernels of an element type.
template <class T>
const CellTable<T>& cells() {
  if constexpr (sizeof(T) == 4) {
    return cells_f32();
  } else {
    return cells_f64();
  }
}

}  // namespace pydl::kernels::rnn
