// Index selection, gather, scatter and accumulation against element loops, for any number of threads.
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "ops/index/engine.h"
#include "tests/check.h"

namespace {

using namespace pydl;

std::vector<int64_t> random_indices(int64_t n, int64_t size) {
  test::Random random;
  std::vector<int64_t> v(static_cast<size_t>(n));
  for (int64_t& x : v) x = random.below(2 * size) - size;
  return v;
}
std::vector<float> random_floats(int64_t n) {
  test::Random random;
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(random());
  return v;
}
int64_t wrap(int64_t k, int64_t size) { return k < 0 ? k + size : k; }
char* bytes(std::vector<float>& v) { return reinterpret_cast<char*>(v.data()); }

void check_bounds() {
  std::vector<int64_t> v(1000, 3);
  CHECK(first_bad_index(v.data(), 8, 1000, 4) == -1);
  CHECK(first_bad_index(v.data(), 8, 1000, 3) == 0);
  v[777] = -5;
  CHECK(first_bad_index(v.data(), 8, 1000, 4) == 777);
  CHECK(first_bad_index(v.data() + 1, 16, 500, 4) == 388);
  v[777] = -4;
  CHECK(first_bad_index(v.data(), 8, 1000, 4) == -1);
}

void check_rows(int64_t n, int64_t size, int64_t width) {
  const std::vector<int64_t> index = random_indices(n, size);
  std::vector<float> table = random_floats(size * width), source = random_floats(n * width);
  std::vector<float> out(source.size()), copied(table), added(table), expected(table);
  index_select_rows(bytes(out), width * 4, bytes(table), width * 4, index.data(), 8, n, size, width * 4);
  index_copy_rows(bytes(copied), width * 4, bytes(source), width * 4, index.data(), 8, n, size, width * 4);
  index_add_rows(DType::Float32, bytes(added), width * 4, 4, bytes(source), width * 4, 4, index.data(), 8, n, size, width, 0.5);
  std::vector<float> last(table);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < width; ++j) {
      const size_t to = static_cast<size_t>(wrap(index[static_cast<size_t>(i)], size) * width + j),
                   from = static_cast<size_t>(i * width + j);
      CHECK(out[from] == table[to], "select n %ld size %ld width %ld", long(n), long(size), long(width));
      last[to] = source[from];
      expected[to] = expected[to] + 0.5f * source[from];
    }
  }
  CHECK(copied == last, "copy n %ld size %ld width %ld", long(n), long(size), long(width));
  CHECK(added == expected, "add n %ld size %ld width %ld", long(n), long(size), long(width));
}

// index, in and out of shape (rows, n) and (rows, size), the last dimension indexed.
void check_lines(int64_t rows, int64_t n, int64_t size) {
  const std::vector<int64_t> index = random_indices(rows * n, size);
  std::vector<float> wide = random_floats(rows * size), narrow = random_floats(rows * n);
  IndexLines s;
  s.dtype = DType::Float32;
  s.line_dims = 1;
  s.line_sizes[0] = rows;
  s.indices = index.data();
  s.index_lines[0] = n * 8;
  s.index_stride = 8;
  s.n = n;
  s.size = size;
  std::vector<float> gathered(narrow), scattered(wide), added(wide), want_gathered(narrow), want_scattered(wide), want_added(wide);
  s.in = bytes(wide), s.in_lines[0] = size * 4, s.in_stride = 4;
  s.out = bytes(gathered), s.out_lines[0] = n * 4, s.out_stride = 4;
  gather_lines(s);
  s.in = bytes(narrow), s.in_lines[0] = n * 4;
  s.out = bytes(scattered), s.out_lines[0] = size * 4;
  scatter_lines(s);
  s.out = bytes(added);
  scatter_add_lines(s);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < n; ++i) {
      const size_t a = static_cast<size_t>(r * n + i), b = static_cast<size_t>(r * size + wrap(index[a], size));
      want_gathered[a] = wide[b];
      want_scattered[b] = narrow[a];
      want_added[b] += narrow[a];
    }
  }
  CHECK(gathered == want_gathered, "gather");
  CHECK(scattered == want_scattered, "scatter");
  CHECK(added == want_added, "scatter_add");
}

}  // namespace

int main() {
  check_bounds();
  for (int threads = 1; threads <= 4; ++threads) {
    set_num_threads(threads);
    check_rows(10, 5, 3);
    check_rows(5000, 700, 33);
    check_rows(5000, 3, 16);
    check_rows(3000, 100000, 8);
    check_rows(200, 50, 2000);
    check_rows(70000, 5000, 64);  // large enough to be written past the caches
    check_rows(70000, 5000, 63);
    check_lines(1, 50, 7);
    check_lines(300, 200, 90);
  }
  return test::report("copy_index_test");
}
