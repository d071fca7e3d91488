#include "core/rng.h"

#include <random>

namespace pydl {

uint64_t Generator::seed() const {
  std::lock_guard lock(mutex_);
  return seed_;
}

void Generator::set_seed(uint64_t seed) {
  std::lock_guard lock(mutex_);
  seed_ = seed;
  position_ = 0;
}

Generator::State Generator::state() const {
  std::lock_guard lock(mutex_);
  return {seed_, position_};
}

void Generator::set_state(State s) {
  std::lock_guard lock(mutex_);
  seed_ = s.seed;
  position_ = s.position;
}

Generator::State Generator::reserve(uint64_t counters) {
  std::lock_guard lock(mutex_);
  const State before{seed_, position_};
  position_ += counters;
  return before;
}

Ref<Generator> default_generator() {
  static Generator* g = new Generator;  // outlives every static object that may sample at exit
  return Ref<Generator>::share(g);
}

uint64_t entropy_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace pydl
