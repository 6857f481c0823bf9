// A step whose kernel wants some operands in another form than the Plan has them: pairs of bfloat16
// for float32, float32 for weights that are stored in less. The operands are converted, then the
// kernel's own step runs as if the Plan had them so. Those that keep their value are converted
// once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/forwarding_binding.h"

namespace symk::cpu {

/// An operand in another form.
struct Conversion {
  int input;
  Type type;         // in which the kernel sees it
  int64_t bytes;     // of the form
  std::string form;  // its name, as in Binding::packed
  /// From the operands of the Plan's step.
  std::function<void(const void* const* in, void* to, ThreadPool& pool)> convert;
  int beside = -1;  // another operand that it is made of, or none: the last one, which the kernel
                    // does not see
};

/// What the kernel's own step asks: the answers of the Plan, but for what is converted.
class ConvertedBinding : public ForwardingBinding {
 public:
  ConvertedBinding(Binding& outer, const std::vector<Conversion>& conversions);

  int64_t scratch_bytes() const { return scratch_bytes_; }
  /// Whether the step packs a form of its own of an input that lasts; then it reads it only once.
  bool packs(int input) const { return packs_[static_cast<size_t>(input)]; }

  const std::vector<Type>& inputs() const override { return types_; }
  bool lasting(int input) const override;
  std::shared_ptr<Packed> packed(int input, const std::string& form, int64_t bytes) override;
  void need_scratch(int64_t bytes) override;

 private:
  const Conversion* conversion_of(int input) const;

  const std::vector<Conversion>& conversions_;
  std::vector<Type> types_;
  std::vector<bool> packs_;
  int64_t scratch_bytes_ = 0;
};

/// Binds the kernel's own step by bind(binding that tells the converted types).
std::unique_ptr<Step> bind_converted(Binding& binding, std::vector<Conversion> conversions,
                                     const BindFunction& bind);

}  // namespace symk::cpu
