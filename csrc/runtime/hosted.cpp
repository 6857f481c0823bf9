// A step on the host between steps on a device: wait, copy out, run, copy in.
#include "runtime/hosted.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/device.h"
#include "runtime/forwarding_binding.h"
#include "runtime/memory.h"

namespace symk {
namespace {

/// The binding of the device's step, as a kernel of the host shall see it: its scratch is the
/// host's, and nothing is kept packed, since the addresses are copies.
class HostedBinding final : public ForwardingBinding {
 public:
  using ForwardingBinding::ForwardingBinding;

  bool lasting(int) const override { return false; }
  std::shared_ptr<Packed> packed(int, const std::string&, int64_t bytes) override {
    return std::make_shared<Packed>(bytes);
  }
  std::string identity(int) const override { return ""; }
  void need_scratch(int64_t bytes) override { scratch_ = std::max(scratch_, bytes); }
  Device& device() const override { return Binding::device(); }  // the host
  int64_t scratch() const { return scratch_; }

 private:
  int64_t scratch_ = 0;
};

class HostedStep final : public Step {
 public:
  HostedStep(const BindFunction& bind, const std::string& reason, Binding& outer)
      : device_(outer.device()), reason_(reason), input_types_(outer.inputs()),
        output_types_(outer.outputs()) {
    HostedBinding binding(outer);
    step_ = bind(binding);
    scratch_ = Block(binding.scratch());
    for (const Type& type : input_types_) in_.push_back(add_copy(type));
    for (const Type& type : output_types_) out_.push_back(add_copy(type));
    versions_.resize(in_.size(), 0);
  }

  bool recordable() const override { return false; }
  std::string manner() const override { return reason_; }

  Status run(const Operands& operands, ThreadPool& pool) override {
    for (size_t i = 0; i < in_.size(); ++i) {
      device_.copy_out(const_cast<void*>(in_[i]), operands.in[i], input_types_[i].bytes());
    }
    Operands hosted;
    hosted.in = in_.data();
    hosted.out = out_.data();
    hosted.scratch = scratch_.data();
    hosted.versions = versions_.data();
    hosted.check_finite = operands.check_finite;
    const Status status = step_->run(hosted, pool);
    if (status.code != Status::kOk) return status;
    for (size_t i = 0; i < out_.size(); ++i) {
      device_.copy_in(operands.out[i], out_[i], output_types_[i].bytes());
    }
    return status;
  }

 private:
  void* add_copy(const Type& type) {
    copies_.emplace_back(type.bytes());
    return copies_.back().data();
  }

  Device& device_;
  const std::string reason_;
  const std::vector<Type> input_types_, output_types_;
  std::unique_ptr<Step> step_;
  Block scratch_;
  std::vector<Block> copies_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  std::vector<uint64_t> versions_;
};

}  // namespace

BindFunction bind_on_host(const std::string& kernel, const std::string& reason) {
  const BindFunction bind = find_kernel(kernel);
  if (bind == nullptr) return nullptr;
  return [bind, reason](Binding& binding) {
    return std::make_unique<HostedStep>(bind, reason, binding);
  };
}

}  // namespace symk
