// Binds the random draws. The key is read when a draw runs: seed and offset, where each offset has
// 2^32 blocks of its own.
#include "cpu/dispatch.h"
#include "cpu/lambda_step.h"
#include "cpu/random.h"
#include "cpu/random_plan.h"

namespace symk::cpu {
namespace {

constexpr int64_t kPartElements = 32 * kRandomChunk;  // some 10 microseconds

using DrawTable = DrawFunction (RandomKernels::*)[kDTypeCount];

std::unique_ptr<Step> bind_draw(Binding& binding, const char* name, DrawTable table,
                                RandomDraw draw) {
  require_key(binding, name);
  const Type& result = binding.outputs()[0];
  const DrawFunction function = kernel_of<RandomKernels>(
      [&](const RandomKernels& all) { return (all.*table)[static_cast<int>(result.dtype)]; });
  if (!function) throw no_dtype(name, result.dtype);
  const int64_t count = result.count();
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    const uint64_t* key = static_cast<const uint64_t*>(operands.in[0]);
    RandomDraw keyed = draw;
    keyed.seed = key[0];
    keyed.counter = key[1] << 32;
    run_parts(pool, count, kPartElements,
              [&](int64_t first, int64_t last) { function(keyed, operands.out[0], first, last); });
  });
}

std::unique_ptr<Step> bind_uniform(Binding& binding) {
  const double low = binding.real("low"), high = binding.real("high");
  return bind_draw(binding, "random_uniform", &RandomKernels::uniform,
                   {0, 0, low, high - low, 0});
}
std::unique_ptr<Step> bind_normal(Binding& binding) {
  const double mean = binding.real("mean"), std = binding.real("std");
  return bind_draw(binding, "random_normal", &RandomKernels::normal, {0, 0, mean, std, 0});
}
std::unique_ptr<Step> bind_truncated_normal(Binding& binding) {
  const double mean = binding.real("mean"), std = binding.real("std");
  return bind_draw(binding, "random_truncated_normal", &RandomKernels::truncated_normal,
                   {0, 0, mean, std, 0});
}
std::unique_ptr<Step> bind_bernoulli(Binding& binding) {
  return bind_draw(binding, "random_bernoulli", &RandomKernels::bernoulli,
                   {0, 0, binding.real("p"), binding.real("value"), 0});
}
std::unique_ptr<Step> bind_integers(Binding& binding) {
  const int64_t low = binding.integer("low"), high = binding.integer("high");
  const double range =
      static_cast<double>(static_cast<uint64_t>(high) - static_cast<uint64_t>(low));
  return bind_draw(binding, "random_integers", &RandomKernels::integers,
                   {0, 0, 0, range, low});
}

const KernelEntry entries[] = {
    {"random_uniform", &bind_uniform},
    {"random_normal", &bind_normal},
    {"random_truncated_normal", &bind_truncated_normal},
    {"random_bernoulli", &bind_bernoulli},
    {"random_integers", &bind_integers},
};

}  // namespace
}  // namespace symk::cpu
