// The binding and the step behind converted_step.h.
#include "cpu/converted_step.h"

#include <algorithm>
#include <utility>

#include "runtime/memory.h"

namespace symk::cpu {
namespace {

/// What the inner step asks: the answers of the Plan, but for the types of converted operands.
class ConvertedBinding : public Binding {
 public:
  ConvertedBinding(Binding& outer, const std::vector<Conversion>& conversions)
      : outer_(outer), conversions_(conversions), types_(outer.inputs()) {
    for (const Conversion& conversion : conversions)
      types_[static_cast<size_t>(conversion.input)] = conversion.type;
  }

  int64_t scratch_bytes() const { return scratch_bytes_; }

  const std::vector<Type>& inputs() const override { return types_; }
  const std::vector<Type>& outputs() const override { return outer_.outputs(); }
  bool has(const char* key) const override { return outer_.has(key); }
  int64_t integer(const char* key) const override { return outer_.integer(key); }
  int64_t integer(const char* key, int64_t otherwise) const override {
    return outer_.integer(key, otherwise);
  }
  double real(const char* key) const override { return outer_.real(key); }
  std::string text(const char* key) const override { return outer_.text(key); }
  std::string text(const char* key, const char* otherwise) const override {
    return outer_.text(key, otherwise);
  }
  std::vector<int64_t> integers(const char* key) const override { return outer_.integers(key); }
  std::vector<std::string> texts(const char* key) const override { return outer_.texts(key); }
  const Plan& plan(const char* key) const override { return outer_.plan(key); }
  bool lasting(int input) const override { return outer_.lasting(input); }
  std::shared_ptr<Packed> packed(int input, const std::string& form, int64_t bytes) override {
    std::string name = form;  // other kernels see the same value as it is, and pack that
    for (const Conversion& conversion : conversions_) {
      if (conversion.input == input) name = conversion.form + ": " + form;
    }
    return outer_.packed(input, name, bytes);
  }
  void need_scratch(int64_t bytes) override { scratch_bytes_ = std::max(scratch_bytes_, bytes); }

 private:
  Binding& outer_;
  const std::vector<Conversion>& conversions_;
  std::vector<Type> types_;
  int64_t scratch_bytes_ = 0;
};

class ConvertedStep : public Step {
 public:
  ConvertedStep(Binding& binding, std::vector<Conversion> conversions, const BindFunction& bind)
      : conversions_(std::move(conversions)), in_(binding.inputs().size()) {
    ConvertedBinding inner(binding, conversions_);
    step_ = bind(inner);
    for (const Conversion& conversion : conversions_) {
      const bool lasts = binding.lasting(conversion.input);
      kept_.push_back(lasts ? binding.packed(conversion.input, conversion.form, conversion.bytes)
                            : nullptr);
      if (!lasts) own_bytes_ += aligned_size(conversion.bytes);
    }
    binding.need_scratch(checked_add(own_bytes_, inner.scratch_bytes()));
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    std::copy_n(operands.in, in_.size(), in_.begin());
    char* scratch = static_cast<char*>(operands.scratch);
    for (size_t i = 0; i < conversions_.size(); ++i) {
      const Conversion& conversion = conversions_[i];
      const auto input = static_cast<size_t>(conversion.input);
      if (kept_[i] != nullptr) {
        in_[input] = kept_[i]->of(operands.versions[input], [&](char* memory) {
          conversion.convert(operands.in[input], memory, pool);
        });
      } else {
        conversion.convert(operands.in[input], scratch, pool);
        in_[input] = scratch;
        scratch += aligned_size(conversion.bytes);
      }
    }
    Operands inner = operands;
    inner.in = in_.data();
    inner.scratch = scratch;
    return step_->run(inner, pool);
  }

 private:
  std::vector<Conversion> conversions_;
  std::vector<std::shared_ptr<Packed>> kept_;  // per conversion; null: converted at each run
  std::unique_ptr<Step> step_;
  std::vector<const void*> in_;
  int64_t own_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Step> bind_converted(Binding& binding, std::vector<Conversion> conversions,
                                     const BindFunction& bind) {
  return std::make_unique<ConvertedStep>(binding, std::move(conversions), bind);
}

}  // namespace symk::cpu
