// Drives a fuzz target without libFuzzer: mutate SECONDS SEED FILE... changes the files at random,
// mostly with checksums put right again, so that the damage gets past them. A crash leaves its
// input in crash.symk.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "runtime/crc32.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr unsigned kSecondsPerInput = 60;
constexpr size_t kPlanHeader = 32, kFileHeader = 64;

const Bytes* current = nullptr;

/// Keeps what is being run: called by the sanitizers, by abort and by the alarm.
void keep_input() {
  if (current == nullptr) return;
  std::FILE* const file = std::fopen("crash.symk", "wb");
  if (file == nullptr) return;
  std::fwrite(current->data(), 1, current->size(), file);
  std::fclose(file);
}

void on_signal(int number) {
  keep_input();
  std::fprintf(stderr, "FINDING: signal %d%s\n", number,
               number == SIGALRM ? ": an input takes too long" : "");
  _exit(1);
}

class Random {
 public:
  explicit Random(uint64_t seed) : generator_(seed) {}
  size_t below(size_t count) {
    return std::uniform_int_distribution<size_t>(0, count - 1)(generator_);
  }

 private:
  std::mt19937_64 generator_;
};

template <class T>
T get(const Bytes& data, size_t at) {
  T value;
  std::memcpy(&value, data.data() + at, sizeof value);
  return value;
}

template <class T>
void put(Bytes& data, size_t at, T value) {
  if (at + sizeof value <= data.size()) std::memcpy(data.data() + at, &value, sizeof value);
}

// --- changes ---

void change(Bytes& data, const Bytes& other, Random& random) {
  // Most of what can go wrong stands before the weights.
  const size_t reach = random.below(2) == 0 ? data.size() : std::min<size_t>(data.size(), 4096);
  const size_t at = random.below(reach);
  constexpr uint64_t numbers[] = {0,
                                  1,
                                  2,
                                  3,
                                  7,
                                  8,
                                  9,
                                  16,
                                  64,
                                  255,
                                  65535,
                                  0x7FFFFFFF,
                                  0x80000000,
                                  0xFFFFFFFF,
                                  0x100000000,
                                  1ull << 40,
                                  1ull << 62,
                                  0x7FFFFFFFFFFFFFFF,
                                  0x8000000000000000,
                                  0xFFFFFFFFFFFFFFFF};
  const uint64_t number = numbers[random.below(std::size(numbers))];
  const auto begin = [&data](size_t place) {
    return data.begin() + static_cast<std::ptrdiff_t>(place);
  };
  switch (random.below(9)) {
    case 0: data[at] = static_cast<uint8_t>(random.below(256)); break;
    case 1: data[at] ^= static_cast<uint8_t>(1u << random.below(8)); break;
    case 2: put(data, at, static_cast<uint32_t>(number)); break;
    case 3: put(data, at - at % 4, static_cast<uint32_t>(number)); break;
    case 4: put(data, at, number); break;
    case 5:
      put(data, at, static_cast<uint32_t>(get<uint8_t>(data, at) + random.below(9) - 4));
      break;
    case 6:
      data.erase(begin(at), begin(at + std::min(data.size() - at, 1 + random.below(64))));
      break;
    case 7: {
      const Bytes copy(begin(at), begin(at + std::min(data.size() - at, 1 + random.below(64))));
      data.insert(begin(random.below(data.size())), copy.begin(), copy.end());
      break;
    }
    default: {
      const size_t from = random.below(other.size());
      const size_t count = std::min({other.size() - from, data.size() - at, 1 + random.below(128)});
      std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), count, begin(at));
    }
  }
  if (data.empty()) data.push_back(0);
}

// --- checksums ---

/// Length and checksum of the Plan that begins here, if one can lie here.
void repair_plan(Bytes& data, size_t at) {
  if (at + kPlanHeader > data.size()) return;
  const auto count = get<uint64_t>(data, at + 16);
  if (count < kPlanHeader || count > data.size() - at) return;
  put(data, at + 24, symk::crc32(data.data() + at + kPlanHeader, count - kPlanHeader));
}

/// A cursor over the directory that stops at its end.
struct Cursor {
  const Bytes& data;
  size_t at, end;

  bool skip(uint64_t count) {
    if (count > end - at) return false;
    at += count;
    return true;
  }
  bool number(uint32_t* value) {
    if (end - at < 4) return false;
    *value = get<uint32_t>(data, at);
    at += 4;
    return true;
  }
  bool text() {
    uint32_t count;
    return number(&count) && skip(count);
  }
};

void repair_values(Bytes& data, size_t end) {
  Cursor cursor{data, kFileHeader, end};
  uint32_t pairs, values, axes;
  if (!cursor.number(&pairs)) return;
  for (; pairs > 0; --pairs) {
    if (!cursor.text() || !cursor.text()) return;
  }
  if (!cursor.number(&values)) return;
  for (; values > 0; --values) {
    if (!cursor.text() || !cursor.skip(1) || !cursor.number(&axes) || !cursor.skip(8ull * axes))
      return;
    const size_t at = cursor.at;
    if (!cursor.skip(20)) return;
    const auto offset = get<uint64_t>(data, at), count = get<uint64_t>(data, at + 8);
    if (offset <= data.size() && count <= data.size() - offset)
      put(data, at + 16, symk::crc32(data.data() + offset, count));
  }
}

void repair(Bytes& data) {
  for (size_t at = data.size(); at-- > 0;) {  // inner Plans lie behind the beginning of outer ones
    if (data[at] == 'S' && data.size() - at >= 8 && std::memcmp(&data[at], "SYMKPLAN", 8) == 0)
      repair_plan(data, at);
  }
  if (data.size() < kFileHeader || std::memcmp(data.data(), "SYMKFILE", 8) != 0) return;
  put(data, 16, static_cast<uint64_t>(data.size()));
  const auto end = get<uint64_t>(data, 24);
  if (end < kFileHeader || end > data.size()) return;
  repair_values(data, end);
  put(data, 32, symk::crc32(data.data() + kFileHeader, end - kFileHeader));
}

Bytes read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

extern "C" void __asan_on_error() { keep_input(); }

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s SECONDS SEED FILE...\n", argv[0]);
    return 2;
  }
  for (int number : {SIGALRM, SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL})
    std::signal(number, on_signal);
  std::vector<Bytes> seeds;
  for (int i = 3; i < argc; ++i) seeds.push_back(read(argv[i]));
  for (const Bytes& seed : seeds) {
    current = &seed;
    if (seed.empty() || LLVMFuzzerTestOneInput(seed.data(), seed.size()) != 1) {
      std::fprintf(stderr, "an undamaged file must load; one does not\n");
      return 2;
    }
  }
  Random random(std::strtoull(argv[2], nullptr, 10));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[1]));
  size_t count = 0, loaded = 0;
  while (std::chrono::steady_clock::now() < end) {
    Bytes data = seeds[random.below(seeds.size())];
    for (size_t i = 1 + random.below(4); i > 0; --i)
      change(data, seeds[random.below(seeds.size())], random);
    if (random.below(10) != 0) repair(data);
    current = &data;
    alarm(kSecondsPerInput);
    loaded += static_cast<size_t>(LLVMFuzzerTestOneInput(data.data(), data.size()));
    alarm(0);
    ++count;
  }
  std::printf("%zu inputs, %zu of them loaded, no finding\n", count, loaded);
  return 0;
}
