// Measures what this machine can do at best: fused multiply-adds per second from registers, and
// bytes per second of a 64 MB copy (read + write), over the given number of threads. Prints one
// JSON object. Built with -march=native; uses the widest vector that the compiler offers through
// its vector extension.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

// Enough to hide the latency of four cycles on two ports, and to stay in registers.
constexpr int kChains = 12;

double seconds() {
  using clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

float multiply_add(long rounds) {
  Lanes chain[kChains], factor, term;
  for (int l = 0; l < kLanes; ++l) factor[l] = 0.999f, term[l] = 1e-3f;
  for (auto& c : chain) c = term;
  // Floating point may not be reassociated, so every multiply-add is done.
  for (long i = 0; i < rounds; ++i)
    for (auto& c : chain) c = c * factor + term;
  Lanes total = chain[0];
  for (int c = 1; c < kChains; ++c) total += chain[c];
  float sum = 0;
  for (int l = 0; l < kLanes; ++l) sum += total[l];
  return sum;
}

template <class Work>
double time_on_threads(int count, Work work) {
  double start = seconds();
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&work, t] { work(t); });
  for (auto& thread : threads) thread.join();
  return seconds() - start;
}

int main(int argc, char** argv) {
  int count = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  constexpr int kRepeats = 7;
  constexpr long kRounds = 4000000;
  std::vector<float> sink(count);
  double best = 1e30;
  for (int r = 0; r < kRepeats; ++r)
    best = std::min(best, time_on_threads(count, [&](int t) { sink[t] = multiply_add(kRounds); }));
  double flops = 2.0 * kLanes * kChains * kRounds * count / best;

  constexpr size_t kBytes = size_t(32) << 20;  // copied to as many again: 64 MB of traffic
  std::vector<char> from(kBytes, 1), to(kBytes, 2);
  size_t part = kBytes / count;
  constexpr int kCopies = 10;
  best = 1e30;
  for (int r = 0; r < kRepeats; ++r)
    best = std::min(best, time_on_threads(count, [&](int t) {
      for (int c = 0; c < kCopies; ++c) {
        std::memcpy(to.data() + t * part, from.data() + t * part, part);
        asm volatile("" ::"r"(to.data()) : "memory");
      }
    }));
  double bytes = 2.0 * kBytes * kCopies / best;
  std::printf("{\"flops_per_s\": %.4g, \"bytes_per_s\": %.4g, \"check\": %g}\n", flops, bytes,
              sink[0] + to[1]);
}
