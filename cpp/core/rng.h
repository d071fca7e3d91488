// Counter-based random numbers: a generator is a seed and a position, nothing more.
//
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11). A sampling call
// reserves counters for its elements; element i of the call is a function of (seed, position, i) alone, so the numbers
// do not depend on the number of threads or on the instruction set.
#pragma once

#include <cstdint>
#include <mutex>

#include "core/ref.h"

namespace pydl {

class Generator final : public RefCounted {
 public:
  static constexpr uint64_t kDefaultSeed = 67280421310721;  // torch.default_generator's
  explicit Generator(uint64_t seed = kDefaultSeed) : seed_(seed) {}
  static void destroy(Generator* g) { delete g; }

  struct State {
    uint64_t seed, position;
  };
  uint64_t seed() const;
  void set_seed(uint64_t seed);
  State state() const;
  void set_state(State s);
  // The state before, and moves on by `counters`.
  State reserve(uint64_t counters);

 private:
  mutable std::mutex mutex_;
  uint64_t seed_;
  uint64_t position_ = 0;
};

Ref<Generator> default_generator();
// One word of operating-system entropy.
uint64_t entropy_seed();

}  // namespace pydl
