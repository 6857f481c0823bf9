// Random draws: a thread makes the numbers of one Philox block. The stream is the CPU's: all draws
// but the two normal ones have the same bits.
#include "cpu/random_plan.h"
#include "cuda/device.h"
#include "cuda/item.h"
#include "math/drawn.h"
#include "math/error_function.h"
#include "math/philox.h"
#include "math/trigonometric.h"

namespace symk::cuda {
namespace {

/// The numbers of one block: 4 floats or 2 doubles.
template <class T>
struct Numbers {
  static constexpr int count = sizeof(T) == 4 ? 4 : 2;
  T number[count];
};

SYMK_HD void make_uniform(const math::PhiloxBlock& block, Numbers<float>& numbers) {
  for (int k = 0; k < 4; ++k) numbers.number[k] = math::uniform24(block.word[k]);
}
SYMK_HD void make_uniform(const math::PhiloxBlock& block, Numbers<double>& numbers) {
  for (int k = 0; k < 2; ++k)
    numbers.number[k] = math::uniform53(block.word[2 * k], block.word[2 * k + 1]);
}

// Each draw turns the uniform numbers of a block into results.

template <class R>
struct Uniform {
  using T = math::DrawnAs<R>;
  T low, range;
  SYMK_HD void transform(Numbers<T>& numbers) const {
    for (T& x : numbers.number) x = low + range * x;
  }
  SYMK_HD R result(T x) const { return math::from_drawn<R, T>(x); }
};

/// Box & Muller 1958: a pair of uniforms becomes a pair of normal numbers.
template <class R>
struct Normal {
  using T = math::DrawnAs<R>;
  T mean, deviation;
  SYMK_HD void transform(Numbers<T>& numbers) const {
    for (int k = 0; k < Numbers<T>::count; k += 2) {
      T &first = numbers.number[k], &second = numbers.number[k + 1];
      const T radius = math::sqrt(T(-2) * math::log(T(1) - first));
      const T angle = second * T(6.283185307179586);
      first = mean + deviation * (radius * math::cos(angle));
      second = mean + deviation * (radius * math::sin(angle));
    }
  }
  SYMK_HD R result(T x) const { return math::from_drawn<R, T>(x); }
};

/// The inverse of the normal distribution between -2 and 2: sqrt(2) erfinv(erf(sqrt(2)) (2 u - 1)).
template <class R>
struct TruncatedNormal {
  using T = math::DrawnAs<R>;
  T mean, deviation;
  SYMK_HD void transform(Numbers<T>& numbers) const {
    for (T& x : numbers.number) {
      const T z = T(1.4142135623730951) * math::erfinv(T(0.95449973610364158) * (x + x - T(1)));
      x = mean + deviation * math::min(T(2), math::max(T(-2), z));
    }
  }
  SYMK_HD R result(T x) const { return math::from_drawn<R, T>(x); }
};

template <class R>
struct Bernoulli {
  using T = math::DrawnAs<R>;
  double p, value;
  SYMK_HD void transform(Numbers<T>&) const {}
  SYMK_HD R result(T x) const {
    return math::from_drawn<R, T>(static_cast<double>(x) < p ? static_cast<T>(value) : T(0));
  }
};

template <class R>
struct Integers {
  using T = double;
  uint64_t low;
  double range;
  SYMK_HD void transform(Numbers<T>&) const {}
  // u >= 0, so cutting is rounding down.
  SYMK_HD R result(double u) const {
    return static_cast<R>(low + static_cast<uint64_t>(u * range));
  }
};

template <class Draw, class R>
struct DrawBlocks {
  Draw draw;
  const uint64_t* key;  // seed and offset
  R* y;
  int64_t count;
  SYMK_HD void operator()(int64_t block) const {
    using T = typename Draw::T;
    Numbers<T> numbers;
    make_uniform(math::philox(key[0], (key[1] << 32) + static_cast<uint64_t>(block)), numbers);
    draw.transform(numbers);
    for (int k = 0; k < Numbers<T>::count; ++k) {
      const int64_t i = block * Numbers<T>::count + k;
      if (i < count) y[i] = draw.result(numbers.number[k]);
    }
  }
};

template <class R, class Draw>
std::unique_ptr<Step> draw_step(const Binding& binding, const Draw& draw) {
  const int64_t count = binding.outputs()[0].count();
  constexpr int together = Numbers<typename Draw::T>::count;
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    each(queue, (count + together - 1) / together,
         DrawBlocks<Draw, R>{draw, input<uint64_t>(operands, 0), output<R>(operands, 0), count});
  });
}

DType result_of(const Binding& binding, const char* name) {
  cpu::require_key(binding, name);
  return binding.outputs()[0].dtype;
}

/// A draw of floats, with two numbers that describe it.
template <template <class> class Draw>
std::unique_ptr<Step> bind_floats(Binding& binding, const char* name, double a, double b) {
  const DType dtype = result_of(binding, name);
  const float first = static_cast<float>(a), second = static_cast<float>(b);
  switch (dtype) {
    case DType::kFloat32: return draw_step<float>(binding, Draw<float>{first, second});
    case DType::kFloat64: return draw_step<double>(binding, Draw<double>{a, b});
    case DType::kFloat16: return draw_step<math::Half>(binding, Draw<math::Half>{first, second});
    default: throw cpu::no_dtype(name, dtype);
  }
}

std::unique_ptr<Step> bind_uniform(Binding& binding) {
  const double low = binding.real("low");
  return bind_floats<Uniform>(binding, "random_uniform", low, binding.real("high") - low);
}
std::unique_ptr<Step> bind_normal(Binding& binding) {
  return bind_floats<Normal>(binding, "random_normal", binding.real("mean"), binding.real("std"));
}
std::unique_ptr<Step> bind_truncated_normal(Binding& binding) {
  return bind_floats<TruncatedNormal>(binding, "random_truncated_normal", binding.real("mean"),
                                      binding.real("std"));
}

std::unique_ptr<Step> bind_bernoulli(Binding& binding) {
  const DType dtype = result_of(binding, "random_bernoulli");
  const double p = binding.real("p"), value = binding.real("value");
  const auto draw = [&](auto tag) {
    using R = typename decltype(tag)::type;
    return draw_step<R>(binding, Bernoulli<R>{p, value});
  };
  return with_number(dtype, draw, [&] {
    return dtype == DType::kFloat16 ? draw(TypeTag<math::Half>()) : draw(TypeTag<uint8_t>());
  });
}

std::unique_ptr<Step> bind_integers(Binding& binding) {
  const DType dtype = result_of(binding, "random_integers");
  const auto low = static_cast<uint64_t>(binding.integer("low"));
  const auto high = static_cast<uint64_t>(binding.integer("high"));
  const double range = static_cast<double>(high - low);
  const auto refuse = [&]() -> std::unique_ptr<Step> {
    throw cpu::no_dtype("random_integers", dtype);
  };
  return with_number(
      dtype,
      [&](auto tag) -> std::unique_ptr<Step> {
        using R = typename decltype(tag)::type;
        if constexpr (std::is_integral_v<R>) {
          return draw_step<R>(binding, Integers<R>{low, range});
        } else {
          return refuse();
        }
      },
      refuse);
}

const KernelEntry entries[] = {
    {"random_uniform", bind_uniform},
    {"random_normal", bind_normal},
    {"random_truncated_normal", bind_truncated_normal},
    {"random_bernoulli", bind_bernoulli},
    {"random_integers", bind_integers},
};

}  // namespace
}  // namespace symk::cuda
