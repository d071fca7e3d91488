// Counter-based fills: known answers of Philox4x32-10, the same bits for any split and on every level, and moments.
//
// Needs the objects of philox.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/cpu_info.h"
#include "kernels/random/philox.h"

using namespace pydl;
using namespace pydl::kernels;
using pydl::kernels::random::Fill;

namespace {

int failures = 0;
void expect(bool condition, const char* what) {
  if (condition) return;
  ++failures;
  std::printf("%s: FAILED: %s\n", cpu_level_name(cpu_level()), what);
}

// The reference round function, straight from the paper.
void philox_reference(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t(0xd2511f53u) * c[0], b = uint64_t(0xcd9e8d57u) * c[2];
    const uint32_t next[4] = {uint32_t(b >> 32) ^ c[1] ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ k1, uint32_t(a)};
    std::memcpy(c, next, sizeof(next));
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}

template <class T>
std::vector<T> filled(Fill fill, int64_t n, int64_t piece, const void* params) {
  std::vector<T> out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i += piece) fill(out.data() + i, i, i + piece < n ? piece : n - i, 0x123456789abcdefull, 7, params);
  return out;
}

// Every level and split against the baseline in one piece.
template <class T, class Table>
void check_fill(const char* what, const Table& table, DType d, const void* params) {
  constexpr int64_t n = 5000;
  detail::active_level = CpuLevel::Baseline;
  const std::vector<T> expected = filled<T>(table()[d], n, n, params);
  for (CpuLevel level : {CpuLevel::Baseline, CpuLevel::Avx2, CpuLevel::Avx512}) {
    if (level > cpu_info().supported) continue;
    detail::active_level = level;
    for (int64_t piece : {int64_t(1), int64_t(7), int64_t(64), int64_t(1001), n}) {
      const std::vector<T> got = filled<T>(table()[d], n, piece, params);
      expect(std::memcmp(got.data(), expected.data(), sizeof(T) * n) == 0, what);
    }
  }
}

template <class T>
void check_moments(const char* what, Fill fill, const void* params, double mean, double variance) {
  constexpr int64_t n = 1 << 20;
  const std::vector<T> x = filled<T>(fill, n, n, params);
  double sum = 0, square = 0;
  for (T v : x) sum += static_cast<double>(v);
  for (T v : x) square += (static_cast<double>(v) - sum / n) * (static_cast<double>(v) - sum / n);
  // Five standard errors of the mean; the variance to 1 %.
  expect(std::fabs(sum / n - mean) < 5 * std::sqrt(variance / n), what);
  expect(std::fabs(square / n - variance) < 0.01 * variance, what);
}

}  // namespace

int main() {
  const pydl::kernels::random::UniformParams unit{0, 1}, interval{-2, 3};
  const pydl::kernels::random::NormalParams standard{0, 1}, shifted{1.5, 0.25};
  const pydl::kernels::random::BernoulliParams third{1.0 / 3}, always{1}, never{0};
  const pydl::kernels::random::RandintParams die{1, 6}, whole{0, 0};

  detail::active_level = CpuLevel::Baseline;
  // Random123's known answer for counter 0 and key 0.
  uint32_t zero[4] = {0, 0, 0, 0};
  philox_reference(zero, 0, 0);
  expect(zero[0] == 0x6627e8d5u && zero[1] == 0xe169c58du && zero[2] == 0xbc57ac4cu && zero[3] == 0x9b00dbd8u, "reference");
  uint32_t words[128];
  pydl::kernels::random::bits()[DType::UInt32](words, 0, 128, 0xfedcba9876543210ull, 0xffffffffull - 5, nullptr);
  for (int e = 0; e < 128; ++e) {
    const uint64_t counter = 0xffffffffull - 5 + static_cast<uint64_t>(e / 64 * 16 + e % 16);
    uint32_t c[4] = {uint32_t(counter), uint32_t(counter >> 32), 0, 0};
    philox_reference(c, 0x76543210u, 0xfedcba98u);
    expect(words[e] == c[e % 64 / 16], "bits against the reference");
  }

  check_fill<uint32_t>("bits32", [] { return pydl::kernels::random::bits(); }, DType::UInt32, nullptr);
  check_fill<uint64_t>("bits64", [] { return pydl::kernels::random::bits(); }, DType::UInt64, nullptr);
  check_fill<float>("uniform32", [] { return pydl::kernels::random::uniform(); }, DType::Float32, &interval);
  check_fill<double>("uniform64", [] { return pydl::kernels::random::uniform(); }, DType::Float64, &interval);
  check_fill<float>("normal32", [] { return pydl::kernels::random::normal(); }, DType::Float32, &shifted);
  check_fill<double>("normal64", [] { return pydl::kernels::random::normal(); }, DType::Float64, &shifted);
  check_fill<uint8_t>("bernoulli", [] { return pydl::kernels::random::bernoulli(); }, DType::Bool, &third);
  check_fill<int64_t>("randint", [] { return pydl::kernels::random::randint(); }, DType::Int64, &die);

  for (CpuLevel level : {CpuLevel::Baseline, CpuLevel::Avx2, CpuLevel::Avx512}) {
    if (level > cpu_info().supported) continue;
    detail::active_level = level;
    check_moments<float>("uniform32 moments", pydl::kernels::random::uniform()[DType::Float32], &unit, 0.5, 1.0 / 12);
    check_moments<double>("uniform64 moments", pydl::kernels::random::uniform()[DType::Float64], &interval, 0.5, 25.0 / 12);
    check_moments<float>("normal32 moments", pydl::kernels::random::normal()[DType::Float32], &standard, 0, 1);
    check_moments<double>("normal64 moments", pydl::kernels::random::normal()[DType::Float64], &shifted, 1.5, 0.0625);
    check_moments<float>("bernoulli moments", pydl::kernels::random::bernoulli()[DType::Float32], &third, 1.0 / 3, 2.0 / 9);
    check_moments<int64_t>("randint moments", pydl::kernels::random::randint()[DType::Int64], &die, 3.5, 35.0 / 12);
    for (uint8_t v : filled<uint8_t>(pydl::kernels::random::bernoulli()[DType::Bool], 1000, 1000, &always)) expect(v == 1, "probability 1");
    for (uint8_t v : filled<uint8_t>(pydl::kernels::random::bernoulli()[DType::Bool], 1000, 1000, &never)) expect(v == 0, "probability 0");
    for (int64_t v : filled<int64_t>(pydl::kernels::random::randint()[DType::Int64], 10000, 10000, &die))
      expect(v >= 1 && v <= 6, "randint range");
    bool negative = false;
    for (int64_t v : filled<int64_t>(pydl::kernels::random::randint()[DType::Int64], 100, 100, &whole)) negative = negative || v < 0;
    expect(negative, "the whole range");
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
