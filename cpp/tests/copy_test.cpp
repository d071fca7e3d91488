// Transposes and strided copies against element loops.
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "ops/copy/engine.h"
#include "tests/check.h"

namespace {

using namespace pydl;

std::vector<char> numbers(int64_t bytes) {
  std::vector<char> v(static_cast<size_t>(bytes));
  test::Random random;
  for (char& x : v) x = static_cast<char>(random.below(256));
  return v;
}

void check_transpose(int64_t rows, int64_t cols, int64_t item, int64_t pad) {
  const int64_t in_row = (cols + pad) * item, out_row = (rows + pad) * item;
  const std::vector<char> in = numbers(rows * in_row);
  std::vector<char> out(static_cast<size_t>(cols * out_row), 77);
  transpose2d(out.data(), out_row, in.data(), in_row, rows, cols, item);
  for (int64_t j = 0; j < cols; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      CHECK(std::memcmp(&out[static_cast<size_t>(j * out_row + i * item)], &in[static_cast<size_t>(i * in_row + j * item)],
                        static_cast<size_t>(item)) == 0,
            "rows %ld cols %ld item %ld at %ld %ld", long(rows), long(cols), long(item), long(i), long(j));
    }
    for (int64_t b = rows * item; b < out_row; ++b) CHECK(out[static_cast<size_t>(j * out_row + b)] == 77, "padding written");
  }
}

// Input of sizes[] in memory order `order`, copied to the plain layout and back.
void check_strided(const int64_t* sizes, const int* order, int64_t item, int64_t step) {
  int64_t in_strides[4], out_strides[4], stride = item * step, out_stride = item, total = 1;
  for (int k = 3; k >= 0; --k) {
    in_strides[order[k]] = stride;
    stride *= sizes[order[k]];
    out_strides[k] = out_stride;
    out_stride *= sizes[k];
    total *= sizes[k];
  }
  const std::vector<char> in = numbers(stride);
  std::vector<char> out(static_cast<size_t>(total * item)), back(in);
  strided_copy(4, sizes, out.data(), out_strides, in.data(), in_strides, item);
  for (int64_t e = 0; e < total; ++e) {
    int64_t rest = e, at = 0;
    for (int k = 3; k >= 0; --k) {
      at += rest % sizes[k] * in_strides[k];
      rest /= sizes[k];
    }
    CHECK(std::memcmp(&out[static_cast<size_t>(e * item)], &in[static_cast<size_t>(at)], static_cast<size_t>(item)) == 0,
          "item %ld step %ld", long(item), long(step));
    std::memset(&back[static_cast<size_t>(at)], 0, static_cast<size_t>(item));
  }
  strided_copy(4, sizes, back.data(), in_strides, out.data(), out_strides, item);
  CHECK(back == in, "copy back, item %ld step %ld", long(item), long(step));
}

}  // namespace

int main() {
  for (int threads = 1; threads <= 3; ++threads) {
    set_num_threads(threads);
    for (int64_t item : {1, 2, 4, 8, 16}) {
      for (int64_t rows : {1, 3, 16, 31, 64, 100}) {
        for (int64_t cols : {1, 5, 16, 33, 130}) check_transpose(rows, cols, item, rows % 3);
      }
      check_transpose(300, 700, item, 1);
      const int64_t sizes[][4] = {{2, 3, 4, 5}, {1, 17, 33, 2}, {6, 1, 40, 50}, {4, 4, 4, 4}};
      const int orders[][4] = {{0, 1, 2, 3}, {0, 2, 3, 1}, {3, 2, 1, 0}, {1, 0, 2, 3}, {0, 1, 3, 2}};
      for (const auto& s : sizes) {
        for (const auto& o : orders) {
          for (int64_t step : {1, 2}) check_strided(s, o, item, step);
        }
      }
    }
  }
  const int64_t sizes[2] = {7, 9}, out_strides[2] = {36, 4}, zero[2] = {0, 0};
  std::vector<int> out(63);
  const int five = 5;
  strided_copy(2, sizes, out.data(), out_strides, &five, zero, 4);
  for (const int x : out) CHECK(x == 5);
  fill_zero(out.data(), 63 * 4);
  for (const int x : out) CHECK(x == 0);
  return test::report("copy_test");
}
