// One pass over each result; ranges of operands are only looked at for a message.
#include "runtime/finite.h"

#include <cmath>
#include <cstdio>
#include <string>

#include "runtime/error.h"
#include "runtime/text.h"

namespace symk {
namespace {

/// A float16 as a number; written for clearness, since it is used in messages and in checks alone.
double half_value(uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 31, digits = bits & 1023;
  if (exponent == 31) return digits != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(digits, -24);
  return sign * std::ldexp(1024 + digits, exponent - 25);
}

/// Calls f(position, value) for every element of a floating array, until f returns false.
template <class F>
void for_each(const Type& type, const void* data, F f) {
  const int64_t count = type.count();
  bool more = true;
  for (int64_t i = 0; i < count && more; ++i) {
    switch (type.dtype) {
      case DType::kFloat32: more = f(i, double{static_cast<const float*>(data)[i]}); break;
      case DType::kFloat64: more = f(i, static_cast<const double*>(data)[i]); break;
      case DType::kFloat16: more = f(i, half_value(static_cast<const uint16_t*>(data)[i])); break;
      default: return;
    }
  }
}

bool is_float(const Type& type) {
  return type.dtype == DType::kFloat32 || type.dtype == DType::kFloat64 ||
         type.dtype == DType::kFloat16;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// Where the first value that is not finite is, as in messages; empty if there is none.
std::string first_not_finite(const Type& type, const void* data) {
  std::string found;
  for_each(type, data, [&](int64_t position, double value) {
    if (std::isfinite(value)) return true;
    found = number_text(value) + " came out at position " + std::to_string(position) + " of " +
            type_text(type);
    return false;
  });
  return found;
}

/// The type of an operand, and between which values it lies.
std::string range_text(const Type& type, const void* data) {
  if (!is_float(type) || type.count() == 0) return type_text(type);
  double low = INFINITY, high = -INFINITY;
  bool is_number = true;
  for_each(type, data, [&](int64_t, double value) {
    low = std::fmin(low, value);
    high = std::fmax(high, value);
    is_number = is_number && !std::isnan(value);
    return true;
  });
  const std::string range = " from " + number_text(low) + " to " + number_text(high);
  return type_text(type) + (is_number ? range : " with nan");
}

/// The op of a step: the kernel, or what an elementwise program does.
std::string op_name(const PlanStep& step) {
  std::string name = step.kernel;
  for (const Attribute& attribute : step.attributes) {
    if (step.kernel != "elementwise" || attribute.key != "ops") continue;
    name.clear();
    for (const std::string& op : attribute.texts) name += (name.empty() ? "" : " ") + op;
  }
  return name;
}

/// An operand that came from outside with a value that is not finite is the cause.
void blame_sources(const Plan& plan, const PlanStep& step, const std::vector<Type>& types,
                   const void* const* in) {
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const Buffer& source = plan.buffers[plan.buffers[step.inputs[i]].root];
    const bool shared = source.kind == Buffer::kShared;
    if (!shared && source.kind != Buffer::kInput) continue;
    const std::string found = first_not_finite(types[step.inputs[i]], in[i]);
    if (found.empty()) continue;
    const auto& named = (shared ? plan.shared : plan.inputs)[source.reference];
    throw Error(ErrorCode::kNotFinite,
                joined({"[", shared ? "shared " : "input ", named.name,
                        "] a finite value is required by ", op_name(step), "; ", found, "."}));
  }
}

}  // namespace

void require_finite(const Plan& plan, const PlanStep& step, const std::vector<Type>& types,
                    const void* const* in, void* const* out) {
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    const std::string found = first_not_finite(types[step.outputs[i]], out[i]);
    if (found.empty()) continue;
    blame_sources(plan, step, types, in);
    std::string operands;
    for (size_t j = 0; j < step.inputs.size(); ++j)
      operands += (j > 0 ? ", " : "") + range_text(types[step.inputs[j]], in[j]);
    throw Error(ErrorCode::kNotFinite,
                joined({"[", op_name(step), "] a finite result is required; ", found,
                        ". The operands were ", operands.empty() ? "none" : operands, "."}));
  }
}

}  // namespace symk
