// The random kernels: known answers of Philox, the layout of a draw, the same numbers however a
// draw is cut, moments, limits.
#include <cmath>
#include <cstdio>

#include "outcome.h"
#include "run_kernel.h"

using namespace symk;
using namespace symk::test;

namespace {

void check(bool right, const char* what) {
  ++cases;
  if (right) return;
  ++failures;
  std::printf("failed: %s\n", what);
}

struct Key {
  int64_t seed, offset;
};
constexpr Key kKey = {0x0123456789abcdef, 5};

template <class T>
std::vector<T> draw(const char* kernel, DType dtype, int64_t count, Key key,
                    std::map<std::string, double> reals,
                    std::map<std::string, int64_t> integers = {}) {
  GivenBinding binding;
  binding.in = {type_of(DType::kInt64, {2})};
  binding.out = {type_of(dtype, {count})};
  binding.real_values = std::move(reals);
  binding.integer_values = std::move(integers);
  std::vector<T> y(static_cast<size_t>(count));
  BoundKernel(kernel, binding).run({&key}, {y.data()});
  return y;
}

std::vector<float> uniform(int64_t count, Key key) {
  return draw<float>("random_uniform", DType::kFloat32, count, key, {{"low", 0}, {"high", 1}});
}
std::vector<double> uniform_wide(int64_t count, Key key) {
  return draw<double>("random_uniform", DType::kFloat64, count, key, {{"low", 0}, {"high", 1}});
}

/// Random123's known answer for key 0 and counter 0.
void check_known_answer() {
  const uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  const std::vector<float> narrow = uniform(4, {0, 0});
  for (int i = 0; i < 4; ++i)
    check(narrow[i] == static_cast<float>(words[i] >> 8) * 0x1p-24f, "the words of block 0");
  const std::vector<double> wide = uniform_wide(2, {0, 0});
  for (int i = 0; i < 2; ++i) {
    const double expected = ((words[2 * i] >> 5) * 67108864.0 + (words[2 * i + 1] >> 6)) * 0x1p-53;
    check(wide[i] == expected, "the word pairs of block 0");
  }
}

/// A shorter draw is the beginning of a longer one; seeds and offsets give other numbers.
void check_prefixes() {
  const std::vector<float> longest = uniform(100003, kKey);
  for (int64_t n : {0, 1, 2, 3, 5, 511, 512, 513, 16383, 16384, 16385, 50000}) {
    const std::vector<float> shorter = uniform(n, kKey);
    check(std::equal(shorter.begin(), shorter.end(), longest.begin()),
          "a draw does not depend on its length");
  }
  const std::vector<double> wide = uniform_wide(20001, kKey),
                            narrow_wide = uniform_wide(1001, kKey);
  check(std::equal(narrow_wide.begin(), narrow_wide.end(), wide.begin()),
        "a float64 draw does not depend on its length");
  check(uniform(8, kKey) != uniform(8, {kKey.seed, kKey.offset + 1}),
        "another offset gives other numbers");
  check(uniform(8, kKey) != uniform(8, {kKey.seed + (int64_t{1} << 40), kKey.offset}),
        "all bits of the seed count");
  check(uniform(8, kKey) == uniform(8, kKey), "the same key gives the same numbers");
}

template <class T>
void check_moments(const char* what, const std::vector<T>& x, double mean, double deviation) {
  double sum = 0, squares = 0;
  for (T v : x) sum += static_cast<double>(v);
  const double found = sum / static_cast<double>(x.size());
  for (T v : x) squares += (static_cast<double>(v) - found) * (static_cast<double>(v) - found);
  const double spread = std::sqrt(squares / static_cast<double>(x.size()));
  // Five standard errors of the mean; the deviation's own error is smaller.
  const double room = 5 * deviation / std::sqrt(static_cast<double>(x.size()));
  if (std::fabs(found - mean) < room && std::fabs(spread - deviation) < room) return;
  ++failures;
  std::printf("%s: mean %g, not %g; deviation %g, not %g\n", what, found, mean, spread, deviation);
}

void check_uniform() {
  const int64_t n = 200000;
  check_moments("uniform float32", uniform(n, kKey), 0.5, std::sqrt(1.0 / 12));
  check_moments("uniform float64", uniform_wide(n, kKey), 0.5, std::sqrt(1.0 / 12));
  const auto scaled =
      draw<float>("random_uniform", DType::kFloat32, n, kKey, {{"low", -3}, {"high", 1}});
  check_moments("scaled uniform", scaled, -1, 4 * std::sqrt(1.0 / 12));
  const std::vector<float> plain = uniform(n, kKey);
  bool right = true;
  for (int64_t i = 0; i < n; ++i)
    right = right && scaled[i] == -3 + 4 * plain[i] && plain[i] >= 0 && plain[i] < 1;
  check(right, "uniform is low + (high - low) u with u in [0, 1)");
}

/// Box & Muller on the uniform numbers of the same key, computed in double.
template <class T>
void check_normal(DType dtype, const std::vector<T>& u, double tolerance) {
  const int64_t n = static_cast<int64_t>(u.size());
  const auto z = draw<T>("random_normal", dtype, n, kKey, {{"mean", 2}, {"std", 3}});
  check_moments("normal", z, 2, 3);
  double worst = 0;
  for (int64_t i = 0; i + 1 < n; i += 2) {
    const double radius = std::sqrt(-2 * std::log1p(-static_cast<double>(u[i])));
    const double angle = 2 * M_PI * static_cast<double>(u[i + 1]);
    worst =
        std::fmax(worst, std::fabs(static_cast<double>(z[i]) - (2 + 3 * radius * std::cos(angle))));
    worst = std::fmax(
        worst, std::fabs(static_cast<double>(z[i + 1]) - (2 + 3 * radius * std::sin(angle))));
  }
  if (worst < tolerance) return;
  ++failures;
  std::printf("normal is off by %g\n", worst);
}

template <class T>
void check_truncated_normal(DType dtype, const std::vector<T>& u, double tolerance) {
  const int64_t n = static_cast<int64_t>(u.size());
  const auto z = draw<T>("random_truncated_normal", dtype, n, kKey, {{"mean", 1}, {"std", 0.5}});
  check_moments("truncated normal", z, 1, 0.5 * 0.87962566103);
  double worst = 0;
  for (int64_t i = 0; i < n; ++i) {
    check(z[i] >= 0 && z[i] <= 2, "no number is further away than two deviations");
    // The distribution function of z is the uniform number.
    const double p =
        std::erf((static_cast<double>(z[i]) - 1) / 0.5 / std::sqrt(2.0)) / std::erf(std::sqrt(2.0));
    worst = std::fmax(worst, std::fabs(p - (2 * static_cast<double>(u[i]) - 1)));
  }
  if (worst < tolerance) return;
  ++failures;
  std::printf("truncated normal is off by %g\n", worst);
}

template <class T>
void check_bernoulli(DType dtype, const std::vector<float>& u) {
  for (double p : {0.0, 0.3, 0.5, 1.0, 1.0 / 3, 0x1p-24, 0x1p-24 + 0x1p-50}) {
    const auto y = draw<T>("random_bernoulli", dtype, static_cast<int64_t>(u.size()), kKey,
                           {{"p", p}, {"value", 1.0}});
    bool right = true;
    for (size_t i = 0; i < u.size(); ++i)
      right = right && y[i] == static_cast<T>(static_cast<double>(u[i]) < p);
    check(right, "bernoulli is u < p");
  }
}

template <class T>
void check_integers(DType dtype, const std::vector<double>& u, int64_t low, int64_t high) {
  const auto y = draw<T>("random_integers", dtype, static_cast<int64_t>(u.size()), kKey, {},
                         {{"low", low}, {"high", high}});
  const double range = static_cast<double>(high) - static_cast<double>(low);
  bool right = true;
  for (size_t i = 0; i < u.size(); ++i)
    right = right && y[i] == static_cast<T>(low + static_cast<int64_t>(u[i] * range));
  check(right, "integers are low + floor(u (high - low))");
}

}  // namespace

int main() {
  const int64_t n = 100000;
  const std::vector<float> u = uniform(n, kKey);
  const std::vector<double> wide = uniform_wide(n, kKey);
  check_known_answer();
  check_prefixes();
  check_uniform();
  check_normal(DType::kFloat32, u, 2e-5);
  check_normal(DType::kFloat64, wide, 1e-13);
  check_truncated_normal(DType::kFloat32, u, 3e-7);
  check_truncated_normal(DType::kFloat64, wide, 1e-15);
  check_bernoulli<float>(DType::kFloat32, u);
  check_bernoulli<uint8_t>(DType::kBool, u);
  check_bernoulli<uint8_t>(DType::kUInt8, u);
  check_bernoulli<int8_t>(DType::kInt8, u);
  check_bernoulli<int16_t>(DType::kInt16, u);
  check_bernoulli<int32_t>(DType::kInt32, u);
  check_bernoulli<int64_t>(DType::kInt64, u);
  check_integers<int8_t>(DType::kInt8, wide, -128, 127);
  check_integers<int16_t>(DType::kInt16, wide, -5, 1000);
  check_integers<int32_t>(DType::kInt32, wide, 0, 7);
  check_integers<int64_t>(DType::kInt64, wide, -1000000000000, 3000000000000);
  check_integers<uint8_t>(DType::kUInt8, wide, 3, 100);
  return report("random");
}
