// Draws, chunk by chunk: the words of some Philox blocks, uniform numbers from them, the
// transformation, the result. Within a chunk, numbers stand by their place in the block (all first
// words, all second words, ...), so that each stage is a loop over blocks that becomes vectors;
// storing interleaves them.
#include "cpu/random.h"

#include "cpu/vec/vec.h"
#include "math/drawn.h"
#include "math/error_function.h"
#include "math/logarithm.h"
#include "math/philox.h"
#include "math/trigonometric.h"

namespace symk::cpu::SYMK_ISA {
namespace {

constexpr int kBlocks = 128;
static_assert(kBlocks * 4 == kRandomChunk, "a chunk of float32 is 128 blocks of 4");

/// Numbers of one chunk: place k of block b. A block makes 4 floats or 2 doubles.
template <class T>
struct Chunk {
  static constexpr int places = sizeof(T) == 4 ? 4 : 2;
  alignas(64) T number[places][kBlocks];
};

struct Words {
  alignas(64) uint32_t place[4][kBlocks];
};

/// The keys of all rounds.
struct RoundKeys {
  int64_t first[math::kPhiloxRounds], second[math::kPhiloxRounds];

  explicit RoundKeys(uint64_t seed) {
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < math::kPhiloxRounds; ++round) {
      first[round] = k0;
      second[round] = k1;
      k0 += math::kPhiloxKeyFirst;
      k1 += math::kPhiloxKeySecond;
    }
  }
};

/// The words of math::philox for as many counters as a vector holds. A word is the low half of its
/// lane; what the high half has gathered is not looked at.
[[gnu::always_inline]] inline void philox_lanes(const RoundKeys& keys, Vec<int64_t> counter,
                                                Vec<int64_t> (&word)[4]) {
  using V = Vec<int64_t>;
  const V first_multiplier(int64_t{math::kPhiloxFirst});
  const V second_multiplier(int64_t{math::kPhiloxSecond});
  V c0 = counter, c1 = shift_right_logical(counter, 32), c2(0), c3(0);
#pragma GCC unroll 10
  for (int round = 0; round < math::kPhiloxRounds; ++round) {
    const V first = multiply_low_halves(c0, first_multiplier);
    const V second = multiply_low_halves(c2, second_multiplier);
    c0 = bit_xor(bit_xor(shift_right_logical(second, 32), c1), V(keys.first[round]));
    c2 = bit_xor(bit_xor(shift_right_logical(first, 32), c3), V(keys.second[round]));
    c1 = second;
    c3 = first;
  }
  word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}

[[gnu::noinline]] void make_words(uint64_t seed, uint64_t counter, Words& words) {
  using V = Vec<int64_t>;
  const RoundKeys keys(seed);
  alignas(64) int64_t lanes[4][kBlocks];
  alignas(64) int64_t counters[kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    counters[b] = static_cast<int64_t>(counter + static_cast<uint64_t>(b));
  }
  for (int b = 0; b < kBlocks; b += V::width) {
    V word[4];
    philox_lanes(keys, V::load(counters + b), word);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) word[k].store(lanes[k] + b);
  }
  for (int k = 0; k < 4; ++k) {
    for (int b = 0; b < kBlocks; ++b) words.place[k][b] = static_cast<uint32_t>(lanes[k][b]);
  }
}

void make_uniform(const Words& words, Chunk<float>& chunk) {
  for (int k = 0; k < 4; ++k) {
    for (int b = 0; b < kBlocks; ++b) chunk.number[k][b] = math::uniform24(words.place[k][b]);
  }
}
[[gnu::noinline]] void make_uniform(const Words& words, Chunk<double>& chunk) {
  for (int k = 0; k < 2; ++k) {
    for (int b = 0; b < kBlocks; ++b) {
      chunk.number[k][b] = math::uniform53(words.place[2 * k][b], words.place[2 * k + 1][b]);
    }
  }
}

/// a + b * u.
template <class T>
[[gnu::noinline]] void make_affine(Chunk<T>& chunk, T a, T b) {
  for (auto& place : chunk.number) {
    for (T& x : place) x = a + b * x;
  }
}

/// Box & Muller 1958: a pair of uniforms becomes a pair of normal numbers.
template <class T>
[[gnu::noinline]] void make_normal(Chunk<T>& chunk) {
  using V = Vec<T>;
  for (int k = 0; k < Chunk<T>::places; k += 2) {
    for (int b = 0; b < kBlocks; b += V::width) {
      T *first = &chunk.number[k][b], *second = &chunk.number[k + 1][b];
      const V radius = sqrt(V(T(-2)) * math::log(V(T(1)) - V::load(first)));
      const V angle = V::load(second) * V(T(6.283185307179586));
      (radius * math::cos(angle)).store(first);
      (radius * math::sin(angle)).store(second);
    }
  }
}

/// The inverse of the normal distribution between -2 and 2: sqrt(2) erfinv(erf(sqrt(2)) (2 u - 1)).
template <class T>
[[gnu::noinline]] void make_truncated_normal(Chunk<T>& chunk) {
  using V = Vec<T>;
  for (auto& place : chunk.number) {
    for (int b = 0; b < kBlocks; b += V::width) {
      const V u = V::load(place + b);
      const V z =
          V(T(1.4142135623730951)) * math::erfinv(V(T(0.95449973610364158)) * (u + u - V(T(1))));
      min(V(T(2)), max(V(T(-2)), z)).store(place + b);
    }
  }
}

// --- what is done with the uniform numbers of a chunk, in place ---

template <class T>
void as_they_are(Chunk<T>&, const RandomDraw&) {}

template <class T>
void scaled(Chunk<T>& chunk, const RandomDraw& draw) {
  make_affine(chunk, static_cast<T>(draw.a), static_cast<T>(draw.b));
}

template <class T>
void normal(Chunk<T>& chunk, const RandomDraw& draw) {
  make_normal(chunk);
  scaled(chunk, draw);
}

template <class T>
void truncated_normal(Chunk<T>& chunk, const RandomDraw& draw) {
  make_truncated_normal(chunk);
  scaled(chunk, draw);
}

// --- how the numbers become results of type R ---

/// The first n numbers of a chunk in their order, each through f.
template <class R, class T, class F>
[[gnu::always_inline]] inline void store(const Chunk<T>& chunk, void* result, int64_t n, F f) {
  constexpr int places = Chunk<T>::places;
  R* const out = static_cast<R*>(result);
  const int64_t whole = n / places;
  const auto& number = chunk.number;
  for (int64_t b = 0; b < whole; ++b) {
    out[b * places] = f(number[0][b]);
    out[b * places + 1] = f(number[1][b]);
    if constexpr (places == 4) {
      out[b * places + 2] = f(number[2][b]);
      out[b * places + 3] = f(number[3][b]);
    }
  }
  for (int64_t i = whole * places; i < n; ++i) out[i] = f(chunk.number[i % places][i / places]);
}

template <class R, class T>
void store_numbers(const Chunk<T>& chunk, const RandomDraw&, void* out, int64_t n) {
  store<R>(chunk, out, n, math::from_drawn<R, T>);
}

/// b where a uniform number is below a, else 0.
template <class R, class T>
void store_trials(const Chunk<T>& chunk, const RandomDraw& draw, void* out, int64_t n) {
  // The least T that is not below a: no T lies between the two, so comparing with it is comparing
  // with a.
  T limit = static_cast<T>(draw.a);
  const R value = math::from_drawn<R, T>(static_cast<T>(draw.b));
  const R none = math::from_drawn<R, T>(T(0));
  if (limit >= T(0) && static_cast<double>(limit) < draw.a)
    limit = math::bit_cast<T>(math::bits(limit) + 1);
  store<R>(chunk, out, n, [=](T u) { return u < limit ? value : none; });
}

/// low + floor(b * u); u >= 0, so cutting is rounding down.
template <class R>
void store_integers(const Chunk<double>& chunk, const RandomDraw& draw, void* out, int64_t n) {
  const double range = draw.b;
  const uint64_t low = static_cast<uint64_t>(draw.low);
  store<R>(chunk, out, n,
           [=](double u) { return static_cast<R>(low + static_cast<uint64_t>(u * range)); });
}

// --- draws of elements [first, last) ---

template <class T>
using Transform = void (*)(Chunk<T>& chunk, const RandomDraw& draw);
template <class T>
using Store = void (*)(const Chunk<T>& chunk, const RandomDraw& draw, void* out, int64_t n);

template <class T>
[[gnu::noinline]] void draw_range(const RandomDraw& draw, char* out, int64_t item_bytes,
                                  int64_t first, int64_t last, Transform<T> transform,
                                  Store<T> store_chunk) {
  constexpr int places = Chunk<T>::places;
  constexpr int64_t step = static_cast<int64_t>(places) * kBlocks;
  for (int64_t i = first; i < last; i += step) {
    Words words;
    Chunk<T> chunk;
    make_words(draw.seed, draw.counter + static_cast<uint64_t>(i / places), words);
    make_uniform(words, chunk);
    transform(chunk, draw);
    store_chunk(chunk, draw, out + i * item_bytes, last - i < step ? last - i : step);
  }
}

/// `transform` of uniform numbers of type T.
template <class R, class T, Transform<T> transform, Store<T> store_chunk>
void draw(const RandomDraw& draw, void* out, int64_t first, int64_t last) {
  draw_range<T>(draw, static_cast<char*>(out), sizeof(R), first, last, transform, store_chunk);
}

template <class R, class T = math::DrawnAs<R>>
constexpr DrawFunction kUniform = &draw<R, T, &scaled<T>, &store_numbers<R, T>>;
template <class R, class T = math::DrawnAs<R>>
constexpr DrawFunction kNormal = &draw<R, T, &normal<T>, &store_numbers<R, T>>;
template <class R, class T = math::DrawnAs<R>>
constexpr DrawFunction kTruncatedNormal = &draw<R, T, &truncated_normal<T>, &store_numbers<R, T>>;
template <class R, class T = math::DrawnAs<R>>
constexpr DrawFunction kBernoulli = &draw<R, T, &as_they_are<T>, &store_trials<R, T>>;
template <class R>
constexpr DrawFunction kIntegers = &draw<R, double, &as_they_are<double>, &store_integers<R>>;

constexpr RandomKernels make_kernels() {
  RandomKernels k{};
  constexpr int f16 = static_cast<int>(DType::kFloat16), f32 = static_cast<int>(DType::kFloat32),
                f64 = static_cast<int>(DType::kFloat64), i8 = static_cast<int>(DType::kInt8),
                i16 = static_cast<int>(DType::kInt16), i32 = static_cast<int>(DType::kInt32),
                i64 = static_cast<int>(DType::kInt64), u8 = static_cast<int>(DType::kUInt8),
                boolean = static_cast<int>(DType::kBool);
  if constexpr (is_for_integers(Isa::SYMK_ISA)) {
    k.uniform[f16] = kUniform<math::Half>, k.normal[f16] = kNormal<math::Half>;
    k.truncated_normal[f16] = kTruncatedNormal<math::Half>;
    k.bernoulli[f16] = kBernoulli<math::Half>;
    k.bernoulli[i8] = kBernoulli<int8_t>, k.bernoulli[i16] = kBernoulli<int16_t>;
    k.bernoulli[i32] = kBernoulli<int32_t>, k.bernoulli[i64] = kBernoulli<int64_t>;
    k.bernoulli[u8] = kBernoulli<uint8_t>;
    k.integers[i8] = kIntegers<int8_t>, k.integers[i16] = kIntegers<int16_t>;
    k.integers[u8] = kIntegers<uint8_t>;
  } else {
    k.uniform[f32] = kUniform<float>, k.uniform[f64] = kUniform<double>;
    k.normal[f32] = kNormal<float>, k.normal[f64] = kNormal<double>;
    k.truncated_normal[f32] = kTruncatedNormal<float>;
    k.truncated_normal[f64] = kTruncatedNormal<double>;
    k.bernoulli[f32] = kBernoulli<float>, k.bernoulli[f64] = kBernoulli<double>;
    k.bernoulli[boolean] = kBernoulli<uint8_t>;
    k.integers[i32] = kIntegers<int32_t>, k.integers[i64] = kIntegers<int64_t>;
  }
  return k;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const RandomKernels& RandomKernels::of<Isa::SYMK_ISA>() {
  static constexpr RandomKernels kernels = SYMK_ISA::make_kernels();
  return kernels;
}

}  // namespace symk::cpu
