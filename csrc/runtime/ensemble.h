// One function on several devices: sections, each a Program on a device of its own, which hand
// values on to each other. docs/cuda.md has the picture. The host asks each device for its sections
// in turn and waits for none of them, but where a section of the host needs a value of a device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/program.h"

namespace symk {

class Ensemble {
 public:
  /// Where an input of a section comes from: values are numbered, first the arrays of a call, then
  /// the outputs of the sections in their order. One that no step reads is there for its sizes.
  struct Source {
    uint32_t value = 0;
    bool is_read = true;
  };
  struct Section {
    Program* program = nullptr;
    std::vector<Source> inputs;  // per input of its Plan
  };

  /// The Programs must live as long as the Ensemble. `arrays` is how many a call has, `outputs` are
  /// the values that it gives. Sections read what earlier ones make. Throws Error(kArgument) where
  /// that is not so.
  Ensemble(std::vector<Section> sections, size_t arrays, std::vector<uint32_t> outputs);

  size_t arrays() const { return arrays_; }
  const Program& first() const { return *sections_.front().program; }

 private:
  friend class EnsembleCall;

  static constexpr int kNowhere = -2;
  /// Where a value is for a section: an array of the call, or in what a section has staged.
  struct Place {
    int section = -1;
    size_t number = 0;
  };
  /// A section as it is run. It stages the values that arrive from elsewhere, then its outputs.
  struct Member {
    Program* program = nullptr;
    std::vector<Source> sources;     // as given
    std::vector<Place> places;       // per input of its Plan
    std::vector<uint32_t> arrivals;  // values
    size_t output_count = 0;
    uint32_t first_output = 0;  // the number of its first output among the values
    bool is_awaited = false;    // whether another device reads its outputs
  };

  Device& device_of(const Member& member) const { return member.program->device(); }
  void require(const Section& section, uint32_t known) const;
  void find_places(Member& member);
  Place find_on(Device& device, uint32_t value) const;
  static size_t position_of(const Member& member, uint32_t value);

  std::vector<Member> sections_;
  size_t arrays_;
  std::vector<Place> homes_;  // per value
  std::vector<uint32_t> outputs_;
  std::vector<Device*> devices_;  // each once, but the host
  TensorLocks locks_;
};

/// One call, as a `Call` of one Program.
class EnsembleCall {
 public:
  /// `shapes` are those of the arrays. Binds all sections: what fails for these shapes fails here.
  EnsembleCall(Ensemble& ensemble, const Shape* shapes);

  const std::vector<Type>& outputs() const { return output_types_; }

  /// As `Call::run`.
  void run(const void* const* arrays, void* const* outputs);

 private:
  /// A section in this call.
  struct Part {
    ~Part() {
      if (context != nullptr) program->give_back(std::move(context));
    }
    Program* program = nullptr;
    std::unique_ptr<Context> context;
    Bound* bound = nullptr;
    std::vector<int64_t> offsets;  // of arrivals and outputs in what is staged
    char* staged = nullptr;
    bool is_pinned = false;      // whether it is memory of the host that devices reach
    std::unique_ptr<Mark> done;  // null where no other device waits for it
    bool is_looked_at = true;    // whether Faults of it are known
  };

  void bind(size_t section, std::vector<Shape>& shapes);
  void stage(size_t section);
  void run_sections(const void* const* arrays, void* const* outputs);
  void run_section(size_t section, const void* const* arrays);
  void bring_arrivals(size_t section, const void* const* arrays);
  bool lies_behind(size_t section, size_t arrival) const;
  void move(const Part& to, void* target, const Part& from, const void* source, int64_t bytes);
  void look_at_all();
  void fetch_outputs(void* const* outputs);
  void settle() noexcept;
  int64_t bytes_of(uint32_t value) const;
  const Type& type_of(uint32_t value) const;
  char* address_of(const Ensemble::Place& place) const;

  Ensemble& ensemble_;
  std::vector<Part> parts_;  // per section
  std::vector<Type> output_types_;
};

}  // namespace symk
