// The binding and the step behind form_step.h.
#include "cpu/form_step.h"

#include <algorithm>
#include <utility>

#include "runtime/memory.h"

namespace symk::cpu {
namespace {

/// Memory for a conversion, or for the form that a kernel makes of it: shared by all who make it of
/// the same operands. Versions are numbers of each operand alone, so its name tells them apart.
std::shared_ptr<Packed> packed_conversion(Binding& binding, const Conversion& conversion,
                                          const std::string& form, int64_t bytes) {
  if (conversion.beside < 0) return binding.packed(conversion.input, form, bytes);
  const std::string other = binding.identity(conversion.beside);
  if (other.empty()) return std::make_shared<Packed>(bytes);
  return binding.packed(conversion.input, form + " with " + other, bytes);
}

}  // namespace

ConvertedBinding::ConvertedBinding(Binding& outer, const std::vector<Conversion>& conversions)
    : ForwardingBinding(outer), conversions_(conversions), types_(outer.inputs()) {
  for (const Conversion& conversion : conversions) {
    types_[static_cast<size_t>(conversion.input)] = conversion.type;
    if (conversion.beside >= 0) types_.pop_back();
  }
  packs_.resize(types_.size());
}

const Conversion* ConvertedBinding::conversion_of(int input) const {
  for (const Conversion& conversion : conversions_) {
    if (conversion.input == input) return &conversion;
  }
  return nullptr;
}

bool ConvertedBinding::lasting(int input) const {
  const Conversion* const conversion = conversion_of(input);
  const bool beside =
      conversion == nullptr || conversion->beside < 0 || outer_.lasting(conversion->beside);
  return beside && outer_.lasting(input);
}

std::shared_ptr<Packed> ConvertedBinding::packed(int input, const std::string& form,
                                                 int64_t bytes) {
  packs_[static_cast<size_t>(input)] = true;
  // Other kernels see the same value as it is, and pack that.
  const Conversion* const conversion = conversion_of(input);
  if (conversion == nullptr) return outer_.packed(input, form, bytes);
  return packed_conversion(outer_, *conversion, conversion->form + ": " + form, bytes);
}

void ConvertedBinding::need_scratch(int64_t bytes) {
  scratch_bytes_ = std::max(scratch_bytes_, bytes);
}

namespace {

/// A converted operand: made at each run in scratch, or once per version. What the step packs again
/// is let go when it has done so.
class Converted {
 public:
  Converted(Conversion conversion, Binding& outer, const ConvertedBinding& inner)
      : conversion_(std::move(conversion)), lasts_(inner.lasting(conversion_.input)),
        for_once_(lasts_ && inner.packs(conversion_.input)) {
    if (lasts_ && !for_once_)
      kept_ = packed_conversion(outer, conversion_, conversion_.form, conversion_.bytes);
  }

  int input() const { return conversion_.input; }
  int64_t scratch_bytes() const { return lasts_ ? 0 : aligned_size(conversion_.bytes); }

  /// The version of all that it is made of.
  uint64_t version(const uint64_t* versions) const {
    if (!lasts_) return 0;
    const uint64_t beside = conversion_.beside < 0 ? 0 : versions[conversion_.beside];
    return versions[conversion_.input] + (beside << 32);
  }

  const void* of(const void* const* in, uint64_t version, char* scratch, ThreadPool& pool) {
    if (kept_ != nullptr) {
      return kept_->of(version, [&](char* memory) { conversion_.convert(in, memory, pool); });
    }
    if (!lasts_) {
      conversion_.convert(in, scratch, pool);
      return scratch;
    }
    if (version == seen_ && version != 0) return nullptr;  // it is packed
    once_ = Block(conversion_.bytes);
    conversion_.convert(in, once_.data(), pool);
    return once_.data();
  }

  void done(uint64_t version) {
    if (!for_once_) return;
    once_ = Block();
    seen_ = version;
  }

 private:
  Conversion conversion_;
  bool lasts_, for_once_;
  std::shared_ptr<Packed> kept_;
  Block once_;
  uint64_t seen_ = 0;  // the version that the step has packed
};

class ConvertedStep : public Step {
 public:
  ConvertedStep(Binding& binding, const std::vector<Conversion>& conversions,
                const BindFunction& bind) {
    ConvertedBinding inner(binding, conversions);
    step_ = bind(inner);
    in_.resize(inner.inputs().size());
    versions_.resize(in_.size());
    int64_t bytes = inner.scratch_bytes();
    for (const Conversion& conversion : conversions) {
      converted_.emplace_back(conversion, binding, inner);
      bytes = checked_add(bytes, converted_.back().scratch_bytes());
    }
    binding.need_scratch(bytes);
  }

  Status run(const Operands& operands, ThreadPool& pool) override {
    std::copy_n(operands.in, in_.size(), in_.begin());
    std::copy_n(operands.versions, in_.size(), versions_.begin());
    char* scratch = static_cast<char*>(operands.scratch);
    for (Converted& converted : converted_) {
      const auto input = static_cast<size_t>(converted.input());
      versions_[input] = converted.version(operands.versions);
      in_[input] = converted.of(operands.in, versions_[input], scratch, pool);
      scratch += converted.scratch_bytes();
    }
    Operands inner = operands;
    inner.in = in_.data();
    inner.versions = versions_.data();
    inner.scratch = scratch;
    const Status status = step_->run(inner, pool);
    for (Converted& converted : converted_)
      converted.done(versions_[static_cast<size_t>(converted.input())]);
    return status;
  }

 private:
  std::vector<Converted> converted_;
  std::unique_ptr<Step> step_;
  std::vector<const void*> in_;
  std::vector<uint64_t> versions_;
};

}  // namespace

std::unique_ptr<Step> bind_converted(Binding& binding, std::vector<Conversion> conversions,
                                     const BindFunction& bind) {
  return std::make_unique<ConvertedStep>(binding, conversions, bind);
}

}  // namespace symk::cpu
